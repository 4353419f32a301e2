"""The latency of networks, which is measured before they are trained, each once."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from metaqnn.errors import NoLatency
from metaqnn.objectives.names import LATENCY, untold
from metaqnn.search.rules import Rules
from replay import Memory, Outcome
from state_space import Architecture


class Latencies:
    """The latencies of a search's networks, in its memory as soon as they are measured.

    Where its rules measure none there are none.
    """

    def __init__(self, memory: Memory, rules: Rules) -> None:
        """Know those that are in the memory."""
        self.memory = memory
        self.rules = rules

    def refuse(self, architecture: Architecture) -> str | None:
        """Why a network is not to be trained, None if it is; it is measured if it never was.

        Raises:
            Exception: Something else than the network keeps it from being measured.
        """
        reason, timing = self.rules.refuse(architecture), self.rules.timing
        if reason is not None or timing is None:
            return reason
        latency = self.memory.measured(LATENCY, architecture.digest)
        if latency is None:
            try:
                latency = timing.measure(architecture)
            except NoLatency as error:
                return f"its latency cannot be measured: {error}"
            self.memory.keep_measured(LATENCY, architecture.digest, latency)
        return timing.refuse(latency)

    def keep(self, digest: str, latency: float | None) -> None:
        """Take in what was measured elsewhere, where it is known and no other is."""
        if self.rules.timing and self.known(digest) is None and latency is not None and latency > 0:
            self.memory.keep_measured(LATENCY, digest, latency)

    def of(self, digest: str) -> dict[str, float]:
        """The metric of a network, by its digest, as far as it is known."""
        known = self.known(digest)
        return {} if known is None else {LATENCY: known}

    def known(self, digest: str) -> float | None:
        """The latency of a network in seconds; None where it is not known or nobody asks for it."""
        return None if self.rules.timing is None else self.memory.measured(LATENCY, digest)

    def add(self, digest: str, outcome: Outcome) -> Outcome:
        """The outcome of a network with its latency; one that the evaluator told stays.

        Raises:
            MetaqnnError: Neither tells it, and it is needed.
        """
        found = _with(self.of(digest), outcome)
        if self.rules.needs_latency and found.error is None and LATENCY not in found.metrics:
            raise untold(LATENCY)
        return found

    def reward(self, digest: str) -> Callable[[Outcome], float]:
        """The reward of a network's outcomes that do not have its latency yet; picklable."""
        known = self.of(digest)
        return partial(_reward, self.rules.reward, known) if known else self.rules.reward


def _with(known: dict[str, float], outcome: Outcome) -> Outcome:
    return replace(outcome, metrics={**known, **outcome.metrics}) if known else outcome


def _reward(reward: Callable[[Outcome], float], known: dict[str, float], outcome: Outcome) -> float:
    return reward(_with(known, outcome))
