"""What a regression sees of walks of any kind and length: counts in groups, and distances."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from state_space import Space, Token, random_walk

Floats = npt.NDArray[np.float64]
Walk = tuple[Token, ...]
Attributes = Mapping[Token, tuple[tuple[str, Any], ...]]
"""What a token says: ("filters", 64), ("field", 3), ..."""


def attributes(walk: Walk, known: Attributes) -> Iterable[Any]:
    """Every attribute of every token."""
    return (each for token in walk for each in known[token])


GROUPS: dict[str, Callable[[Walk, Attributes], Iterable[Any]]] = {
    "places": lambda walk, _: enumerate(walk),
    "tokens": lambda walk, _: walk,
    "pairs": lambda walk, _: pairwise(walk),
    "attributes": attributes,
}
"""What occurs in a walk: which token at which place, each token, each followed by each other, and
each value of an attribute of the tokens, such as 64 of a layer's filters."""

SAMPLE = 300
"""So many random walks say how far walks of a space usually lie apart."""

CACHED = 10_000
"""Of so many walks the columns are kept."""

FINEST = 2.0**-30
"""Weights are multiples of this, so that sums of counts that they weigh are exact, in any order:
a search that is resumed meets walks in another order, and must not differ in the last digit."""


class WalkFeatures:
    """Counts of what occurs in a space's walks.

    Distances of a group are in units of the mean one between random walks of the space, so that
    groups of few and of many features, and spaces of short and of long walks, compare.
    """

    def __init__(self, space: Space[Any]) -> None:
        """Sample the space, always in the same way."""
        self._attributes: Attributes = {
            token: tuple(space.action(token)._asdict().items())  # type: ignore[attr-defined]  # NamedTuple
            for tokens in space.vocabulary.values()
            for token in tokens
        }
        self._known: tuple[dict[Any, int], ...] = tuple({} for _ in GROUPS)
        self._groups: list[int] = []  # of every column
        self._columns = lru_cache(CACHED)(self._find_columns)
        generator = np.random.default_rng(0)
        walks = [random_walk(space, generator) for _ in range(SAMPLE)]
        self._units = np.ones(len(GROUPS))
        means = self.distances_by_group(walks).mean((1, 2))
        self._units[means > 0] = means[means > 0]  # else the group is the same in all walks

    def distances(
        self, ones: Sequence[Walk], others: Sequence[Walk], relevances: npt.ArrayLike
    ) -> Floats:
        """The squared distances, (ones, others), each group weighed with its relevance."""
        # what occurs is known before anything is counted, so that all have the same columns
        rows = [[self._columns(walk) for walk in walks] for walks in (ones, others)]
        left, right = (_count(each, len(self._groups)) for each in rows)
        weights = np.rint(np.asarray(relevances) / self._units / FINEST) * FINEST
        weights = weights[self._groups]
        lengths = [counts.multiply(counts) @ weights for counts in (left, right)]
        distances: Floats = np.add.outer(*lengths)
        distances -= 2 * (left @ (right.toarray() * weights).T)
        return distances

    def distances_by_group(self, walks: Sequence[Walk]) -> Floats:
        """The squared distances between the walks, (groups, walks, walks)."""
        return np.stack([self.distances(walks, walks, only) for only in np.eye(len(GROUPS))])

    def _find_columns(self, walk: Walk) -> npt.NDArray[np.intp]:
        """Those of what occurs in the walk, each as often as it occurs."""
        columns = []
        for group, (known, occurring) in enumerate(zip(self._known, GROUPS.values(), strict=True)):
            for each in occurring(walk, self._attributes):
                if each not in known:
                    known[each] = len(self._groups)
                    self._groups.append(group)
                columns.append(known[each])
        return np.array(columns, np.intp)


def _count(rows: Sequence[npt.NDArray[np.intp]], columns: int) -> csr_matrix:
    """How often every walk has what occurs, (walks, columns)."""
    ends = np.cumsum([0, *map(len, rows)])
    counts = csr_matrix((np.ones(ends[-1]), np.concatenate(rows), ends), (len(rows), columns))
    counts.sum_duplicates()
    return counts
