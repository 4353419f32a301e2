"""What ends hopeless trainings early: a rule that travels with a job, and who makes the rules."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.options import Section
from metaqnn.registry import Table
from metaqnn.task import Score
from replay import Outcome, Trial


@dataclass(frozen=True)
class Progress:
    """A training after some of its epochs.

    Attributes:
        metrics: What is known of the network before it is trained: nodes, parameters,
            multiply_adds, learning_rate (at the first epoch); those that an evaluator has.
        epochs: How many it takes in full.
        curve: The score after each epoch so far, of which there is at least one.
    """

    metrics: Mapping[str, float]
    epochs: int
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """A training is hopeless.

    Attributes:
        metrics: What the outcome says of it: `predicted`, the score that it would have reached
            where the rule predicts one, and what else tells how it came about.
        goes_on: It is trained in full all the same, to see whether stopping would have been wrong.
    """

    metrics: dict[str, float]
    goes_on: bool = False


StopRule = Callable[[Progress], Verdict | None]
"""Looks at a training after every epoch; picklable, and fixed when its job is submitted."""


class Stopper(ABC):
    """Makes the rules of a search, from what came of its networks; restored by telling it anew.

    Attributes:
        Options: Those that the stopper owns.
    """

    Options: ClassVar[type[Section]] = Section

    @classmethod
    @abstractmethod
    def from_options(cls, options: Any, epochs: int, score: Score) -> Self:
        """A stopper that has been told nothing yet.

        Args:
            options: Its own.
            epochs: How many a training takes in full.
            score: Of the trainings.
        """

    @abstractmethod
    def rule(self, trial: Trial) -> StopRule | None:
        """The rule of a trial that starts now; None while too little is known."""

    @abstractmethod
    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Take in what came of a distinct network; in the order in which the agent was told."""


STOPPERS: Table[type[Stopper]] = Table(
    "stopper",
    {
        "predictor": "metaqnn.stopping.predictor:Predictor",
        "halving": "metaqnn.stopping.halving:Halving",
    },
)


class StoppingOptions(Section):
    """Which trainings end early, because they are hopeless."""

    HEADING: ClassVar = "Trainings that end early"

    predictor: bool = Field(False, description="End a training whose predicted score is hopeless.")
    halving: bool = Field(
        False,
        description="End a training that is not among the best at a rung: asynchronous "
        "successive halving.",
    )

    @field_validator("halving")
    @classmethod
    def _alone(cls, halving: bool, info: ValidationInfo) -> bool:
        if halving and info.data.get("predictor"):
            raise PydanticCustomError("alone", "Cannot be combined with --predictor")
        return halving
