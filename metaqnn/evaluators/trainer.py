"""Evaluators that train networks on a data set, which so can be trained anew, and tested."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.evaluators.best import Best, Scale
from metaqnn.executors.base import Place
from metaqnn.objectives.names import LATENCY
from metaqnn.task import Task
from replay import Outcome
from state_space import Architecture

if TYPE_CHECKING:
    import torch

    from metaqnn.data.images import Images


class Examination(ABC):
    """The test part of a data set, which is opened when the search is over."""

    @property
    @abstractmethod
    def fingerprint(self) -> Any:
        """What it is known by, for JSON."""

    @abstractmethod
    def answer(self, weights: Path, device: "torch.device") -> np.ndarray:
        """What a network answers: probabilities, whose mean over networks is their ensemble's.

        Args:
            weights: The file of the network.
            device: Where to compute.
        """

    @abstractmethod
    def measure(self, answers: np.ndarray) -> dict[str, float]:
        """What answers are worth: the column `Score.tested`, its 95 % interval low and high, more.

        All are as people read them, shares as such.
        """

    def count(self, answers: np.ndarray) -> pd.DataFrame | None:
        """How many examples of each class got each answer; None where there are no classes."""
        return None

    def warnings(self) -> list[str]:
        """What looks wrong about it, beside what the networks learn from."""
        return []

    @abstractmethod
    def tell(self, measured: Mapping[str, float]) -> str:
        """What `measure` gave, in words."""


class Lesson(ABC):
    """A network that is trained by itself.

    Attributes:
        name: What people call the network.
        epochs: How many it takes in full.
        notes: What a person should know beforehand, a line each.
    """

    name: str
    epochs: int
    notes: tuple[str, ...]

    @abstractmethod
    def train(self, job: Job) -> Outcome:
        """Train it.

        Args:
            job: Whose architecture counts for nothing.
        """

    @abstractmethod
    def tell(self, outcome: Outcome) -> str:
        """How large it is, and what the training took."""

    def warnings(self, outcome: Outcome) -> list[str]:
        """What went wrong, and what to try."""
        return []

    @abstractmethod
    def examination(self) -> Examination | None:
        """As `Trainer.examination`."""

    @abstractmethod
    def show(self, score: float) -> str:
        """A score on the validation part for people, with what it is."""

    @abstractmethod
    def check_target(self, target: Path) -> None:
        """See whether the network could be written to a file, before it is trained for hours.

        Raises:
            MetaqnnError: It cannot.
        """

    @abstractmethod
    def write(self, weights: Path, target: Path) -> None:
        """Write the trained network in the format of the target's suffix.

        Args:
            weights: The file with the weights of the outcome.
            target: The file to write.

        Raises:
            MetaqnnError: It cannot be written.
        """


NO_TIME = "time-limit is for runs that train networks on a data set"


class Trainer(Evaluator):
    """Trains networks on a data set.

    Attributes:
        recipes: By which they can be trained in the end.
        search_recipes: Values of the option `recipe` of searches that are of use to others.
        anew: Options that may be others in the end.
        keeps_last: What counts in the end are the weights of the last epoch, not of the best.
        whole_data: What they are trained on in the end, in words.
        recipe: How it trains.
    """

    trains = True
    uses_gpu = True
    recipes: ClassVar[tuple[str, ...]]
    search_recipes: ClassVar[tuple[str, ...]] = ()
    anew: ClassVar[tuple[str, ...]]
    keeps_last: ClassVar[bool] = False
    whole_data: ClassVar[str] = "all data"
    recipe: Any

    @classmethod
    @abstractmethod
    def preset(
        cls, options: Any, task: Task, recipe: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The options of a training by one of `recipes`.

        Args:
            options: Of the search.
            task: Of the search.
            recipe: Its name.
            given: What is to be different.
        """

    @classmethod
    @abstractmethod
    def lesson(
        cls,
        options: Any,
        network: str | None,
        init_from: Path | None,
        place: Place,
        *,
        final: bool,
    ) -> Lesson:
        """A network of somebody's own, to be trained by itself.

        Args:
            options: With those of the recipe.
            network: Its text or name; None is that of the file.
            init_from: A file of weights to begin with.
            place: Where.
            final: It is tested in the end, and learns from all that it may.

        Raises:
            MetaqnnError: There is no such network, or it does not fit the data set.
        """

    def tells(self, metric: str) -> bool:
        """Not the latency, which is measured before a training."""
        return metric != LATENCY

    @abstractmethod
    def by(self, recipe: Any) -> Self:
        """The same by another recipe of its kind."""

    @abstractmethod
    def with_data(self) -> "Trainer":
        """The same, with its data, to be sent to other machines."""

    @abstractmethod
    def in_full(self) -> Self:
        """The same as it trains in the end: its score may then count for nothing."""

    @abstractmethod
    def examination(self) -> Examination | None:
        """What the networks are tested on in the end; None where there is nothing.

        Raises:
            MetaqnnError: It cannot be read.
        """

    def plan_search(
        self, seconds: float, network: Architecture, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The options of a search whose trainings take about so many seconds.

        Args:
            seconds: Of each.
            network: As large as those of the search.
            given: Options that stay as they are.

        Raises:
            MetaqnnError: Its trainings cannot be planned so.
        """
        raise MetaqnnError(NO_TIME)

    def plan_last(self, best: Best) -> tuple[dict[str, Any], Scale]:
        """The options of a training as large and long as the time allows, and the scale.

        Raises:
            MetaqnnError: See `plan_search`.
        """
        raise MetaqnnError(NO_TIME)

    def noise(self, score: float) -> float:
        """By how much two networks of a score differ by chance: twice the deviation."""
        return 0.0

    def calibration(self) -> "tuple[Images, Images | None]":
        """The images for training, and those for testing, None where there are none.

        Raises:
            MetaqnnError: Its networks read no images, or these are not there.
        """
        raise MetaqnnError("int8 is for networks that read images")
