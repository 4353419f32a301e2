"""What an evaluator is, and how it is called so that a failure costs one trial."""

import hashlib
import json
import math
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self

from metaqnn.agents.base import Signals
from metaqnn.errors import MetaqnnError
from metaqnn.executors.base import Place
from metaqnn.options import Section
from metaqnn.registry import Table, is_class_of
from metaqnn.stopping.base import StopRule
from metaqnn.task import Score, Task
from replay import Outcome
from replay.schema import check_names
from state_space import Architecture, Space

if TYPE_CHECKING:
    from metaqnn.models.model import Facts


@dataclass(frozen=True)
class Job:
    """What an evaluator gets; picklable.

    Attributes:
        architecture: What to score.
        seed: Of everything random about it.
        keep_above: Return the weights of a network whose reward exceeds this.
        stopping: Ends a training that is hopeless; None trains every network in full.
        reward: What the agent would be told of an outcome.
    """

    architecture: Architecture
    seed: int
    keep_above: float = math.inf
    stopping: StopRule | None = None
    reward: Callable[[Outcome], float] = attrgetter("best")


Evaluate = Callable[[Job], Outcome]
"""Scores an architecture; picklable, and its result depends on the job alone."""


class Evaluator(ABC):
    """An `Evaluate` that can be chosen by name.

    Where the score is noisy and its expectation is known, the outcome's metric `expected` is that.

    Attributes:
        Options: Those that the evaluator owns.
        trains: Whether it trains networks, so that there are epochs and weights.
        uses_gpu: Whether it computes on the device of the run.
        epochs: How many a training takes in full; None where nothing is trained.
        optimum: The highest expected score in the space, where it is known.
        is_bounded: Whether a score beyond the bounds of the task's is a failure.
    """

    Options: ClassVar[type[Section]] = Section
    trains: ClassVar[bool] = False
    uses_gpu: ClassVar[bool] = False
    is_bounded: ClassVar[bool] = True
    epochs: int | None = None
    optimum: float | None = None

    @classmethod
    @abstractmethod
    def task(cls, options: Any, made_for: Task, *, trains: bool = True) -> Task:
        """What the networks of a run learn.

        Args:
            options: Of the evaluator.
            made_for: What the space was made for.
            trains: Whether any network is to be scored; else nothing large need be read.

        Raises:
            MetaqnnError: A file that tells is not there or broken.
        """

    @classmethod
    @abstractmethod
    def from_options(cls, options: Any, space: Space[Any], task: Task, place: Place) -> Self:
        """The evaluator of a run.

        Args:
            options: Its own.
            space: Of the run.
            task: As `task` gave it.
            place: Where a worker computes.

        Raises:
            MetaqnnError: It does not fit the space, or a file that it needs is not there or broken.
        """

    @abstractmethod
    def __call__(self, job: Job) -> Outcome:
        """Score the job's architecture."""

    def data(self) -> Mapping[str, Any] | None:
        """What the networks learn from, for JSON: `lines` for people, and a `fingerprint`."""
        return None

    def check(self, task: Task, data: Mapping[str, Any] | None = None) -> None:  # noqa: B027  # none is needed
        """See whether all is there that scoring needs, and is that of the run; most need nothing.

        Args:
            task: Of the run.
            data: What `data` gave when the run was made, where that is known.

        Raises:
            MetaqnnError: It is not.
        """

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """What a network is known to cost before it is scored, where it cannot be built."""
        return {}

    def tells(self, metric: str) -> bool:
        """Whether its outcomes have a metric, as far as it knows; else the first one shows."""
        return True

    def signals(self) -> Signals:
        """What tells of the networks before they are trained, in this process.

        Raises:
            MetaqnnError: Nothing does, for no network is built.
        """
        raise MetaqnnError(
            "zero-cost looks at networks before they are trained, which only --evaluator train "
            "builds; here they have none"
        )

    def export_facts(self, network: str, task: Task) -> "Facts":
        """What the export of a network will say of it, but for what only its training tells.

        Args:
            network: Its text.
            task: Of the run.
        """
        from metaqnn.models.model import Facts  # torch is imported where networks are built

        channels = task.shape[0]
        return Facts(network, task.shape, task.outputs, (0.0,) * channels, (1.0,) * channels)

    def with_data(self) -> "Evaluator":
        """The same, with the content of all files that it needs, to be sent to other machines."""
        return self

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a person should know of it before trusting its scores.

        `content` is the fingerprint of a file that it read: a run goes on with the same only.
        """
        return {}

    @classmethod
    def describe(cls, options: Any, task: Task) -> str:
        """What the networks learn from, in words."""
        return "those of the evaluator" if cls.trains else "none: nothing is trained"

    @classmethod
    def stem(cls, options: Any, space: str) -> str:
        """What folders of runs are called, with a number behind it."""
        return space


EVALUATORS: Table[type[Evaluator]] = Table(
    "evaluator",
    {
        "train": "metaqnn.evaluators.train:TrainEvaluator",
        "table": "metaqnn.evaluators.table:TableEvaluator",
        "surrogate": "metaqnn.evaluators.surrogate:SurrogateEvaluator",
        "bandit": "metaqnn.evaluators.bandit:BanditEvaluator",
        "language": "metaqnn.evaluators.language:LanguageEvaluator",
    },
    "metaqnn.evaluators",
    lambda found: is_class_of(Evaluator)(found) or not isinstance(found, type),
)


@dataclass(frozen=True)
class FunctionEvaluator(Evaluator):
    """Any function of a job: it returns its score, the scores of its epochs, or an `Outcome`.

    Attributes:
        function: Picklable, where other processes shall call it.
    """

    function: Callable[[Job], Outcome | float | Sequence[float]]

    @classmethod
    def task(cls, options: Any, made_for: Task, *, trains: bool = True) -> Task:
        """That for which the space was made, with a score of which nothing is known."""
        return Task(made_for.shape, made_for.outputs, Score())

    @classmethod
    def from_options(cls, options: Any, space: Space[Any], task: Task, place: Place) -> Self:
        """A function is given itself.

        Raises:
            MetaqnnError: Always.
        """
        raise MetaqnnError("the function that scores the networks is not known here")

    def __call__(self, job: Job) -> Outcome:
        """What the function makes of the job."""
        found = self.function(job)
        if isinstance(found, Outcome):
            return found
        if isinstance(found, Sequence) or getattr(found, "ndim", 0) == 1:
            values: Any = found
            return Outcome(curve=tuple(values))
        return Outcome(curve=(found,))


def find_evaluator(name: str) -> type[Evaluator]:
    """The class of an evaluator, which of a function is `FunctionEvaluator`.

    Raises:
        MetaqnnError: There is no such evaluator.
    """
    found = EVALUATORS.find(name)
    return found if isinstance(found, type) else FunctionEvaluator


def fingerprint(content: Any) -> str:
    """16 hexadecimal digits over anything that JSON can hold."""
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()


def attempt(evaluator: Evaluate, job: Job, score: Score | None = None) -> Outcome:
    """The evaluator's outcome, or one that says why it failed; beyond the score's bounds is that.

    Everything is caught here, on the worker: a network that runs out of memory, diverges or breaks
    a library costs its own trial and nothing else.
    """
    try:
        outcome = plain_outcome(evaluator(job))
    except Exception as error:
        reason = " ".join(str(error).split())
        text = "".join(traceback.format_exception(error))
        return Outcome(error=f"{type(error).__name__}: {reason}"[:500], traceback=text)
    if outcome.error is None and outcome.is_measured and not outcome.curve:
        return replace(outcome, error="the evaluator returned no score")
    if not all(map(math.isfinite, outcome.curve)):
        return Outcome(outcome.metrics, error="the score is not a finite number")
    if score is not None and getattr(evaluator, "is_bounded", True):
        for value in outcome.curve:
            if not score.low <= value <= score.high:
                told = f"the score is {value:g}, not from {score.low:g} to {score.high:g}"
                return Outcome(outcome.metrics, error=told)
    return outcome


def plain_outcome(outcome: Outcome) -> Outcome:
    """The same in Python's own numbers; what numpy and torch have for one number is taken as that.

    Raises:
        TypeError: Something is no number; the message names it.
        ValueError: A metric has the name of a column.
    """
    if not isinstance(outcome, Outcome):
        raise TypeError(f"the evaluator returned {outcome!r:.100}, which is no Outcome")
    if not isinstance(outcome.curve, Iterable) or isinstance(outcome.curve, str):
        raise TypeError(f"the curve is {outcome.curve!r:.100}, not a sequence of numbers")
    check_names(outcome.metrics, "metric")
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
