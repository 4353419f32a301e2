"""How many trainings a run has, and what they are for."""

DEFAULT_BUDGET = 70
"""Trainings of a run that says neither budget nor schedule."""

EACH = 8
"""So many trainings of a budget, for each network to confirm, are for confirming,"""

SHARE = 4
"""but no more than one in so many."""


def reserved(budget: int, confirm: int) -> int:
    """How many trainings of a budget are for training the best so many networks again.

    The others are for different networks.
    """
    return min(EACH * confirm, budget // SHARE)
