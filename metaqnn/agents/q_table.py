"""The table of Q-values: pandas is its face, flat arrays are its memory."""

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metaqnn.errors import MetaqnnError
from state_space import (
    Decision,
    Observation,
    Space,
    Token,
    TooManyStates,
    enumerate_rows,
    legal_walk,
)

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

    def sweep(self, trajectory: Trajectory, reward: float, alpha: float, gamma: float) -> None:
        """Learn from a walk, backwards (Baker et al. 2017, eq. 3).

        The last move goes towards the reward, every other towards gamma times the best value of
        the next row.
        """
        q, best, first = self._q, self._best, self.first
        target = reward
        for row, index in trajectory:
            old = q[index]
            new = q[index] = old + alpha * (target - old)
            top = best[row]
            if new >= top:
                top = best[row] = new
            elif old == top:
                top = best[row] = max(q[first[row] : first[row + 1]])
            target = gamma * top

    def sweep_with_traces(
        self,
        trajectory: Trajectory,
        reward: float,
        alpha: float,
        gamma: float,
        trace: float,
        credit: float,
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
        target = reward
        for move, (row, index) in enumerate(trajectory):
            company = total - advantages[move] if credit else 0.0
            old = q[index]
            new = q[index] = old + alpha * (target - credit * company - old)
            if new >= best[row]:
                best[row] = new
            elif old == best[row]:
                best[row] = max(q[first[row] : first[row + 1]])
            target = gamma * ((1 - trace) * best[row] + trace * target)

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
        pairs = np.array(self._visited).reshape(-1, 3)
        if not len(pairs):
            return {}
        rows, indices, groups = pairs.T
        q, visits = self.q, self.visits[indices]
        means = np.add.reduceat(q, self.first[:-1]) / np.diff(self.first)
        totals = np.bincount(groups, visits * (q[indices] - means[rows]))
        shrunken = totals / (np.bincount(groups, visits) + 1)
        return dict(zip(self._groups, shrunken.tolist(), strict=True))

    def _advantage(self, row: int, index: int) -> float:
        values = self._q[self.first[row] : self.first[row + 1]]
        return self._q[index] - sum(values) / len(values)

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

    def frame(self) -> pd.DataFrame:
        """A row per state-action pair: the state's fields, the action and its fields, q, visits."""
        records = [
            {**_fields(observation), "action": token}
            | {f"action_{name}": value for name, value in _fields(self.space.action(token)).items()}
            for observation, row in self.rows.items()
            for token in self.options[row]
        ]
        return pd.DataFrame(records).assign(q=self.q, visits=self.visits)

    def load(self, frame: pd.DataFrame) -> None:
        """Take over the values of a frame such as `frame` returns, and its visits if it has any.

        A value without visits counts as one, lest nobody believe it.

        Its index counts the lines of its file, from 0 behind the heading.

        Raises:
            MetaqnnError: A column is missing, a pair does not exist in the space, or its states
                are too many to know all rows.
        """
        stage = 0
        known = _all_rows(self.space, stage)
        observation_type: Any = type(next(iter(known)))
        columns = [*observation_type._fields, "action", "q"]
        missing = [name for name in columns if name not in frame]
        if missing:
            raise MetaqnnError(f"the Q-table has no column {' and no '.join(missing)}")
        counts = frame["visits"] if "visits" in frame else pd.Series(1, index=frame.index)
        visits = counts.clip(lower=1).astype(int).to_dict()
        values = self.q.tolist()
        for record in frame[columns].itertuples(name=None):
            line, fields, action, q = record[0] + 2, record[1:-2], *record[-2:]
            observation = observation_type(*fields)
            while observation not in known and self.space.grows(stage):
                stage += 1
                known |= _all_rows(self.space, stage)
            decision = known.get(observation)
            if decision is None or action not in decision.options:
                raise MetaqnnError(
                    f"line {line} of the Q-table: {action} in {observation} is not in this space"
                )
            if not np.isfinite(q):
                raise MetaqnnError(f"line {line} of the Q-table: q is {q}")
            row = self.row(observation, decision.options)
            values.extend(self._q[len(values) :])
            index = self.first[row] + decision.options.index(action)
            values[index] = float(q)
            self._visits[index] = visits[record[0]]
        self.set_values(np.array(values))


def _all_rows(space: Space[Any], stage: int) -> dict[Observation, Decision]:
    try:
        return enumerate_rows(space, stage)
    except TooManyStates as error:
        raise MetaqnnError(f"a Q-table cannot be taken over: {error}") from None


def _fields(record: Observation) -> dict[str, Any]:
    named: Any = record
    fields: dict[str, Any] = named._asdict()
    return fields
