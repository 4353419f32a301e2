"""MetaQNN's agent: tabular Q-learning with an epsilon schedule and experience replay.

Baker et al. 2017, "Designing Neural Network Architectures using Reinforcement Learning",
https://arxiv.org/abs/1611.02167, section 4 and algorithms 1 to 3.
"""

from array import array
from collections.abc import Iterable
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from metaqnn.agents.acquisition import Acquisition
from metaqnn.agents.base import Agent, Proposal
from metaqnn.agents.known import KnownNetworks
from metaqnn.agents.legacy_table import load_q_table, read_q_table
from metaqnn.agents.mutation import mutate
from metaqnn.agents.q_frame import table_frame
from metaqnn.agents.q_options import QLearningOptions
from metaqnn.agents.q_table import QTable, Trajectory
from metaqnn.agents.schedule import EpsilonSchedule
from replay import Trial
from state_space import Space, Token

PAPER = QLearningOptions()

PARENTS = 10
"""So many best networks have variants among the candidates."""


class QLearning(Agent):
    """Epsilon-greedy Q-learning.

    After every trial `sweeps` trajectories are drawn from the replay memory, in which a re-sampled
    network stands several times, and each is swept backwards through the table.
    """

    Options = QLearningOptions
    plans_for_budget = True  # the epsilon schedule is scaled to it

    def __init__(self, space: Space[Any], seed: int, options: QLearningOptions = PAPER) -> None:
        """Without options: the paper's.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            options: How to propose and to learn; the schedule is written out.
        """
        self.space = space
        self.schedule = EpsilonSchedule.parse(options.epsilon_schedule)
        self.options = options
        self.table = QTable(space, options.initial_q)
        self.generator = np.random.default_rng(seed)
        self._replay: list[tuple[Trajectory, float]] = []
        self._replayed = array("d")  # the rewards alone, for their ranks
        self._best: dict[tuple[Token, ...], float] = {}  # PARENTS walks and their rewards
        self.known = KnownNetworks(space)

    @classmethod
    def from_options(cls, options: QLearningOptions, space: Space[Any], seed: int) -> Self:
        """A new agent, with the Q-values of the table that the options name."""
        agent = cls(space, seed, options)
        if options.q_table is not None:
            agent.warm_start(read_q_table(Path(options.q_table)))
        return agent

    @property
    def epsilon(self) -> float:
        """The probability with which the next decision is taken at random."""
        return self.schedule.epsilon(len(self.known.told))

    def ask(self, stage: int = 0) -> Proposal:
        """A walk of which each decision is random with probability epsilon, else the best.

        Of several such candidates, among them variants of the best networks, it is the most
        promising one that is not known yet.
        """
        options, epsilon = self.options, self.epsilon
        if options.candidates == 1 or epsilon == 1:
            walk = self._walk(stage, epsilon, self.table)
        else:
            walk = self._most_promising(stage, epsilon)
        if options.candidates > 1:
            self.known.add(walk)
        return Proposal(walk, {"epsilon": epsilon})

    def _most_promising(self, stage: int, epsilon: float) -> tuple[Token, ...]:
        options = self.options
        acquisition = Acquisition(self.table, options.prior, options.bonus)
        best = list(self._best)
        variants = round(options.variants * options.candidates) if best else 0
        walks = [
            self._walk(stage, epsilon, acquisition) for _ in range(options.candidates - variants)
        ]
        if variants:
            for parent in self.generator.integers(len(best), size=variants).tolist():
                walks.append(mutate(self.space, best[parent], self.generator, stage))
        walks.sort(key=lambda walk: acquisition.promise(self.space, walk, stage), reverse=True)
        new = (walk for walk in walks if self.known.digest(walk) not in self.known)
        return next(new, walks[0])

    def _walk(self, stage: int, epsilon: float, guide: QTable | Acquisition) -> tuple[Token, ...]:
        state = self.space.initial_state(stage)
        walk: list[Token] = []
        while (decision := self.space.decision(state)) is not None:
            options = decision.options
            if self.generator.random() >= epsilon:
                options = guide.best_options(self.space.observation(state), options, len(walk))
            walk.append(options[self.generator.integers(len(options))])
            state = self.space.step(state, walk[-1])
        return tuple(walk)

    def tell(self, trial: Trial, reward: float) -> None:
        """Add the trial to the replay memory and learn from a sample of it."""
        self._remember(trial, reward)
        options = self.options
        count = len(self._replay)
        if options.rank_rewards or options.elite:
            ranks = (pd.Series(np.array(self._replayed)).rank().to_numpy() - 0.5) / count
        if options.elite:
            shares = np.exp(options.elite * ranks)
            numbers = self.generator.choice(count, options.sweeps, p=shares / shares.sum())
        else:
            numbers = self.generator.integers(count, size=options.sweeps)
        for number in numbers.tolist():
            trajectory, reward = self._replay[number]
            if options.rank_rewards:
                reward = float(ranks[number])
            if options.trace or options.credit:
                self.table.sweep_with_traces(
                    trajectory,
                    reward,
                    options.alpha,
                    options.gamma,
                    options.trace,
                    options.credit,
                    shaped=options.shaped,
                )
            else:
                self.table.sweep(
                    trajectory, reward, options.alpha, options.gamma, shaped=options.shaped
                )

    def warm_start(self, frame: pd.DataFrame) -> None:
        """Begin with the Q-values of another table; in either layout."""
        load_q_table(self.table, frame)

    def knowledge(self) -> pd.DataFrame:
        """The Q-table."""
        return table_frame(self.table)

    @property
    def knows(self) -> str:
        """Q-values of rewards, or of their ranks."""
        return "Q-value (rank of the reward)" if self.options.rank_rewards else "Q-value"

    def snapshot(self) -> bytes:
        """Visited Q-values, generator, and what is proposed and not told yet.

        The rest is the history, and the table that the options name.
        """
        others = np.frombuffer(self.known.snapshot(self.generator), dtype=np.uint8)
        _, q = self.table.visited()
        return save_arrays({"visited": q, "others": others})

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Refill the replay memory, which adds the table's rows in their order, then the values."""
        for trial, reward in history:
            self._remember(trial, reward)
        if snapshot is not None:
            arrays = load_arrays(snapshot)
            if "q" in arrays:  # older snapshots have all options of the rows that were met
                self.table.set_values(arrays["q"])
            else:
                indices, _ = self.table.visited()
                values = zip(indices.tolist(), arrays["visited"].tolist(), strict=True)
                self.table.set_pairs(dict(values), {})
            self.generator = self.known.restore(arrays["others"].tobytes())

    def _remember(self, trial: Trial, reward: float) -> None:
        trajectory = self.table.trajectory(trial.walk, trial.stage)
        self.table.visit(trajectory)
        self._replay.append((trajectory, reward))
        self._replayed.append(reward)
        told = {**self._best, trial.walk: reward}
        self._best = dict(nlargest(PARENTS, told.items(), key=itemgetter(1)))
        if not trial.imported:
            self.known.tell(trial.digest)
