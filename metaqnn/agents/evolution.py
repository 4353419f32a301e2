"""Regularised evolution: the best of a few mutates, the oldest of all dies.

Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search",
https://arxiv.org/abs/1802.01548, algorithm 1. With other options it is the evolution of Liu et al.
2018, "Hierarchical Representations for Efficient Architecture Search",
https://arxiv.org/abs/1711.00436, section 3, in which nothing dies.
"""

from collections import deque
from typing import Annotated, Any

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, ValidationInfo, field_validator
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
    tournament_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = Field(
        None,
        description="The tournament as a share of all members, in its place: 0.05 of Liu et al. "
        "2018.",
    )
    deaths: bool = Field(
        True,
        description="Whether the oldest member of a complete population dies where a new one "
        "comes in. Without deaths all networks stay members.",
    )
    first_mutations: NonNegativeInt = Field(
        0,
        description="The first population is networks that the space has by hand, each mutated so "
        "often: 1000 of Liu et al. 2018. Default: 0, random networks.",
    )
    mutate_kind_first: bool = Field(
        False,
        description="Draw which kind of decision is mutated, and then which of its decisions, as "
        "Liu et al. 2018 draw the level of a motif.",
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

    @field_validator("tournament_share")
    @classmethod
    def _is_the_only_size(cls, share: float | None, info: ValidationInfo) -> float | None:
        if share is not None and info.data.get("tournament") is not None:
            raise PydanticCustomError("tournament_share", "Give it or tournament, not both")
        return share

    def members(self, population: int) -> int:
        """How many of so many members are in a tournament."""
        if self.tournament_share is not None:
            return max(1, round(self.tournament_share * population))
        return self.tournament or min(10, self.population)


DEFAULTS = EvolutionOptions()


class Evolution(Remembering):
    """Keeps the trials told last as its population, and mutates the best of a random few.

    Until the population is complete, walks are random, or mutants of those of `Space.starts`. A
    network that was told or proposed before
    is drawn anew, tournament included, and in the end mutated more than once.
    """

    Options = EvolutionOptions

    def __init__(self, space: Space[Any], seed: int, options: EvolutionOptions = DEFAULTS) -> None:
        """The paper's search has a population of 100 and tournaments of 25.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            options: How many of the trials told last are alive, of how many of them the best is
                mutated, and with what the search begins.
        """
        self.space = space
        self.options = options
        self.generator = np.random.default_rng(seed)
        self.known: KnownNetworks = KnownNetworks(space)
        self._starts = space.starts() if options.first_mutations else ()
        self._members: deque[tuple[tuple[Token, ...], float]] = deque(
            maxlen=options.population if options.deaths else None
        )

    def ask(self, stage: int = 0) -> Proposal:
        """A random walk, or once the population is complete a mutation of a tournament's best."""
        return Proposal(self.known.propose(lambda vain: self._draw(stage, vain)))

    def _draw(self, stage: int, vain: int) -> tuple[Token, ...]:
        members = len(self._members)
        if members < self.options.population:
            return self._draw_first(stage)
        # the order is random, so a tie falls to each with the same probability
        chosen = self.generator.choice(members, self.options.members(members), replace=False)
        walk, _ = max((self._members[member] for member in chosen), key=lambda one: one[1])
        return self._mutate(walk, 1 + vain // MUTATE_AGAIN, stage)

    def _draw_first(self, stage: int) -> tuple[Token, ...]:
        """A member of the first population."""
        if not self._starts:
            return random_walk(self.space, self.generator, stage)
        walk = self._starts[self.generator.integers(len(self._starts))]
        return self._mutate(walk, self.options.first_mutations, stage)

    def _mutate(self, walk: tuple[Token, ...], times: int, stage: int) -> tuple[Token, ...]:
        for _ in range(times):
            walk = mutate(
                self.space, walk, self.generator, stage, kind_first=self.options.mutate_kind_first
            )
        return walk

    def tell(self, trial: Trial, reward: float) -> None:
        """The trial becomes the youngest member; the oldest may die in a complete population."""
        self._members.append((trial.walk, reward))
        if not trial.imported:
            self.known.tell(trial.digest)
