"""What is learnt: the shape of an example, the outputs, and the score."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from metaqnn.errors import MetaqnnError
from state_space.settings import suggestion

Shape = tuple[int, ...]
"""Of one example's representation: (channels, height, width), or (units,) after FC, GAP and SM."""

IMAGE = 3
"""Dimensions of an image: channels, height and width."""


class Scale(NamedTuple):
    """What people read in the place of a score, and back; both take numbers, arrays and columns.

    Attributes:
        read: Of a score, what people read.
        write: Its inverse.
        factor: What people read changes by so much with the score, where that is always the same.
        is_likelihood: The score is the mean log-likelihood of a token, in nats.
    """

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    factor: float | None = None
    is_likelihood: bool = False

    @property
    def falls(self) -> bool:
        """Whether lower is better for whom who reads."""
        return bool(self.read(1.0) < self.read(0.0))


def _scaled(factor: float, offset: float = 0.0) -> Scale:
    return Scale(
        lambda score: factor * score + offset, lambda shown: (shown - offset) / factor, factor
    )


SCALES = {
    "plain": Scale(lambda score: score, lambda shown: shown, 1.0),
    "negative": _scaled(-1.0),
    "error": _scaled(-1.0, 1.0),
    "perplexity": Scale(
        lambda score: np.exp(-score), lambda shown: -np.log(shown), is_likelihood=True
    ),
    "bits": _scaled(-1 / math.log(2))._replace(is_likelihood=True),
}
"""The score itself; its negative, such as seconds; 1 - accuracy; and of the mean log-likelihood of
a token, in nats, the perplexity or the bits."""


TAKEN = frozenset(
    (
        *("number", "walk", "stage", "digest", "seed", "note", "imported", "refused", "finished"),
        *("reward", "metrics", "curve", "error", "first", "predicted", "rank", "test_error"),
        *("parameters", "multiply_adds", "seconds", "found", "epsilon", "network", "stopped_after"),
        *("trainings", "confirmation", "agent_seconds"),
    )
)
"""Columns of tables beside that of the score."""


@dataclass(frozen=True)
class Score:
    """How good a network is. For programs, as in a curve, higher is always better.

    Only the score knows what a person reads in its place.

    Attributes:
        name: What people read: "validation accuracy", "perplexity".
        column: Its name in tables for programs.
        scale: One of `SCALES`.
        unit: Behind what people read; "%" multiplies it by 100.
        digits: Behind the decimal point.
        chance: The score of a network that has learnt nothing; None where that is not known.
        low: No score is below.
        high: No score is above.
    """

    name: str = "score"
    column: str = "score"
    scale: str = "plain"
    unit: str = ""
    digits: int = 4
    chance: float | None = None
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        """Check scale and column.

        Raises:
            MetaqnnError: There is no such scale, or tables have such a column already.
        """
        if self.column in TAKEN:
            raise MetaqnnError(f"the column of a score cannot be {self.column!r}: tables have one")
        if self.scale not in SCALES:
            raise MetaqnnError(
                f"there is no scale {self.scale!r} of scores{suggestion(self.scale, SCALES)}"
            )

    @property
    def falls(self) -> bool:
        """Whether what people read is better where it is lower."""
        return SCALES[self.scale].falls

    @property
    def is_likelihood(self) -> bool:
        """Whether it is the mean log-likelihood of a token, in nats."""
        return SCALES[self.scale].is_likelihood

    @property
    def factor(self) -> int:
        """Percents count hundredths."""
        return 100 if self.unit == "%" else 1

    def read(self, score: Any) -> Any:
        """What people read of a score, or of a column of scores, percents as hundredths."""
        return SCALES[self.scale].read(score)

    def write(self, shown: Any) -> Any:
        """The score of what people read; the inverse of `read`."""
        return SCALES[self.scale].write(shown)

    def show(self, score: float) -> str:
        """A score for people, with its unit."""
        return self.format(self.read(score))

    def format(self, value: float) -> str:
        """What `read` gave, with its unit."""
        unit = self.unit if self.unit in ("", "%") else f" {self.unit}"
        return f"{self.factor * value:.{self.digits}f}{unit}"

    @property
    def header(self) -> str:
        """Its name in tables for people."""
        return self.column.replace("_", " ")

    @property
    def tested(self) -> str:
        """The column of tests: the share of wrong answers; of what predicts tokens the score."""
        return f"test_{self.column}" if self.is_likelihood else "test_error"

    def show_tested(self, value: float) -> str:
        """A value of that column for people."""
        return self.format(value) if self.is_likelihood else f"{value:.2%}"

    @property
    def word(self) -> str:
        """What the score is, in a word: "accuracy"; its column may be called like the unit."""
        return self.name if self.column == self.unit else self.header

    def draw(self, scores: Any) -> Any:
        """A column of scores as figures draw it: what people read, in its unit."""
        return self.factor * self.read(scores)

    @property
    def label(self) -> str:
        """What `draw` gives, for an axis."""
        return f"{self.name} in {self.unit}" if self.unit else self.name

    def distance(self, best: float, scores: Any) -> Any:
        """By how much people read scores to be worse than the best, in the unit."""
        factor = SCALES[self.scale].factor
        if factor is not None:
            return self.factor * abs(factor) * (best - scores)
        return abs(self.draw(best) - self.draw(scores))


def accuracy(name: str = "validation accuracy", classes: int | None = None) -> Score:
    """The share of right answers, in percent; chance is that of so many classes."""
    return Score(
        name, "accuracy", unit="%", digits=2, chance=1 / classes if classes else None, low=0, high=1
    )


@dataclass(frozen=True)
class Task:
    """What networks learn.

    Attributes:
        shape: Of an example; (channels, height, width) of an image.
        outputs: Their names: of images, the classes.
        score: How good a network is.
    """

    shape: Shape
    outputs: tuple[str, ...]
    score: Score

    @property
    def images(self) -> dict[str, Any]:
        """Shape and classes, as JSON can hold them."""
        return {"shape": list(self.shape), "classes": list(self.outputs)}

    @property
    def record(self) -> dict[str, Any]:
        """The score, as JSON can hold it."""
        return {
            name: value
            for name, value in asdict(self.score).items()
            if isinstance(value, str) or (value is not None and math.isfinite(value))
        }


def classification(shape: Shape, classes: tuple[str, ...], name: str | None = None) -> Task:
    """Images in classes, scored by accuracy; the score may have another name."""
    score = accuracy(classes=len(classes)) if name is None else accuracy(name, len(classes))
    return Task(shape, classes, score)


def read_task(images: Mapping[str, Any], score: Mapping[str, Any] | None) -> Task:
    """The task of what `Task.images` and `Task.record` gave; without a score it is the accuracy.

    Raises:
        KeyError, TypeError, ValueError: It is something else.
    """
    shape, classes = tuple(images["shape"]), tuple(images["classes"])
    if not all(type(size) is int and size > 0 for size in shape):
        raise ValueError(f"the shape must be whole numbers, not {shape!r:.80}")
    if not all(isinstance(name, str) for name in classes):
        raise ValueError(f"the classes must be names, not {classes!r:.80}")
    if not score:
        return classification(shape, classes)
    for name, value in score.items():
        kind = str if name in ("name", "column", "scale", "unit") else (int, float)
        if not isinstance(value, kind):
            raise ValueError(f"{name} of the score is {value!r:.80}")
    return Task(shape, classes, Score(**score))
