"""Networks that fail: what the agent is told of them, and when they are too many."""

from collections.abc import Iterable

from metaqnn.errors import SearchStopped
from metaqnn.search.rules import Rules
from replay import Outcome

MOST_FAILURES = 10
"""So many networks that fail in a row stop the search: something else is broken."""


class Failures:
    """Makes rewards of outcomes, and counts the failures in a row."""

    def __init__(self, rules: Rules, rewards: Iterable[float]) -> None:
        """Go on after these rewards."""
        self.rules = rules
        self.lowest = min(rewards, default=0.0)
        self.in_a_row = 0

    def reward(self, outcome: Outcome) -> float:
        """The reward of an outcome: of a network that failed the rules', or the lowest so far."""
        if outcome.error is None:
            reward = self.rules.reward(outcome)
        else:
            failed = self.rules.failure_reward
            reward = self.lowest if failed is None else failed
        self.lowest = min(self.lowest, reward)
        return reward

    def count(self, outcome: Outcome) -> None:
        """Take in one more training.

        Raises:
            SearchStopped: It is the tenth in a row that failed.
        """
        self.in_a_row = 0 if outcome.error is None else self.in_a_row + 1
        if self.in_a_row >= MOST_FAILURES:
            stopped = SearchStopped(
                f"{MOST_FAILURES} networks in a row failed, the last one with: {outcome.error}"
            )
            if outcome.traceback:
                stopped.add_note(outcome.traceback)
            raise stopped
