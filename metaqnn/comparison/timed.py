"""How long an agent itself takes."""

import time
from collections.abc import Iterable

import pandas as pd

from metaqnn.agents.base import Agent, Proposal
from metaqnn.search.events import Event
from replay import Trial


class TimedAgent(Agent):
    """An agent that counts the processor seconds of its proposals and of what it learns.

    Attributes:
        seconds: So far.
    """

    def __init__(self, agent: Agent) -> None:
        """Nothing is counted yet."""
        self.agent = agent
        self.plans_for_budget = agent.plans_for_budget
        self.decides_stage = agent.decides_stage
        self.learns = agent.learns
        self.costs = agent.costs
        self.seconds = 0.0
        self._until: dict[int, float] = {}

    def ask(self, stage: int = 0) -> Proposal:
        """Propose a network."""
        began = time.process_time()
        proposal = self.agent.ask(stage)
        self.seconds += time.process_time() - began
        return proposal

    def tell(self, trial: Trial, reward: float) -> None:
        """Learn of a finished trial."""
        began = time.process_time()
        self.agent.tell(trial, reward)
        self.seconds += time.process_time() - began

    def snapshot(self) -> bytes:
        """That of the agent; it is the memory's, and not counted."""
        return self.agent.snapshot()

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Restore the agent."""
        self.agent.restore(snapshot, history)

    def observe(self, event: Event) -> None:
        """Note how much there is when a trial has ended."""
        self._until[event.trial.number] = self.seconds

    def between(self, numbers: "pd.Series[int]") -> "pd.Series[float]":
        """The seconds from the trial before to each of these, which have ended, by their index."""
        found = numbers.map(self._until)
        return found.diff().fillna(found).round(6)
