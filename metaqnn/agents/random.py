"""Random search: the control that every other agent must beat."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from metaqnn.agents.base import Agent, Proposal, generator_from_bytes, generator_to_bytes
from replay import Trial
from state_space import Space, random_walk

if TYPE_CHECKING:
    from metaqnn.config import RunConfig


class RandomSearch(Agent):
    """Takes every legal option with the same probability and learns nothing."""

    def __init__(self, space: Space[Any], seed: int) -> None:
        """Draw from a generator of this seed."""
        self.space = space
        self.generator = np.random.default_rng(seed)

    @classmethod
    def from_config(cls, config: "RunConfig", space: Space[Any]) -> Self:
        """The agent of a run."""
        return cls(space, config.seed)

    def ask(self, stage: int = 0) -> Proposal:
        """A random walk."""
        return Proposal(random_walk(self.space, self.generator, stage))

    def tell(self, trial: Trial, reward: float) -> None:
        """Nothing is learnt."""

    def snapshot(self) -> bytes:
        """The generator."""
        return generator_to_bytes(self.generator)

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Take the generator back."""
        if snapshot is not None:
            self.generator = generator_from_bytes(snapshot)
