"""The table of Q-values, in flat arrays."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from state_space import Observation, Space, Token, legal_walk

Trajectory = list[tuple[int, int]]
"""The moves of a walk, the last one first, as (row of the table, index of the Q-value)."""


class QTable:
    """Q-values of state-action pairs, all equal until learnt.

    Rows are added as they are met. The values of row r are `q[first[r] : first[r + 1]]`, in the
    order of the decision's options; `best[r]` is their maximum, so that a move costs no search
    unless it lowers the best value of its row.
    """

    def __init__(self, space: Space[Any], initial: float) -> None:
        """An empty table, whose unknown pairs have the initial value."""
        self.space = space
        self.initial = initial
        self.rows: dict[Observation, int] = {}
        self.options: list[tuple[Token, ...]] = []
        self.first = [0]
        # array is a growing buffer whose elements read and write several times faster than numpy's
        self._q = array("d")
        self._visits = array("q")
        self._best = array("d")
        # of the visited pairs: row, index, and number of their place in a walk and their action
        self._visited = array("q")
        self._groups: dict[tuple[int, Token], int] = {}
        self._placed: set[int] = set()

    @property
    def q(self) -> npt.NDArray[np.float64]:
        """A copy of all Q-values."""
        return np.array(self._q, dtype=np.float64)

    @property
    def visits(self) -> npt.NDArray[np.int64]:
        """How many trials took each action, as a copy."""
        return np.array(self._visits, dtype=np.int64)

    def row(self, observation: Observation, options: tuple[Token, ...]) -> int:
        """The number of the row, which is added where it is new."""
        row = self.rows.get(observation)
        if row is None:
            row = self.rows[observation] = len(self.options)
            self.options.append(options)
            self.first.append(self.first[-1] + len(options))
            self._q.extend([self.initial] * len(options))
            self._visits.extend([0] * len(options))
            self._best.append(self.initial)
        return row

    def best_options(
        self, observation: Observation, options: tuple[Token, ...], place: int = 0
    ) -> tuple[Token, ...]:
        """The options of the highest Q-value, wherever in a walk: several where they are equal."""
        row = self.rows.get(observation)
        if row is None:
            return options
        values = self._q[self.first[row] : self.first[row + 1]]
        best = self._best[row]
        return tuple(option for option, value in zip(options, values, strict=True) if value == best)

    def trajectory(self, walk: Sequence[Token], stage: int = 0) -> Trajectory:
        """The moves of a walk, the last one first.

        Raises:
            IllegalMove: The walk is not legal or not complete.
        """
        moves = []
        for state, decision, token in legal_walk(self.space, walk, stage):
            row = self.row(self.space.observation(state), decision.options)
            moves.append((row, self.first[row] + decision.options.index(token)))
        return moves[::-1]

    def visit(self, trajectory: Trajectory) -> None:
        """Count a trial that took these moves."""
        for place, (row, index) in enumerate(reversed(trajectory)):
            if index not in self._placed:
                self._placed.add(index)
                key = place, self.options[row][index - self.first[row]]
                group = self._groups.setdefault(key, len(self._groups))
                self._visited.extend((row, index, group))
            self._visits[index] += 1

    def sweep(
        self,
        trajectory: Trajectory,
        reward: float,
        alpha: float,
        gamma: float,
        *,
        shaped: bool = False,
    ) -> None:
        """Learn from a walk, backwards (Baker et al. 2017, eq. 3).

        The last move goes towards the reward, every other towards gamma times the best value of
        the next row. Shaped, every move has its share of the reward (Zhong et al. 2018, eq. 6).
        """
        q, best, first = self._q, self._best, self.first
        share, target = _shares(reward, len(trajectory), shaped)
        for row, index in trajectory:
            old = q[index]
            new = q[index] = old + alpha * (target - old)
            top = best[row]
            if new >= top:
                top = best[row] = new
            elif old == top:
                top = best[row] = max(q[first[row] : first[row + 1]])
            target = share + gamma * top

    def sweep_with_traces(
        self,
        trajectory: Trajectory,
        reward: float,
        alpha: float,
        gamma: float,
        trace: float,
        credit: float,
        *,
        shaped: bool = False,
    ) -> None:
        """Learn from a walk, backwards, from targets that hold more of the reward than `sweep`'s.

        The target of a move is the lambda-return (Watkins 1989; Sutton & Barto 2018, section
        12.1): trace 0 is `sweep`'s, the best value of the next row, and trace 1 the reward itself
        (Monte Carlo). From it goes what the walk's other moves are known to add, `credit` times
        the sum of their advantages, so that a move is not blamed for its company. An advantage is
        the Q-value less the mean of its row. This is a control variate that depends on the other
        actions (Wu et al. 2018, arXiv 1803.07246); repeated, it is backfitting of an additive
        model (Buja, Hastie & Tibshirani 1989).
        """
        q, best, first = self._q, self._best, self.first
        advantages = [self._advantage(row, index) for row, index in trajectory] if credit else []
        total = sum(advantages)
        share, target = _shares(reward, len(trajectory), shaped)
        for move, (row, index) in enumerate(trajectory):
            company = total - advantages[move] if credit else 0.0
            old = q[index]
            new = q[index] = old + alpha * (target - credit * company - old)
            if new >= best[row]:
                best[row] = new
            elif old == best[row]:
                best[row] = max(q[first[row] : first[row + 1]])
            target = share + gamma * ((1 - trace) * best[row] + trace * target)

    def advantages(
        self, observation: Observation, options: tuple[Token, ...]
    ) -> tuple[list[float], Sequence[int]]:
        """Of every option: its Q-value less the row's mean, and how many trials took it."""
        row = self.rows.get(observation)
        if row is None:
            return [0.0] * len(options), [0] * len(options)
        values = self._q[self.first[row] : self.first[row + 1]]
        mean = sum(values) / len(values)
        return [value - mean for value in values], self._visits[
            self.first[row] : self.first[row + 1]
        ]

    def mean_advantages(self) -> dict[tuple[int, Token], float]:
        """The mean advantage of every action at each place of a walk, over all rows.

        Trials count alike, and one more without advantage is added to each mean.
        """
        rows, indices, groups = self._pairs()
        if not len(rows):
            return {}
        q, visits = self.q, self.visits[indices]
        means = np.add.reduceat(q, self.first[:-1]) / np.diff(self.first)
        totals = np.bincount(groups, visits * (q[indices] - means[rows]))
        shrunken = totals / (np.bincount(groups, visits) + 1)
        return dict(zip(self._groups, shrunken.tolist(), strict=True))

    def _pairs(self) -> npt.NDArray[np.int64]:
        """Of the visited pairs, in order: rows, indices, and groups."""
        return np.array(self._visited, dtype=np.int64).reshape(-1, 3).T

    def _advantage(self, row: int, index: int) -> float:
        values = self._q[self.first[row] : self.first[row + 1]]
        return self._q[index] - sum(values) / len(values)

    def visited(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Indices and Q-values of the pairs that trials took, in the order of the first."""
        _, indices, _ = self._pairs()
        values: npt.NDArray[np.float64] = np.asarray(self._q)  # no copy: others are many more
        return indices, values[indices]

    def set_pairs(self, values: Mapping[int, float], visits: Mapping[int, int]) -> None:
        """Replace some Q-values and visits, by index."""
        for index, count in visits.items():
            self._visits[index] = count
        q = self.q
        q[list(values)] = list(values.values())
        self.set_values(q)

    def set_values(self, q: npt.NDArray[np.float64]) -> None:
        """Replace all Q-values.

        Raises:
            ValueError: There are more or fewer values than the table has.
        """
        if len(q) != len(self._q):
            raise ValueError(f"{len(q)} Q-values for a table of {len(self._q)}")
        self._q = array("d", q.tolist())
        self._best = array(
            "d", (max(self._q[a:b]) for a, b in zip(self.first, self.first[1:], strict=False))
        )


def _shares(reward: float, moves: int, shaped: bool) -> tuple[float, float]:
    """What every move of a walk but the last is rewarded with, and the last one."""
    return (reward / moves, reward / moves) if shaped else (0.0, reward)
