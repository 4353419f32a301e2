"""Model-guided search: a Gaussian process over walks says which network is worth training next.

Sequential model-based optimisation (Snoek, Larochelle & Adams 2012, https://arxiv.org/abs/1206.2944)
of the normal scores of the rewards' ranks. Candidates are mutants of the best networks, which
matters more than the model does (White, Neiswanger & Savani 2021, "BANANAS",
https://arxiv.org/abs/1910.11858; Schneider et al. 2021, https://arxiv.org/abs/2107.07343).
"""

import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from pydantic import Field, PositiveInt, field_validator
from scipy.linalg import cholesky
from scipy.special import ndtr

from metaqnn.agents.base import Proposal
from metaqnn.agents.cost_bounds import CostBounds
from metaqnn.agents.gaussian_process import Floats
from metaqnn.agents.known import TRIES, KnownWalks, Remembering
from metaqnn.agents.mutation import mutate, neighbours
from metaqnn.agents.walk_features import Walk
from metaqnn.agents.walk_model import WalkModel, normal_scores
from metaqnn.errors import MetaqnnError
from metaqnn.options import NotNegative, Section
from metaqnn.registry import check_name
from replay import Trial
from state_space import Space, random_walk

PARENTS = 5
"""So many best networks have mutants among the candidates."""

ONE_EDITS = 400
"""Candidates that differ from a parent in one decision: all there are, or so many, drawn anew."""

TWO_EDITS = 100
"""Candidates that were mutated twice."""

RANDOM_WALKS = 30
"""Candidates that have nothing to do with the parents."""

SEEN = 10
"""Of so many candidates that promise most without their signals, and of as many others drawn at
random, the signals are looked at: that takes time."""

JITTER = 1e-6
"""Added to the variances of a sample, whose covariances are singular where candidates are alike."""


class BayesianOptions(Section):
    """Options of the agent bayesian."""

    model_after: PositiveInt = Field(5, description="random networks before the model proposes.")
    acquisition: str = Field(
        "ucb",
        description="ucb (upper confidence bound), ei (expected improvement) or thompson "
        "(a sample of the posterior). With an --objective that is known before training it is ei.",
    )
    confidence: NotNegative = Field(
        3.0, description="Of the acquisition ucb: deviations added to the mean."
    )

    zero_cost: bool = Field(
        False,
        description="Expect more of networks whose parameters, synflow, naswot and jacov promise "
        "it, as far as those that were trained bear that out; only where networks are trained.",
    )

    @field_validator("acquisition")
    @classmethod
    def _is_known(cls, acquisition: str) -> str:
        return check_name("acquisition", ("ucb", "ei", "thompson"), acquisition)


DEFAULTS = BayesianOptions()


class Bayesian(Remembering):
    """Proposes the candidate that the acquisition likes best.

    Until `model_after` observations are told, and where no candidate is new, walks are random.
    """

    Options = BayesianOptions
    weighs_costs = True

    def __init__(self, space: Space[Any], seed: int, options: BayesianOptions = DEFAULTS) -> None:
        """Know nothing.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            options: When and how the model proposes.
        """
        self.space = space
        self.options = options
        self.generator = np.random.default_rng(seed)
        self.model = WalkModel(space, self._look if options.zero_cost else None)
        self.known: KnownWalks = KnownWalks(space)
        self.wants_signals = options.zero_cost
        self._near: dict[tuple[Walk, int], list[Walk]] = {}  # of the parents of the last proposal
        self._seen: dict[str, tuple[float, ...]] = {}  # signals by digest
        self._seconds = 0.0  # that they took
        self._bounds: CostBounds | None = None  # made when the costs are told

    def ask(self, stage: int = 0) -> Proposal:
        """The most promising new candidate, or a random walk."""
        candidates: Iterable[Walk] = ()
        before = self._seconds
        if len(self.model.rewards) >= self.options.model_after:
            above = None
            if self.costs is None:
                found = self._candidates(stage, self.model.best(PARENTS))
            else:
                found, above = self._affordable(stage)
            if self.model.signals:
                found = self._shortened(found, above)
            candidates = self._ranked(found, above)
        walk = self.known.propose(chain(candidates, self._random_walks(stage, TRIES)))
        note = {"zero_cost_seconds": self._seconds - before} if self.model.signals else {}
        return Proposal(walk, note)

    def _random_walks(self, stage: int, number: int) -> Iterator[Walk]:
        return (random_walk(self.space, self.generator, stage) for _ in range(number))

    def _affordable(self, stage: int) -> tuple[list[Walk], float]:
        """Candidates whose costs are within a bound that is drawn, and the best score there."""
        if self._bounds is None:
            assert self.costs is not None, "`ask` has looked"
            self._bounds = CostBounds(self.space, self.costs)
        bound = self._bounds.draw(self.model.walks, self.generator)
        is_affordable = partial(self._bounds.fits, bound)
        best = self.model.best(PARENTS, is_affordable)
        above = self.model.score(best[0]) if best else min(normal_scores(self.model.rewards))
        found = self._candidates(stage, best or self.model.best(PARENTS))
        new = filter(self.known.is_new, filter(is_affordable, found))
        return list(new) or found, above

    def _candidates(self, stage: int, best: list[Walk]) -> list[Walk]:
        """Mutants of the best networks, and random walks, each once; some may be known."""
        self._near = {
            (walk, stage): self._near.get((walk, stage))
            or list(neighbours(self.space, walk, stage))
            for walk in best
        }
        near = list(dict.fromkeys(chain.from_iterable(self._near.values())))
        order = self.generator.permutation(len(near)).tolist()
        mutated = (
            mutate(self.space, near[at], self.generator, stage)
            for at in self.generator.integers(len(near), size=TWO_EDITS if near else 0).tolist()
        )
        randoms = self._random_walks(stage, RANDOM_WALKS)
        return list(dict.fromkeys(chain((near[at] for at in order[:ONE_EDITS]), mutated, randoms)))

    def _shortened(self, candidates: list[Walk], above: float | None) -> list[Walk]:
        """The new candidates whose signals are looked at."""
        ranked = list(filter(self.known.is_new, self._ranked(candidates, above, unseen=True)))
        others = ranked[SEEN:]
        drawn = self.generator.permutation(len(others))[:SEEN].tolist()
        return [*ranked[:SEEN], *(others[at] for at in drawn)]

    def _look(self, walk: Walk) -> tuple[float, ...]:
        """The signals of a walk's network.

        Raises:
            MetaqnnError: Nobody has told them.
        """
        if self.signals is None:
            raise MetaqnnError("zero-cost: the agent is to have `signals`, those of an evaluator")
        architecture = self.space.architecture(walk)
        if architecture.digest not in self._seen:
            began = time.perf_counter()
            self._seen[architecture.digest] = self.signals(architecture)
            self._seconds += time.perf_counter() - began
        return self._seen[architecture.digest]

    def _ranked(
        self, candidates: list[Walk], above: float | None, *, unseen: bool = False
    ) -> Iterator[Walk]:
        """The candidates, the most promising first; see `WalkModel.predict`.

        Args:
            candidates: Walks.
            above: A score that they are expected to exceed, whatever the acquisition; None leaves
                it to that.
            unseen: See there.
        """
        if not candidates:
            return iter(())
        pending = list(self.known.pending.values())
        found = self.model.predict(candidates, pending, unseen=unseen)
        if above is not None:
            values = expected_improvement(found.means, found.deviations, above)
            return (candidates[at] for at in np.argsort(-values, kind="stable"))
        match self.options.acquisition:
            case "ucb":
                values = found.means + self.options.confidence * found.deviations
            case "ei":
                values = expected_improvement(found.means, found.deviations, found.best)
            case _:
                values = sample(found.means, found.covariances(), self.generator)
        return (candidates[at] for at in np.argsort(-values, kind="stable"))

    def tell(self, trial: Trial, reward: float) -> None:
        """The network is an observation, unless its reward was told before."""
        if not trial.imported:
            self.known.tell(trial.digest)
        self.model.tell(trial.walk, trial.digest, reward)


def expected_improvement(means: Floats, deviations: Floats, best: float) -> Floats:
    """By how much the values exceed the best on average (Snoek et al. 2012, equation 2)."""
    above = (means - best) / deviations
    density = np.exp(-above * above / 2) / np.sqrt(2 * np.pi)
    improvement: Floats = deviations * (above * ndtr(above) + density)
    return improvement


def sample(means: Floats, covariances: Floats, generator: np.random.Generator) -> Floats:
    """A draw of the normal distribution."""
    lower = cholesky(covariances + JITTER * np.eye(len(means)), lower=True)
    drawn: Floats = means + lower @ generator.standard_normal(len(means))
    return drawn
