"""What an evaluator is, and how it is called so that a failure costs one trial."""

import hashlib
import json
import math
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from metaqnn.networks.cost import Shape
from metaqnn.stopping.base import Rule
from replay import Outcome
from state_space import Architecture, Space

if TYPE_CHECKING:
    from metaqnn.config import RunConfig


@dataclass(frozen=True)
class Job:
    """What an evaluator gets; picklable.

    Attributes:
        architecture: What to score.
        seed: Of everything random about it.
        keep_above: Return the weights of a network whose score exceeds this.
        stopping: Ends a training that is hopeless; None trains every network in full.
    """

    architecture: Architecture
    seed: int
    keep_above: float = math.inf
    stopping: Rule | None = None


Evaluate = Callable[[Job], Outcome]
"""Scores an architecture; picklable, and its result depends on the job alone."""


class Evaluator(ABC):
    """An `Evaluate` that can be chosen by name.

    Where the score is noisy and its expectation is known, the outcome's metric `expected` is that.

    Attributes:
        optimum: The highest expected score in the space, where it is known.
    """

    optimum: float | None = None

    @classmethod
    @abstractmethod
    def from_config(cls, config: "RunConfig", space: Space[Any], input_shape: Shape) -> Self:
        """The evaluator of a run.

        Raises:
            MetaqnnError: It does not fit the space, or a file that it needs is not there or broken.
        """

    @abstractmethod
    def __call__(self, job: Job) -> Outcome:
        """Score the job's architecture."""

    def with_data(self) -> "Evaluator":
        """The same, with the content of all files that it needs, to be sent to other machines."""
        return self

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a person should know of it before trusting its scores.

        `content` is the fingerprint of a file that it read: a run goes on with the same only.
        """
        return {}


def fingerprint(content: Any) -> str:
    """16 hexadecimal digits over anything that JSON can hold."""
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()


def attempt(evaluator: Evaluate, job: Job) -> Outcome:
    """The evaluator's outcome, or one that says why it failed.

    Everything is caught here, on the worker: a network that runs out of memory, diverges or breaks
    a library costs its own trial and nothing else.
    """
    try:
        outcome = plain_outcome(evaluator(job))
    except Exception as error:
        reason = " ".join(str(error).split())
        text = "".join(traceback.format_exception(error))
        return Outcome(error=f"{type(error).__name__}: {reason}"[:500], traceback=text)
    if not all(map(math.isfinite, outcome.curve)):
        return Outcome(outcome.metrics, error="the score is not a finite number")
    return outcome


def plain_outcome(outcome: Outcome) -> Outcome:
    """The same in Python's own numbers; what numpy and torch have for one number is taken as that.

    Raises:
        TypeError: Something is no number; the message names it.
    """
    if not isinstance(outcome, Outcome):
        raise TypeError(f"the evaluator returned {outcome!r:.100}, which is no Outcome")
    if not isinstance(outcome.curve, Iterable) or isinstance(outcome.curve, str):
        raise TypeError(f"the curve is {outcome.curve!r:.100}, not a sequence of numbers")
    curve = (
        _plain(f"the score of epoch {epoch}", value) for epoch, value in enumerate(outcome.curve, 1)
    )
    metrics = {
        name: _plain(f"the metric {name!r}", value) for name, value in outcome.metrics.items()
    }
    return replace(outcome, metrics=metrics, curve=tuple(curve))


def _plain(name: str, value: Any) -> float:
    single = getattr(value, "ndim", None) == 0
    plain = value.item() if single else value
    if not isinstance(plain, int | float):
        raise TypeError(f"{name} is {value!r:.100}, which is no number")
    return plain
