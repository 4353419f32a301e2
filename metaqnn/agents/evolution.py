"""Regularised evolution: the best of a few mutates, the oldest of all dies.

Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search",
https://arxiv.org/abs/1802.01548, algorithm 1.
"""

from collections import deque
from typing import Any

import numpy as np
from pydantic import Field, PositiveInt, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.agents.base import Proposal
from metaqnn.agents.known import KnownNetworks, Remembering
from metaqnn.agents.mutation import mutate
from metaqnn.options import Section
from replay import Trial
from state_space import Space, Token, random_walk

MUTATE_AGAIN = 20
"""Where so many draws bring nothing new, all near networks are known: one mutation more."""


class EvolutionOptions(Section):
    """Options of the agent evolution."""

    population: PositiveInt = Field(
        20, description="How many of the networks told last may become parents."
    )
    tournament: PositiveInt | None = Field(
        None,
        description="Of so many members of the population the best becomes a parent. Default: "
        "10, or the population where that is smaller.",
    )

    @field_validator("tournament")
    @classmethod
    def _fits_population(cls, tournament: int | None, info: ValidationInfo) -> int | None:
        population: int = info.data.get("population", tournament or 0)
        if tournament is not None and tournament > population:
            raise PydanticCustomError(
                "tournament",
                "Must be at most the population, {population}",
                {"population": population},
            )
        return tournament

    @property
    def members(self) -> int:
        """Of a tournament."""
        return self.tournament or min(10, self.population)


DEFAULTS = EvolutionOptions()


class Evolution(Remembering):
    """Keeps the trials told last as its population, and mutates the best of a random few.

    Until the population is complete, walks are random. A network that was told or proposed before
    is drawn anew, tournament included, and in the end mutated more than once.
    """

    Options = EvolutionOptions

    def __init__(self, space: Space[Any], seed: int, options: EvolutionOptions = DEFAULTS) -> None:
        """The paper's search has a population of 100 and tournaments of 25.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            options: How many of the trials told last are alive, and of how many of them the best
                is mutated.
        """
        self.space = space
        self.population = options.population
        self.tournament = options.members
        self.generator = np.random.default_rng(seed)
        self.known: KnownNetworks = KnownNetworks(space)
        self._members: deque[tuple[tuple[Token, ...], float]] = deque(maxlen=self.population)

    def ask(self, stage: int = 0) -> Proposal:
        """A random walk, or once the population is complete a mutation of a tournament's best."""
        return Proposal(self.known.propose(lambda vain: self._draw(stage, vain)))

    def _draw(self, stage: int, vain: int) -> tuple[Token, ...]:
        if len(self._members) < self.population:
            return random_walk(self.space, self.generator, stage)
        # the order is random, so a tie falls to each with the same probability
        chosen = self.generator.choice(self.population, self.tournament, replace=False)
        walk, _ = max((self._members[member] for member in chosen), key=lambda one: one[1])
        for _ in range(1 + vain // MUTATE_AGAIN):
            walk = mutate(self.space, walk, self.generator, stage)
        return walk

    def tell(self, trial: Trial, reward: float) -> None:
        """The trial becomes the youngest member; the oldest of a complete population dies."""
        self._members.append((trial.walk, reward))
        if not trial.imported:
            self.known.tell(trial.digest)
