"""What a regression sees of walks of any kind and length: counts in groups, and distances."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from state_space import Space, Token, random_walk

Floats = npt.NDArray[np.float64]
Walk = tuple[Token, ...]
Columns = tuple[tuple[int, ...], ...]
"""Of one walk: for every group the columns of what occurs, as often as it occurs."""

GROUPS = ("places", "tokens", "pairs", "attributes")
"""Which token is at which place; how often each token occurs; how often it follows each other one;
how often each value of an attribute of the tokens occurs, such as 64 of a layer's filters."""

SAMPLE = 300
"""So many random walks say how far walks of a space usually lie apart."""


class WalkFeatures:
    """Counts of what occurs in a space's walks.

    Distances of a group are in units of the mean one between random walks of the space, so that
    groups of few and of many features, and spaces of short and of long walks, compare.
    """

    def __init__(self, space: Space[Any]) -> None:
        """Sample the space, always in the same way."""
        self._attributes = {
            token: tuple(zip(action._fields, action, strict=True))  # type: ignore[attr-defined]
            for tokens in space.vocabulary.values()
            for token in tokens
            for action in [space.action(token)]
        }
        self._columns: tuple[dict[Any, int], ...] = tuple({} for _ in GROUPS)
        generator = np.random.default_rng(0)
        walks = [self.columns(random_walk(space, generator)) for _ in range(SAMPLE)]
        self._units = np.ones(len(GROUPS))
        means = self.distances(walks, walks).mean((1, 2))
        self._units[means > 0] = means[means > 0]  # else the group is the same in all walks

    def columns(self, walk: Walk) -> Columns:
        """What occurs in a walk."""
        occurring: tuple[Iterator[Any], ...] = (
            enumerate(walk),
            iter(walk),
            pairwise(walk),
            (each for token in walk for each in self._attributes[token]),
        )
        return tuple(
            tuple(known.setdefault(each, len(known)) for each in found)
            for known, found in zip(self._columns, occurring, strict=True)
        )

    def distances(self, ones: Sequence[Columns], others: Sequence[Columns]) -> Floats:
        """The squared Euclidean distances, (groups, ones, others)."""
        found = np.empty((len(GROUPS), len(ones), len(others)))
        for group in range(len(GROUPS)):
            left, right = self._counts(ones, group), self._counts(others, group)
            # products of counts are whole numbers, so sums in any order are exact
            lengths = [counts.multiply(counts).sum(1).A1 for counts in (left, right)]
            found[group] = np.add.outer(*lengths) - 2 * (left @ right.toarray().T)
        return found / self._units[:, None, None]

    def _counts(self, walks: Sequence[Columns], group: int) -> csr_matrix:
        rows = [walk[group] for walk in walks]
        ends = np.cumsum([0, *map(len, rows)])
        columns = np.fromiter((column for row in rows for column in row), int, ends[-1])
        counts = csr_matrix(
            (np.ones(len(columns), np.float32), columns, ends),
            (len(rows), len(self._columns[group])),
        )
        counts.sum_duplicates()
        return counts
