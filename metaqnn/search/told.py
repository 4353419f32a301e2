"""What the agent is told of networks where they have several objectives."""

from collections.abc import Iterable
from math import inf

from metaqnn.agents.base import Agent
from metaqnn.objectives.names import untold
from replay import Memory, Outcome, Trial


class Told:
    """What the agent is told: the reward; with objectives, how far it is beyond the front.

    That is the reward less the best one so far of a network that costs no more. It needs no scale
    of costs and no weights. An agent that weighs the costs itself is told the reward.

    The numbers are functions of what was told before, in that order, so that none is kept.
    """

    def __init__(self, objectives: tuple[str, ...], agent: Agent) -> None:
        """Nothing is told yet; the objectives are names of metrics."""
        self.objectives = objectives if agent.costs is None else ()
        self._front: list[tuple[tuple[float, ...], float]] = []
        self._lowest = inf

    def history(self, memory: Memory) -> Iterable[tuple[Trial, float]]:
        """The trials of a memory with what the agent was told of them, in that order."""
        if not self.objectives:
            return memory.history()
        # a list, for the front is to be known to whoever does not look at it
        return [(trial, self.of(outcome, reward)) for trial, outcome, reward in memory.told()]

    def of(self, outcome: Outcome, reward: float) -> float:
        """What the agent is told of an outcome that has this reward.

        Raises:
            MetaqnnError: The outcome has not all of the objectives.
        """
        if not self.objectives:
            return reward
        costs = self._costs(outcome)
        self._lowest = min(self._lowest, reward)
        cheaper = [known for own, known in self._front if _reach(own, costs)]
        gain = reward - max(cheaper, default=self._lowest)
        if gain > 0 or not cheaper:
            left = [one for one in self._front if one[1] > reward or not _reach(costs, one[0])]
            self._front = [*left, (costs, reward)]
        return gain

    def _costs(self, outcome: Outcome) -> tuple[float, ...]:
        if outcome.error is not None:  # nobody knows what it would have been at any cost
            return (inf,) * len(self.objectives)
        for name in self.objectives:
            if name not in outcome.metrics:
                raise untold(name)
        return tuple(outcome.metrics[name] for name in self.objectives)


def _reach(costs: tuple[float, ...], others: tuple[float, ...]) -> bool:
    """Whether none of the costs is above the other one."""
    return all(cost <= other for cost, other in zip(costs, others, strict=True))
