"""Asynchronous successive halving over epochs (Li et al. 2020, arXiv 1810.05934).

This is the variant that stops and never pauses: a network that is stopped never goes on later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Self

from pydantic import Field, PositiveInt

from metaqnn.options import Section
from metaqnn.stopping.base import Progress, Stopper, Verdict
from metaqnn.task import Score
from replay import Outcome, Trial


class HalvingOptions(Section):
    """Where the rungs are."""

    HEADING: ClassVar = "Trainings that end early"

    halving_factor: int = Field(3, ge=2, description="One in so many goes on at each rung.")
    halving_first: PositiveInt = Field(1, description="Epochs before the first rung.")


@dataclass(frozen=True)
class HalvingRule:
    """Ends a training whose best score so far is below the threshold of a rung.

    Attributes:
        thresholds: By the epochs of the rung; a rung without one lets every network go on.
    """

    thresholds: Mapping[int, float]

    def __call__(self, progress: Progress) -> Verdict | None:
        """Look at the training, if it has just reached a rung."""
        epochs = len(progress.curve)
        if max(progress.curve) >= self.thresholds.get(epochs, -inf):
            return None
        return Verdict({"stopped_after": epochs})


class Halving(Stopper):
    """At each rung, only the best networks so far go on: one in so many.

    A rung is a number of epochs, first * factor^i; what counts there is the best score so far.
    """

    Options = HalvingOptions

    def __init__(self, factor: int, first: int, epochs: int) -> None:
        """Make the rungs of trainings that take so many epochs in full."""
        self.factor = factor
        self.recorded: dict[int, list[float]] = {}
        while first < epochs:
            self.recorded[first] = []
            first *= factor

    @classmethod
    def from_options(cls, options: HalvingOptions, epochs: int, score: Score) -> Self:
        """The rungs of --halving-first and --halving-factor."""
        return cls(options.halving_factor, options.halving_first, epochs)

    def rule(self, trial: Trial) -> HalvingRule:
        """The rungs with their thresholds of this moment."""
        found = {rung: self._threshold(values) for rung, values in self.recorded.items()}
        return HalvingRule({rung: value for rung, value in found.items() if value is not None})

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Record the network at every rung that it has reached."""
        for rung, values in self.recorded.items():
            if len(outcome.curve) >= rung and outcome.error is None:
                values.append(max(outcome.curve[:rung]))

    def _threshold(self, values: list[float]) -> float | None:
        """The score with which a network would be just among the best, itself counted."""
        going_on = (len(values) + 1) // self.factor
        return sorted(values, reverse=True)[going_on - 1] if going_on else None
