"""What happens in a search."""

from dataclasses import dataclass

from replay import Outcome, Trial


@dataclass(frozen=True)
class Event:
    """A trial has finished.

    Attributes:
        trial: Which.
        outcome: What came of it.
        reward: What the agent was told.
        trained: Distinct networks trained so far.
        is_new: False where an equal network was trained before.
    """

    trial: Trial
    outcome: Outcome
    reward: float
    trained: int
    is_new: bool
