"""Progressive search: small networks first, and of the larger ones those that a model expects most.

Liu et al. 2018, "Progressive Neural Architecture Search", https://arxiv.org/abs/1712.00559,
algorithm 1; the model is the Gaussian process of `bayesian` instead of an ensemble of networks.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from pydantic import Field, PositiveInt

from metaqnn.agents.base import Proposal
from metaqnn.agents.known import TRIES, KnownWalks, Remembering
from metaqnn.agents.mutation import mutate, repair
from metaqnn.agents.walk_features import Walk
from metaqnn.agents.walk_model import WalkModel, descending
from metaqnn.options import Section
from replay import Trial
from state_space import Space, random_walk, stage_of

LOOKED = 10
"""So many times more walks than networks wanted are looked at, to see whether there are as many."""

CANDIDATES = 200
"""So many networks are drawn for each proposal, of which the one expected most is proposed."""


class ProgressiveOptions(Section):
    """Options of the agent progressive."""

    beam: PositiveInt = Field(
        20,
        description="networks proposed in a stage before the space grows, and kept "
        "to grow (paper: 256).",
    )


DEFAULTS = ProgressiveOptions()


class Progressive(Remembering):
    """Grows the space by itself, whenever `beam` networks of a stage, or all, are proposed.

    The first stage's walks are random. Those of a later one continue walks of the stage before,
    its best ones; in the last stage candidates are its best networks, mutated, too.
    """

    Options = ProgressiveOptions
    decides_stage = True

    def __init__(
        self, space: Space[Any], seed: int, options: ProgressiveOptions = DEFAULTS
    ) -> None:
        """Know nothing.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            options: How many networks a stage has.
        """
        self.space = space
        self.options = options
        self.generator = np.random.default_rng(seed)
        self.model = WalkModel(space)
        self.known: KnownWalks = KnownWalks(space)
        self._told: dict[str, tuple[int, Walk, float]] = {}  # by digest, with their stage
        self._enough: dict[int, int] = {}  # networks that complete a stage

    @property
    def stage(self) -> int:
        """The stage of the next proposal: the first that is not complete, or the last."""
        begun = Counter(stage for stage, _, _ in self._told.values())
        begun.update(stage_of(self.space, walk) for walk in self.known.pending.values())
        stage = 0
        while self.space.grows(stage) and begun[stage] >= self._complete(stage):
            stage += 1
        return stage

    def _complete(self, stage: int) -> int:
        """How many networks complete a stage that is not the last: `beam`, or all that it has."""
        if stage not in self._enough:
            self._enough[stage] = _networks(self.space, stage, self.options.beam)
        return self._enough[stage]

    def ask(self, stage: int = 0) -> Proposal:
        """The most promising candidate of the agent's own stage, whatever that of the search."""
        stage = self.stage
        randoms = (random_walk(self.space, self.generator, stage) for _ in range(TRIES))
        candidates = list(dict.fromkeys(self._candidates(stage)))
        if candidates:
            means = self.model.predict(candidates, list(self.known.pending.values())).means
            candidates = [candidates[at] for at in np.argsort(-means, kind="stable")]
        return Proposal(self.known.propose(chain(candidates, randoms)), stage=stage)

    def _candidates(self, stage: int) -> Iterator[Walk]:
        smaller, equal = self._best(stage - 1), self._best(stage)
        complete = len(equal) >= self.options.beam
        for number in range(CANDIDATES):
            if complete and (number % 2 or not smaller):
                yield mutate(self.space, self._one_of(equal), self.generator, stage)
            elif smaller:
                yield repair(self.space, self._one_of(smaller), self.generator, stage)

    def _best(self, stage: int) -> list[Walk]:
        """The best networks of a stage, `beam` at most."""
        found = [(walk, reward) for at, walk, reward in self._told.values() if at == stage]
        order = descending([reward for _, reward in found])[: self.options.beam]
        return [found[at][0] for at in order]

    def _one_of(self, walks: list[Walk]) -> Walk:
        return walks[self.generator.integers(len(walks))]

    def tell(self, trial: Trial, reward: float) -> None:
        """The network is an observation, and one of its stage."""
        self.model.tell(trial.walk, trial.digest, reward)
        if not trial.imported:
            self.known.tell(trial.digest)
            self._told[trial.digest] = stage_of(self.space, trial.walk), trial.walk, reward


def _networks(space: Space[Any], stage: int, most: int) -> int:
    """How many networks a stage has, `most` at most; walks are more, where several make one."""
    digests: set[str] = set()
    for looked, walk in enumerate(_walks(space, space.initial_state(stage))):
        digests.add(space.architecture(walk).digest)
        if len(digests) == most or looked == LOOKED * most:
            return most
    return len(digests)


def _walks(space: Space[Any], state: Any) -> Iterator[Walk]:
    """Yield all walks from a state on."""
    decision = space.decision(state)
    if decision is None:
        yield ()
        return
    for token in decision.options:
        for rest in _walks(space, space.step(state, token)):
            yield (token, *rest)
