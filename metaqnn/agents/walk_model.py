"""What the rewards of some walks say of others: a Gaussian process over their features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from scipy.special import ndtri

from metaqnn.agents.gaussian_process import Floats, Hyperparameters, Posterior, fit
from metaqnn.agents.walk_features import Walk, WalkFeatures
from state_space import Space

MOST_POINTS = 300
"""The model is of so many observations at most, and"""

MOST_FITTED = 200
"""its hyperparameters are those of so many: see `representative`."""

MOST_PENDING = 100
"""So many of the walks that are not observed yet count, the last ones."""

LARGEST_SIGNAL = 3.0
"""In deviations from the mean of the networks told; beyond it, a signal is as large."""

SMALLEST_VARIANCE = 1e-6
"""Rounding makes no variance smaller."""


@dataclass(frozen=True)
class Prediction:
    """What is expected of some walks, in normal scores of the rewards told.

    Attributes:
        means: Of each walk.
        deviations: Of each, without the noise of an observation.
        best: The highest mean of a walk that was observed.
        covariances: Computes those of all walks with each other.
    """

    means: Floats
    deviations: Floats
    best: float
    covariances: Callable[[], Floats]


class WalkModel:
    """Predicts the normal scores of rewards, so that only their order matters.

    Attributes:
        signals: What is told of a walk's network before it is trained, always as many numbers: the
            mean is linear in them, with weights that the rewards tell. None where there are none.
        walks: That were told, and
        rewards: what of each, in that order.
    """

    def __init__(
        self, space: Space[Any], signals: Callable[[Walk], Sequence[float]] | None = None
    ) -> None:
        """Nothing is observed."""
        self.signals = signals
        self.features = WalkFeatures(space)
        self.walks: list[Walk] = []
        self.rewards: list[float] = []
        self._observed: set[tuple[str, float]] = set()
        self._fitted: tuple[int, Hyperparameters] | None = None
        self._usual: tuple[Floats, Floats] | None = None  # mean and deviation of the signals

    def tell(self, walk: Walk, digest: str, reward: float) -> None:
        """An observation, unless this reward of the network was told before."""
        if (digest, reward) not in self._observed:
            self._observed.add((digest, reward))
            self.walks.append(walk)
            self.rewards.append(reward)

    def best(self, number: int, is_one: Callable[[Walk], bool] = lambda walk: True) -> list[Walk]:
        """So many walks of the highest rewards, of equal ones those told first.

        Args:
            number: At most.
            is_one: Whether a walk is among those that are looked at.
        """
        found = (self.walks[at] for at in descending(self.rewards))
        return list(islice(filter(is_one, dict.fromkeys(found)), number))

    def score(self, walk: Walk) -> float:
        """The highest normal score of a walk that was told."""
        scores = normal_scores(self.rewards)
        return float(max(scores[at] for at, own in enumerate(self.walks) if own == walk))

    def predict(
        self, candidates: Sequence[Walk], pending: Sequence[Walk], *, unseen: bool = False
    ) -> Prediction:
        """What is expected of the candidates, where the pending walks are being observed.

        Args:
            candidates: Walks.
            pending: Walks.
            unseen: The candidates' signals are not looked at; they count as usual ones.
        """
        hyperparameters = self.hyperparameters()
        chosen = representative(self.rewards, MOST_POINTS)
        targets = normal_scores(self.rewards)[chosen]
        points = [*(self.walks[at] for at in chosen), *pending[-MOST_PENDING:]]
        covariances = partial(self._covariances, hyperparameters)
        posterior = Posterior(covariances(points, points), targets, hyperparameters.noise)
        means, reduction = posterior.predict(covariances(points, candidates, unseen=unseen))
        variances = hyperparameters.amplitude - (reduction * reduction).sum(0)
        if self.signals and not unseen:
            signals = self._signals(candidates)
            variances += hyperparameters.trust * (signals * signals).sum(1)
        return Prediction(
            means,
            np.sqrt(np.maximum(variances, SMALLEST_VARIANCE)),
            float(posterior.fitted.max()),
            lambda: covariances(candidates, candidates, unseen=unseen) - reduction.T @ reduction,
        )

    def _covariances(
        self,
        hyperparameters: Hyperparameters,
        ones: Sequence[Walk],
        others: Sequence[Walk],
        *,
        unseen: bool = False,
    ) -> Floats:
        relevances = hyperparameters.relevances
        found = hyperparameters.covariances(self.features.distances(ones, others, relevances))
        if self.signals and not unseen:
            found += hyperparameters.trust * self._signals(ones) @ self._signals(others).T
        return found

    def _signals(self, walks: Sequence[Walk]) -> Floats:
        """The signals in deviations from what is usual, (walks, signals)."""
        assert self.signals is not None and self._usual is not None, "they are fitted"
        mean, deviation = self._usual
        standard = (np.array([self.signals(walk) for walk in walks]) - mean) / deviation
        return np.clip(standard, -LARGEST_SIGNAL, LARGEST_SIGNAL)

    def hyperparameters(self) -> Hyperparameters:
        """Those of the first so many observations, a number that grows by a tenth at a time.

        They depend on what was told and nothing else, so that a restored model has the same.
        """
        number = 1
        while (following := number + max(1, number // 10)) <= len(self.rewards):
            number = following
        if self._fitted is None or self._fitted[0] != number:
            rewards = self.rewards[:number]
            chosen = representative(rewards, MOST_FITTED)
            points = [self.walks[at] for at in chosen]
            distances = self.features.distances_by_group(points)
            products = None
            if self.signals:
                told = np.array([self.signals(walk) for walk in self.walks[:number]])
                deviation = told.std(0)
                deviation[deviation == 0] = 1  # nothing is told by a signal that is always the same
                self._usual = told.mean(0), deviation
                products = self._signals(points) @ self._signals(points).T
            self._fitted = number, fit(distances, normal_scores(rewards)[chosen], products)
        return self._fitted[1]


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
    order = descending(rewards)
    best = most // 2
    others = np.linspace(best, len(order) - 1, most - best).astype(int).tolist()
    return sorted(order[:best] + [order[at] for at in others])


def descending(rewards: Sequence[float]) -> list[int]:
    """The positions of the rewards, the highest first, of equal ones the first."""
    return sorted(range(len(rewards)), key=lambda at: -rewards[at])
