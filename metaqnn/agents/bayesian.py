"""Model-guided search: a Gaussian process over walks says which network is worth training next.

Sequential model-based optimisation (Snoek, Larochelle & Adams 2012, https://arxiv.org/abs/1206.2944)
of the normal scores of the rewards' ranks. Candidates are mutants of the best networks, which
matters more than the model does (White, Neiswanger & Savani 2021, "BANANAS",
https://arxiv.org/abs/1910.11858; Schneider et al. 2021, https://arxiv.org/abs/2107.07343).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, PositiveInt, field_validator
from scipy.linalg import cholesky
from scipy.special import ndtr, ndtri

from metaqnn.agents.base import Agent, Proposal, generator_from_bytes, generator_to_bytes
from metaqnn.agents.gaussian_process import Floats, Hyperparameters, Posterior, fit
from metaqnn.agents.known import TRIES
from metaqnn.agents.mutation import mutate, neighbours
from metaqnn.agents.walk_features import Walk, WalkFeatures
from metaqnn.registry import check_name
from metaqnn.sections import NotNegative, Section
from replay import Trial
from state_space import Space, random_walk

if TYPE_CHECKING:
    from metaqnn.config import RunConfig

PARENTS = 5
"""So many best networks have mutants among the candidates: all that differ in one decision, and"""

TWO_EDITS = 200
"""so many, drawn anew for each proposal, that were mutated twice."""

RANDOM_WALKS = 100
"""Candidates that have nothing to do with the best networks."""

MOST_POINTS = 400
"""The model is of so many observations at most, and"""

MOST_FITTED = 200
"""its hyperparameters are those of so many: see `representative`."""

MOST_PENDING = 100
"""So many of the proposals that are not told yet count in the model, the last ones."""

JITTER = 1e-6
"""Added to the variances of a sample, whose covariances are singular where candidates are alike."""


class BayesianOptions(Section):
    """Options of the agent bayesian."""

    model_after: PositiveInt = Field(
        10, description="Bayesian: random networks before the model proposes."
    )
    acquisition: str = Field(
        "ucb",
        description="Bayesian: ucb (upper confidence bound), ei (expected improvement) or thompson "
        "(a sample of the posterior).",
    )
    confidence: NotNegative = Field(
        1.0, description="Of the acquisition ucb: deviations added to the mean."
    )

    @field_validator("acquisition")
    @classmethod
    def _is_known(cls, acquisition: str) -> str:
        return check_name("acquisition", ("ucb", "ei", "thompson"), acquisition)


DEFAULTS = BayesianOptions()


class Bayesian(Agent):
    """Proposes the candidate that the acquisition likes best.

    Until `model_after` observations are told, and where no candidate is new, walks are random.
    """

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
        self.features = WalkFeatures(space)
        self._told: set[str] = set()  # digests of networks that need no other proposal
        self._pending: dict[str, Walk] = {}  # by digest, the last proposal last
        self._observations: dict[tuple[str, float], Walk] = {}  # in the order told
        self._rewards: list[float] = []
        self._near: dict[tuple[Walk, int], list[Walk]] = {}  # of the parents of the last proposal
        self._fitted: tuple[int, Hyperparameters] | None = None

    @classmethod
    def from_config(cls, config: "RunConfig", space: Space[Any]) -> Self:
        """The agent of a run."""
        return cls(space, config.seed, config.bayesian)

    def ask(self, stage: int = 0) -> Proposal:
        """The most promising new candidate, or a random walk."""
        candidates: Iterable[Walk] = ()
        if len(self._rewards) >= self.options.model_after:
            candidates = self._ranked(self._candidates(stage))
        for walk in chain(candidates, self._random_walks(stage, TRIES)):
            digest = self.space.architecture(walk).digest
            if digest not in self._told and digest not in self._pending:
                break
        self._pending[digest] = walk
        return Proposal(walk)

    def _random_walks(self, stage: int, number: int) -> Iterator[Walk]:
        return (random_walk(self.space, self.generator, stage) for _ in range(number))

    def _candidates(self, stage: int) -> list[Walk]:
        """Mutants of the best networks, and random walks, each once; some may be known."""
        order = sorted(range(len(self._rewards)), key=lambda at: -self._rewards[at])
        walks = list(self._observations.values())
        best = list(dict.fromkeys(walks[at] for at in order))[:PARENTS]
        self._near = {
            (walk, stage): self._near.get((walk, stage))
            or list(neighbours(self.space, walk, stage))
            for walk in best
        }
        change = partial(mutate, self.space, generator=self.generator, stage=stage)
        parents = self.generator.integers(len(best), size=TWO_EDITS).tolist()
        found = dict.fromkeys(chain.from_iterable(self._near.values()))
        found.update(dict.fromkeys(change(change(best[parent])) for parent in parents))
        found.update(dict.fromkeys(self._random_walks(stage, RANDOM_WALKS)))
        return list(found)

    def _ranked(self, candidates: list[Walk]) -> Iterator[Walk]:
        """The candidates, the most promising first."""
        hyperparameters = self._hyperparameters()
        chosen = representative(self._rewards, MOST_POINTS)
        walks = list(self._observations.values())
        points = [walks[at] for at in chosen]
        targets = normal_scores(self._rewards)[chosen]
        points += list(self._pending.values())[-MOST_PENDING:]
        covariances = partial(self._covariances, hyperparameters)
        known = covariances(points, points)
        posterior = Posterior(known, targets, hyperparameters.noise)
        means, reduction = posterior.predict(covariances(points, candidates))
        if self.options.acquisition == "thompson":
            uncertain = covariances(candidates, candidates) - reduction.T @ reduction
            values = sample(means, uncertain, self.generator)
        else:
            variances = hyperparameters.amplitude - (reduction * reduction).sum(0)
            deviations = np.sqrt(np.maximum(variances, JITTER))
            if self.options.acquisition == "ucb":
                values = means + self.options.confidence * deviations
            else:
                fitted, _ = posterior.predict(known)
                values = expected_improvement(means, deviations, fitted[: len(targets)].max())
        return (candidates[at] for at in np.argsort(-values, kind="stable"))

    def _covariances(
        self, hyperparameters: Hyperparameters, ones: list[Walk], others: list[Walk]
    ) -> Floats:
        return hyperparameters.covariances(self.features.distances(ones, others))

    def _hyperparameters(self) -> Hyperparameters:
        """Those fitted last: to the first so many observations, a number that grows by a tenth.

        They depend on what was told and nothing else, so a restored agent has the same.
        """
        number = self.options.model_after
        while (following := number + max(1, number // 10)) <= len(self._rewards):
            number = following
        if self._fitted is None or self._fitted[0] != number:
            rewards = self._rewards[:number]
            chosen = representative(rewards, MOST_FITTED)
            walks = list(self._observations.values())
            points = [walks[at] for at in chosen]
            distances = self.features.distances(points, points)
            self._fitted = number, fit(distances, normal_scores(rewards)[chosen])
        return self._fitted[1]

    def tell(self, trial: Trial, reward: float) -> None:
        """The network is an observation, unless its reward was told before."""
        if not trial.imported:
            self._told.add(trial.digest)
            self._pending.pop(trial.digest, None)
        if (trial.digest, reward) not in self._observations:
            self._observations[trial.digest, reward] = trial.walk
            self._rewards.append(reward)

    def snapshot(self) -> bytes:
        """The generator, and what is proposed and not told yet."""
        content = {
            "generator": generator_to_bytes(self.generator).decode(),
            "pending": [[digest, *walk] for digest, walk in self._pending.items()],
        }
        return json.dumps(content).encode()

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Tell the history again, which draws nothing, and take the rest back."""
        for trial, reward in history:
            self.tell(trial, reward)
        if snapshot is not None:
            content = json.loads(snapshot)
            self.generator = generator_from_bytes(content["generator"].encode())
            self._pending = {digest: tuple(walk) for digest, *walk in content["pending"]}


def normal_scores(rewards: Sequence[float]) -> Floats:
    """The rewards' ranks as quantiles of the normal distribution (Blom 1958); of equals the mean.

    They are the same for every increasing transformation of the rewards.
    """
    _, places, counts = np.unique(rewards, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    scores: Floats = ndtri((ranks - 0.375) / (len(ranks) + 0.25))
    return scores


def representative(rewards: Sequence[float], most: int) -> list[int]:
    """At most so many of the observations, in their order.

    They are the best ones, half of them, and of the rest, by rank, every so many-th.
    """
    if len(rewards) <= most:
        return list(range(len(rewards)))
    order = sorted(range(len(rewards)), key=lambda at: -rewards[at])
    best = most // 2
    others = np.linspace(best, len(order) - 1, most - best).astype(int).tolist()
    return sorted(order[:best] + [order[at] for at in others])


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
