"""An agent that varies the best network, or jumps to another one."""

from typing import Any

import numpy as np

from metaqnn.agents.base import Agent, Proposal
from metaqnn.options import Probability, Section
from replay import Trial
from state_space import Space, random_walk


class ClimberOptions(Section):
    """How often it jumps."""

    jump: Probability = 0.2


class Climber(Agent):
    """Chooses anew from one place of the best walk on."""

    Options = ClimberOptions

    def __init__(self, space: Space[Any], seed: int, options: ClimberOptions | None = None) -> None:
        """Know no network."""
        self.space = space
        self.generator = np.random.default_rng(seed)
        self.jump = (options or ClimberOptions()).jump
        self.best: tuple[str, ...] = ()
        self.reward = -np.inf

    def ask(self, stage: int = 0) -> Proposal:
        """A variant of the best walk."""
        walk = random_walk(self.space, self.generator, stage)
        jumps = self.generator.random() < self.jump
        if jumps or not self.best:
            return Proposal(walk, {"jumped": 1.0})
        place = self.generator.integers(len(self.best))
        decision = self.space.decision(self.best[:place])
        assert decision is not None, "the walk goes on"
        token = str(self.generator.choice(decision.options))
        return Proposal((*self.best[:place], token, *self.best[place + 1 :]), {"jumped": 0.0})

    def tell(self, trial: Trial, reward: float) -> None:
        """Remember the best."""
        if reward > self.reward:
            self.best, self.reward = trial.walk, reward
