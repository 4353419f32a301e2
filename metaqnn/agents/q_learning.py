"""MetaQNN's agent: tabular Q-learning with an epsilon schedule and experience replay.

Baker et al. 2017, "Designing Neural Network Architectures using Reinforcement Learning",
https://arxiv.org/abs/1611.02167, section 4 and algorithms 1 to 3.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from metaqnn.agents.base import Agent, Proposal, generator_from_bytes, generator_to_bytes
from metaqnn.agents.legacy_table import load_q_table
from metaqnn.agents.q_table import QTable, Trajectory
from metaqnn.agents.schedule import EpsilonSchedule
from replay import Trial
from state_space import Space

if TYPE_CHECKING:
    from metaqnn.config import RunConfig


class QLearning(Agent):
    """Epsilon-greedy Q-learning.

    After every trial `sweeps` trajectories are drawn uniformly from the replay memory, in which a
    re-sampled network stands several times, and each is swept backwards through the table.
    """

    plans_for_budget = True  # the epsilon schedule is scaled to it

    def __init__(
        self,
        space: Space[Any],
        schedule: EpsilonSchedule,
        seed: int,
        *,
        alpha: float = 0.01,
        gamma: float = 1.0,
        initial_q: float = 0.5,
        sweeps: int = 100,
    ) -> None:
        """Defaults are the paper's; its code sweeps 128 trajectories.

        Args:
            space: Where to search.
            schedule: Epsilon by the number of distinct networks trained.
            seed: Of the agent's generator.
            alpha: Learning rate.
            gamma: Discount.
            initial_q: Q-value of what is not learnt yet.
            sweeps: Trajectories replayed after each trial.
        """
        self.space = space
        self.schedule = schedule
        self.alpha = alpha
        self.gamma = gamma
        self.sweeps = sweeps
        self.table = QTable(space, initial_q)
        self.generator = np.random.default_rng(seed)
        self._replay: list[tuple[Trajectory, float]] = []
        self._trained: set[str] = set()

    @classmethod
    def from_config(cls, config: "RunConfig", space: Space[Any]) -> Self:
        """The agent of a run."""
        options = config.q_learning
        return cls(
            space,
            EpsilonSchedule.parse(config.epsilon_schedule),
            config.seed,
            alpha=options.alpha,
            gamma=options.gamma,
            initial_q=options.initial_q,
            sweeps=options.sweeps,
        )

    @property
    def epsilon(self) -> float:
        """The probability with which the next decision is taken at random."""
        return self.schedule.epsilon(len(self._trained))

    def ask(self, stage: int = 0) -> Proposal:
        """A walk of which each decision is random with probability epsilon, else the best."""
        epsilon = self.epsilon
        state = self.space.initial_state(stage)
        walk = []
        while (decision := self.space.decision(state)) is not None:
            options = decision.options
            if self.generator.random() >= epsilon:
                options = self.table.best_options(self.space.observation(state), options)
            walk.append(options[self.generator.integers(len(options))])
            state = self.space.step(state, walk[-1])
        return Proposal(tuple(walk), {"epsilon": epsilon})

    def greedy(self) -> Proposal:
        """The walk of the highest Q-values, ties broken by order; changes nothing."""
        state = self.space.initial_state()
        walk = []
        while (decision := self.space.decision(state)) is not None:
            best = self.table.best_options(self.space.observation(state), decision.options)
            walk.append(best[0])
            state = self.space.step(state, walk[-1])
        return Proposal(tuple(walk), {"epsilon": 0.0})

    def tell(self, trial: Trial, reward: float) -> None:
        """Add the trial to the replay memory and learn from a sample of it."""
        self._remember(trial, reward)
        for number in self.generator.integers(len(self._replay), size=self.sweeps).tolist():
            trajectory, drawn_reward = self._replay[number]
            self.table.sweep(trajectory, drawn_reward, self.alpha, self.gamma)

    def warm_start(self, frame: pd.DataFrame) -> None:
        """Begin with the Q-values of another table; in either layout."""
        load_q_table(self.table, frame)

    def snapshot(self) -> bytes:
        """Q-values and generator; the replay memory is the history."""
        generator = np.frombuffer(generator_to_bytes(self.generator), dtype=np.uint8)
        return save_arrays({"q": self.table.q, "generator": generator})

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Refill the replay memory, which adds the table's rows in their order, then the values."""
        for trial, reward in history:
            self._remember(trial, reward)
        if snapshot is not None:
            arrays = load_arrays(snapshot)
            self.table.set_values(arrays["q"])
            self.generator = generator_from_bytes(arrays["generator"].tobytes())

    def _remember(self, trial: Trial, reward: float) -> None:
        trajectory = self.table.trajectory(trial.walk, trial.stage)
        self.table.visit(trajectory)
        self._replay.append((trajectory, reward))
        if not trial.imported:
            self._trained.add(trial.digest)
