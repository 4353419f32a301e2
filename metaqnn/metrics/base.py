"""What a metric is, and which there are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from metaqnn.registry import Table
from metaqnn.task import Score

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Metric:
    """How good answers are, from 0 to 1; 1 is all right.

    Attributes:
        name: What people read, such as "balanced accuracy".
        measure: Of labels and answers, of at least one image, both of shape (images,).
        every_class: Whether each class has the same weight, however rare it is; else each image
            has.
    """

    name: str
    measure: Callable[[Whole, Whole], float]
    every_class: bool = False

    @property
    def column(self) -> str:
        """Its name in tables for programs."""
        return self.name.lower().replace(" ", "_")

    def score(self, classes: int) -> Score:
        """The score of networks that tell so many classes apart."""
        chance = self.chance(classes)
        name = f"validation {self.name}"
        return Score(name, self.column, unit="%", digits=2, chance=chance, low=0, high=1)

    def chance(self, classes: int) -> float:
        """What an answer that never changes gets where all classes are equally frequent."""
        return self.measure(np.arange(classes), np.zeros(classes, np.int64))

    def constant(self, counts: Whole) -> float:
        """What an answer that never changes gets, that of the commonest class.

        Args:
            counts: How many images each class has.
        """
        labels = np.repeat(np.arange(len(counts)), counts)
        return self.measure(labels, np.full_like(labels, counts.argmax()))

    def images(self, counts: Whole) -> float:
        """So many images, if all had the same weight, would have as much noise.

        The variance of a mean of shares that are all p is the sum of p (1 - p) / images of a class,
        over the square of the number of classes.

        Args:
            counts: How many images each class has.
        """
        if not self.every_class:
            return int(counts.sum())
        there = counts[counts > 0]
        return float(len(there) ** 2 / (1 / there).sum())


METRICS: Table[Metric] = Table(
    "metric",
    {
        "accuracy": "metaqnn.metrics.accuracy:ACCURACY",
        "balanced-accuracy": "metaqnn.metrics.balanced_accuracy:BALANCED_ACCURACY",
        "macro-f1": "metaqnn.metrics.macro_f1:MACRO_F1",
    },
    "metaqnn.metrics",
    lambda found: isinstance(found, Metric),
)
