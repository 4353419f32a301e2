"""What a regression sees of walks of any kind and length: counts in groups, and distances."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
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

Columns = tuple[npt.NDArray[np.intp], ...]
"""Of one walk: for every group the columns of what occurs, as often as it occurs."""


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


class WalkFeatures:
    """Counts of what occurs in a space's walks.

    Distances of a group are in units of the mean one between random walks of the space, so that
    groups of few and of many features, and spaces of short and of long walks, compare.
    """

    def __init__(self, space: Space[Any]) -> None:
        """Sample the space, always in the same way."""
        self._attributes: Attributes = {
            token: tuple(space.action(token)._asdict().items())  # type: ignore[attr-defined]
            for tokens in space.vocabulary.values()
            for token in tokens
        }
        self._known: tuple[dict[Any, int], ...] = tuple({} for _ in GROUPS)
        self._columns = lru_cache(CACHED)(self._find_columns)
        generator = np.random.default_rng(0)
        walks = [random_walk(space, generator) for _ in range(SAMPLE)]
        self._units = np.ones(len(GROUPS))
        means = self.distances(walks, walks).mean((1, 2))
        self._units[means > 0] = means[means > 0]  # else the group is the same in all walks

    def distances(self, ones: Sequence[Walk], others: Sequence[Walk]) -> Floats:
        """The squared Euclidean distances, (groups, ones, others)."""
        # what occurs is known before anything is counted, so that all have the same columns
        left, right = [[self._columns(walk) for walk in walks] for walks in (ones, others)]
        found = np.empty((len(GROUPS), len(ones), len(others)))
        for group, known in enumerate(self._known):
            some, more = (_count([walk[group] for walk in rows], known) for rows in (left, right))
            # products of counts are whole numbers, so sums in any order are exact
            lengths = [counts.multiply(counts).sum(1).A1 for counts in (some, more)]
            found[group] = np.add.outer(*lengths) - 2 * (some @ more.toarray().T)
        return found / self._units[:, None, None]

    def _find_columns(self, walk: Walk) -> Columns:
        return tuple(
            np.array([known.setdefault(each, len(known)) for each in occurring], np.intp)
            for known, occurring in zip(
                self._known,
                (occurring(walk, self._attributes) for occurring in GROUPS.values()),
                strict=True,
            )
        )


def _count(rows: Sequence[npt.NDArray[np.intp]], known: Sized) -> csr_matrix:
    """How often every walk has what occurs, (walks, known)."""
    ends = np.cumsum([0, *map(len, rows)])
    ones = np.ones(ends[-1], np.float32)
    counts = csr_matrix((ones, np.concatenate(rows), ends), (len(rows), len(known)))
    counts.sum_duplicates()
    return counts
