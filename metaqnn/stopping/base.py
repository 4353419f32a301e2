"""What ends hopeless trainings early: a rule that travels with a job, and who makes the rules."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from metaqnn.task import Shape
from replay import Outcome, Trial
from state_space import Architecture

if TYPE_CHECKING:
    from metaqnn.config import RunConfig


@dataclass(frozen=True)
class Progress:
    """A training after some of its epochs.

    Attributes:
        architecture: Of the network, without the recipe's dropout.
        input_shape: (channels, height, width) of the images.
        learning_rate: At the first epoch.
        epochs: How many it takes in full.
        curve: Validation accuracy after each epoch so far, of which there is at least one.
    """

    architecture: Architecture
    input_shape: Shape
    learning_rate: float
    epochs: int
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """A training is hopeless.

    Attributes:
        metrics: What the outcome says of it: `predicted`, the accuracy that it would have reached
            where the rule predicts one, and what else tells how it came about.
        goes_on: It is trained in full all the same, to see whether stopping would have been wrong.
    """

    metrics: dict[str, float]
    goes_on: bool = False


Rule = Callable[[Progress], Verdict | None]
"""Looks at a training after every epoch; picklable, and fixed when its job is submitted."""


class Stopper(ABC):
    """Makes the rules of a search, from what came of its networks; restored by telling it anew."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: "RunConfig") -> Self:
        """The stopper of a run, that has been told nothing yet."""

    @abstractmethod
    def rule(self, trial: Trial) -> Rule | None:
        """The rule of a trial that starts now; None while too little is known."""

    @abstractmethod
    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Take in what came of a distinct network; in the order in which the agent was told."""
