"""Networks that no other one beats, and how much they dominate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from metaqnn.objectives.hypervolume import Floats, hypervolume, non_dominated
from metaqnn.objectives.names import LABELS
from metaqnn.task import Score


def pareto_front(
    costs: "pd.DataFrame | pd.Series[float]", scores: "pd.Series[float]"
) -> "pd.Series[bool]":
    """Whether no other network costs at most as much and scores at least as much, and one better.

    Of networks that are equal in all, all are on the front or none.
    """
    points = np.column_stack([scores, -pd.DataFrame(costs)]).astype(np.float64)
    return pd.Series(non_dominated(points), scores.index)


@dataclass(frozen=True)
class Box:
    """The box of which a hypervolume is a share: from the reference point to the ideal one.

    A score counts from the reference, chance, to the ideal, the highest that there can be; a cost
    from the highest down to the lowest, on a logarithmic scale. So with one cost the share is the
    mean of the best score within a cost, over all costs, where chance is 0 and the ideal is 1.

    Attributes:
        costs: Metrics.
        lowest: Of each the ideal, and
        highest: the reference.
        worst: The score that is the reference, and
        best: the ideal.
    """

    costs: tuple[str, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    worst: float
    best: float

    @classmethod
    def around(cls, networks: pd.DataFrame, costs: Sequence[str], score: Score) -> Self | None:
        """The box of some networks; None where no costs are known.

        Where nobody knows the score of chance or the highest one, it is that of the networks.

        Args:
            networks: With a score and these costs, all measured.
            costs: Metrics.
            score: Of the networks.
        """
        if networks.empty or not set(costs) <= set(networks):
            return None
        positive = networks[list(costs)].where(networks[list(costs)] > 0)
        if positive.isna().all().any():
            return None
        low, high = networks["score"].min(), networks["score"].max()
        return cls(
            tuple(costs),
            tuple(positive.min()),
            tuple(positive.max()),
            float(low if score.chance is None else score.chance),
            float(score.high if np.isfinite(score.high) else high),
        )

    def points(self, networks: pd.DataFrame) -> Floats:
        """The networks in the box, whose reference is 0 and whose ideal is 1 everywhere."""
        low, high = np.log(self.lowest), np.log(self.highest)
        there = np.log(np.clip(networks[list(self.costs)].to_numpy(float), self.lowest, None))
        width = np.where(high > low, high - low, 1)
        costs = np.where(high > low, (high - there) / width, 1.0)
        scores = (networks["score"].to_numpy(float) - self.worst) / (
            (self.best - self.worst) or 1.0
        )
        return np.column_stack([scores, costs])

    def volume(self, networks: pd.DataFrame) -> float:
        """The share of the box that the networks dominate."""
        return hypervolume(self.points(networks))

    def volumes(self, networks: pd.DataFrame) -> "pd.Series[float]":
        """The share after each of the networks, in their order."""
        return pd.Series(list(self._grow(self.points(networks))), networks.index, dtype=float)

    def _grow(self, points: Floats) -> Iterator[float]:
        front, volume = np.empty((0, points.shape[1])), 0.0
        for point in points:
            if not (front >= point).all(1).any():
                front = np.vstack([front[~(front <= point).all(1)], point])
                volume = hypervolume(front)
            yield volume

    def describe(self, score: Score) -> str:
        """From where to where it reaches, in words."""
        parts = [f"{score.word} from {score.show(self.worst)} to {score.show(self.best)}"]
        for name, low, high in zip(self.costs, self.lowest, self.highest, strict=True):
            ends = " to ".join(f"{end:,.0f}" if end >= 100 else f"{end:.3g}" for end in (high, low))
            parts.append(f"{LABELS.get(name, name)} from {ends} (logarithmic)")
        return ", ".join(parts)


def describe_volume(networks: pd.DataFrame, costs: Sequence[str], score: Score) -> str:
    """The hypervolume of the networks of a run, in a line."""
    known = measured(networks, costs)
    box = Box.around(known, costs, score)
    if box is None:
        return "no hypervolume: no network's costs are known"
    return f"hypervolume {box.volume(known):.4f} of {box.describe(score)}"


def measured(networks: pd.DataFrame, costs: Sequence[str]) -> pd.DataFrame:
    """Those of `metaqnn.reports.distinct.distinct` with a score, which is measured, and costs."""
    known = networks[networks["score"].notna() & ~networks["predicted"].astype(bool)]
    return known.dropna(subset=[cost for cost in costs if cost in known])
