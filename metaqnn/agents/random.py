"""Random search: the control that every other agent must beat."""

from typing import Any

import numpy as np

from metaqnn.agents.base import Agent, Proposal
from replay import Trial
from state_space import Space, random_walk


class RandomSearch(Agent):
    """Takes every legal option with the same probability and learns nothing."""

    learns = False

    def __init__(self, space: Space[Any], seed: int) -> None:
        """Draw from a generator of this seed."""
        self.space = space
        self.generator = np.random.default_rng(seed)

    def ask(self, stage: int = 0) -> Proposal:
        """A random walk."""
        return Proposal(random_walk(self.space, self.generator, stage))

    def tell(self, trial: Trial, reward: float) -> None:
        """Nothing is learnt."""
