"""What happens in a search."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from replay import Outcome, Trial


@dataclass(frozen=True)
class Event:
    """A trial has finished.

    Attributes:
        trial: Which.
        outcome: What came of it.
        reward: What the agent was told.
        trained: Trainings so far: of distinct networks, and of the best of them again.
        is_new: Whether it was one; else an equal network was trained before.
    """

    trial: Trial
    outcome: Outcome
    reward: float
    trained: int
    is_new: bool


def count_repeats(told: Iterable[Trial], refused: Iterable[Trial]) -> int:
    """How many of the last trials brought nothing new."""
    seen = {trial.digest for trial in refused}
    repeats = 0
    for trial in sorted([*told, *refused], key=attrgetter("number")):
        repeats = repeats + 1 if trial.digest in seen else 0
        seen.add(trial.digest)
    return repeats
