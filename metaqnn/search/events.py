"""What happens in a search, and what happened elsewhere."""

from dataclasses import dataclass

from replay import Outcome, Trial
from state_space import Token

Experience = tuple[tuple[Token, ...], Outcome]
"""A walk, and what came of it elsewhere."""


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
