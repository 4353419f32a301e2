"""What an evaluator is, and how it is called so that a failure costs one trial."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from replay import Outcome
from state_space import Architecture


@dataclass(frozen=True)
class Job:
    """What an evaluator gets; picklable.

    Attributes:
        architecture: What to score.
        seed: Of everything random about it.
        keep_above: Return the weights of a network whose score exceeds this.
    """

    architecture: Architecture
    seed: int
    keep_above: float = math.inf


Evaluator = Callable[[Job], Outcome]
"""Scores an architecture; picklable, and its result depends on the job alone."""


def attempt(evaluator: Evaluator, job: Job) -> Outcome:
    """The evaluator's outcome, or one that says why it failed.

    Everything is caught here, on the worker: a network that runs out of memory, diverges or breaks
    a library costs its own trial and nothing else.
    """
    try:
        outcome = evaluator(job)
    except Exception as error:
        reason = " ".join(str(error).split())
        return Outcome(error=f"{type(error).__name__}: {reason}"[:500])
    if not all(map(math.isfinite, outcome.curve)):
        return Outcome(outcome.metrics, error="the score is not a finite number")
    return outcome
