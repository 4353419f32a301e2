"""Best-first hill climbing over networks that differ in one decision.

White, Nolen & Savani 2020, "Local Search is State of the Art for Neural Architecture Search
Benchmarks", https://arxiv.org/abs/2005.02960. The simplest form of the paper trains all neighbours
of a network before it goes on from the best of them, and ends in a local optimum. Here a better
neighbour is followed at once, and behind an optimum the search goes on from the next best network.
"""

from bisect import insort
from typing import Any

import numpy as np
from pydantic import Field, PositiveInt

from metaqnn.agents.base import Proposal
from metaqnn.agents.known import KnownNetworks, Remembering
from metaqnn.agents.mutation import neighbours
from metaqnn.options import Section
from replay import Trial
from state_space import Space, Token, random_walk


class LocalSearchOptions(Section):
    """Options of the agent local-search."""

    random_first: PositiveInt = Field(
        10, description="Random networks before the best of them is improved."
    )


DEFAULTS = LocalSearchOptions()


class LocalSearch(Remembering):
    """Proposes a random untried neighbour of the best network that has one.

    Until `random_first` trials are told, and where no network has untried neighbours, walks are
    random.
    """

    Options = LocalSearchOptions

    def __init__(
        self, space: Space[Any], seed: int, options: LocalSearchOptions = DEFAULTS
    ) -> None:
        """Know no network.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            options: How many walks are random before the best of them is improved.
        """
        self.space = space
        self.random_first = options.random_first
        self.generator = np.random.default_rng(seed)
        self.known: KnownNetworks = KnownNetworks(space)
        # (-reward, how many were told before, walk): the best first, of equals the first told
        self._ranking: list[tuple[float, int, tuple[Token, ...]]] = []
        # of (walk, stage): digest to walk; what has become known is taken out when it is looked at
        self._untried: dict[tuple[tuple[Token, ...], int], dict[str, tuple[Token, ...]]] = {}

    def ask(self, stage: int = 0) -> Proposal:
        """An untried neighbour of the best network that has one, else a random walk."""
        return Proposal(self.known.propose(lambda vain: self._draw(stage)))

    def _draw(self, stage: int) -> tuple[Token, ...]:
        if len(self._ranking) >= self.random_first:
            for _, _, walk in self._ranking:
                if untried := self._untried_neighbours(walk, stage):
                    return untried[self.generator.integers(len(untried))]
        return random_walk(self.space, self.generator, stage)

    def _untried_neighbours(self, walk: tuple[Token, ...], stage: int) -> list[tuple[Token, ...]]:
        untried = self._untried.get((walk, stage))
        if untried is None:
            untried = {
                self.known.digest(each): each for each in neighbours(self.space, walk, stage)
            }
        untried = {digest: each for digest, each in untried.items() if digest not in self.known}
        self._untried[walk, stage] = untried
        return list(untried.values())

    def tell(self, trial: Trial, reward: float) -> None:
        """The network takes its place in the ranking."""
        insort(self._ranking, (-reward, len(self._ranking), trial.walk))
        if not trial.imported:
            self.known.tell(trial.digest)
