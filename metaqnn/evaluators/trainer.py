"""Evaluators that train networks on a data set, which so can be trained anew, and tested."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from metaqnn.evaluators.base import Evaluator
from metaqnn.task import Task

if TYPE_CHECKING:
    import torch


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


class Trainer(Evaluator):
    """Trains networks on a data set.

    Attributes:
        recipes: By which they can be trained in the end.
        search_recipes: Values of the option `recipe` of searches that are of use to others.
        anew: Options that may be others in the end.
    """

    trains = True
    uses_gpu = True
    recipes: ClassVar[tuple[str, ...]]
    search_recipes: ClassVar[tuple[str, ...]] = ()
    anew: ClassVar[tuple[str, ...]]

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

    @abstractmethod
    def in_full(self) -> Self:
        """The same as it trains in the end: its score may then count for nothing."""

    @abstractmethod
    def examination(self) -> Examination | None:
        """What the networks are tested on in the end; None where there is nothing.

        Raises:
            MetaqnnError: It cannot be read.
        """
