"""Gaussian-process regression over distances, with one length a group of features.

Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning": algorithm 2.1 is the
posterior, equations 5.8 and 5.9 the likelihood and its gradient, section 2.7 a mean that is linear
in known numbers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]

RELEVANCE_PRIOR = (-1.0, 1.5)
NOISE_PRIOR = (-2.0, 1.5)
AMPLITUDE_PRIOR = (0.0, 1.0)
TRUST_PRIOR = (-2.0, 1.5)
"""Mean and deviation of the logarithms, for targets of variance 1 and distances of mean 1: a few
networks say little about the hyperparameters, and the likelihood alone would trust them."""

WIDEST = 5
"""A logarithm stays within so many deviations of its prior's mean."""

STEPS = 40
"""Of the ascent, at most."""


@dataclass(frozen=True)
class Hyperparameters:
    """What the data say of the function: k(a, b) = amplitude exp(-1/2 sum_g relevance_g d_g(a, b)).

    To it is added trust s(a) . s(b) where there are signals s.

    Attributes:
        relevances: Of each group of features; 0 where it does not matter.
        amplitude: Variance of the function.
        noise: Variance of an observation of it.
        trust: Variance of the weight of each signal in the mean, which is normal around 0.
    """

    relevances: tuple[float, ...]
    amplitude: float
    noise: float
    trust: float = 0.0

    def covariances(self, distances: Floats) -> Floats:
        """Those of the function, for squared distances that the relevances have weighed."""
        covariances: Floats = self.amplitude * np.exp(-0.5 * distances)
        return covariances


def fit(distances: Floats, targets: Floats, products: Floats | None = None) -> Hyperparameters:
    """The hyperparameters of the highest posterior density, by ascent from the prior's mean.

    Args:
        distances: Squared, between the observed points, (groups, points, points).
        targets: What was observed, of mean 0 and about variance 1, (points,).
        products: Of the signals of the points, (points, points); None where there are none.
    """
    groups = len(distances)
    trusts = [] if products is None else [TRUST_PRIOR]
    priors = np.array([RELEVANCE_PRIOR] * groups + [AMPLITUDE_PRIOR, NOISE_PRIOR, *trusts])
    means, deviations = priors.T

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        value, gradient = log_likelihood(distances, targets, logarithms, products)
        offsets = (logarithms - means) / deviations
        return 0.5 * float(offsets @ offsets) - value, offsets / deviations - gradient

    bounds = list(zip(means - WIDEST * deviations, means + WIDEST * deviations, strict=True))
    found = minimize(
        loss, means, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}
    )
    values = np.exp(found.x).tolist()
    return Hyperparameters(tuple(values[:groups]), *values[groups:])


def log_likelihood(
    distances: Floats, targets: Floats, logarithms: Floats, products: Floats | None = None
) -> tuple[float, Floats]:
    """The marginal log likelihood of the targets, and its gradient.

    Args:
        distances: See `fit`.
        targets: See `fit`.
        logarithms: Of the relevances, the amplitude, the noise and, with products, the trust.
        products: See `fit`.
    """
    groups, points = len(distances), len(targets)
    hyperparameters = np.exp(logarithms)
    relevances, amplitude, noise, trust = np.split(
        hyperparameters, [groups, groups + 1, groups + 2]
    )
    function = amplitude * np.exp(-0.5 * np.tensordot(relevances, distances, 1))
    linear = 0.0 if products is None else trust * products
    lower = cholesky(function + linear + noise * np.eye(points), lower=True)
    weights = cho_solve((lower, True), targets)
    value = -0.5 * targets @ weights - np.log(np.diag(lower)).sum()
    # of equation 5.9: half the trace of this with each derivative of the covariances
    slopes = np.outer(weights, weights) - cho_solve((lower, True), np.eye(points))
    shared = slopes * function
    gradient = np.empty(len(logarithms))
    gradient[:groups] = -0.25 * relevances * np.tensordot(distances, shared, 2)
    gradient[groups] = 0.5 * shared.sum()
    gradient[groups + 1] = 0.5 * noise.item() * np.trace(slopes)
    if products is not None:
        gradient[groups + 2] = 0.5 * (slopes * linear).sum()
    return float(value) - 0.5 * points * np.log(2 * np.pi), gradient


class Posterior:
    """A Gaussian process of mean 0 that was observed at some points, and will be at others.

    A point whose observation is not there yet counts with the one that is expected: it changes no
    mean, but makes its neighbourhood less uncertain (Desautels, Krause & Burdick 2014,
    "Parallelizing Exploration-Exploitation Tradeoffs with Gaussian Process Bandit Optimization").

    Attributes:
        fitted: The means at the points that were observed.
    """

    def __init__(self, covariances: Floats, targets: Floats, noise: float) -> None:
        """Factorise.

        Args:
            covariances: Of the function at all points, the observed ones first.
            targets: What was observed, of the first points.
            noise: Variance of an observation.
        """
        self._lower = cholesky(covariances + noise * np.eye(len(covariances)), lower=True)
        self._observed = len(targets)
        block = self._lower[: self._observed, : self._observed]
        self._whitened = solve_triangular(block, targets, lower=True)
        weights = solve_triangular(block, self._whitened, lower=True, trans="T")
        self.fitted: Floats = targets - noise * weights

    def predict(self, covariances: Floats) -> tuple[Floats, Floats]:
        """The means at other points, and what takes their uncertainty away: `reduction`.

        Args:
            covariances: Of the function between all points and the others, (points, others).

        Returns:
            The means; and R, (points, others), so that the covariances of the function at the
            others are their prior ones less R^T R.
        """
        reduction: Floats = solve_triangular(self._lower, covariances, lower=True)
        means: Floats = self._whitened @ reduction[: self._observed]
        return means, reduction
