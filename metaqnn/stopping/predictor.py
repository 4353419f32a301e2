"""Predicts how trainings will end, and stops the hopeless ones.

B. Baker, O. Gupta, R. Raskar, N. Naik, "Accelerating Neural Architecture Search using Performance
Prediction", 2017, <https://arxiv.org/abs/1705.10823>.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveInt
from sklearn.model_selection import KFold, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import NuSVR

from metaqnn.options import Section
from metaqnn.stopping.base import Progress, Stopper, StopRule, Verdict
from metaqnn.task import Score
from replay import Outcome, Trial

Floats = npt.NDArray[np.float64]

CHOICES: dict[str, list[float]] = {
    "nusvr__nu": np.linspace(0.1, 0.9, 9).tolist(),
    "nusvr__C": np.geomspace(1e-2, 1e2, 41).tolist(),
    "nusvr__gamma": np.geomspace(1e-4, 1e-1, 31).tolist(),
}
"""Hyperparameters, of which `DRAWS` combinations are cross-validated."""

DRAWS = 10
FOLDS = 5

MOST_CURVES = 200
"""The regressors are fitted to no more: the search waits meanwhile, for 400 curves three times as
long as for 200."""

SPARED = 10
"""One in so many networks that should stop is trained in full all the same."""


@dataclass(frozen=True)
class Regressor:
    """Predicts the best score of all epochs from the first of them.

    Attributes:
        model: From the features.
        deviation: Root mean square of its errors in cross-validation.
    """

    model: Pipeline
    deviation: float

    @classmethod
    def fit(cls, rows: Floats, scores: Floats) -> Self:
        """Fit to the features of trainings, (networks, features), and their best scores."""
        search = RandomizedSearchCV(
            make_pipeline(StandardScaler(), NuSVR()),
            CHOICES,
            n_iter=DRAWS,
            scoring="neg_mean_squared_error",
            cv=KFold(FOLDS, shuffle=True, random_state=0),
            random_state=0,
        ).fit(rows, scores)
        return cls(search.best_estimator_, math.sqrt(-search.best_score_))

    def predict(self, row: Floats) -> float:
        """The score, which may lie outside of 0 to 1."""
        return float(self.model.predict(row[np.newaxis])[0])


@dataclass(frozen=True)
class PredictionRule:
    """Ends a training that hardly ever gets above a rival.

    Attributes:
        regressors: By the number of epochs from which they predict.
        rival: The score to be reached.
        delta: A training ends when it stays below the rival with this probability.
        spared: The network is trained in full all the same.
        highest: No score is above.
    """

    regressors: Mapping[int, Regressor]
    rival: float
    delta: float
    spared: bool
    highest: float = math.inf

    def __call__(self, progress: Progress) -> Verdict | None:
        """Predict how the training ends."""
        epochs = len(progress.curve)
        regressor = self.regressors.get(epochs)
        if regressor is None:
            return None
        row = features(progress.curve, progress.metrics)
        # the best of all epochs is no less than the best so far
        predicted = min(max(regressor.predict(row), *progress.curve), self.highest)
        if probability_above(self.rival, predicted, regressor.deviation) >= 1 - self.delta:
            return None
        basis = {"rival": self.rival, "deviation": regressor.deviation}
        if self.spared:
            told = {"would_stop_after": epochs, "would_predict": predicted}
            return Verdict({**told, **basis}, goes_on=True)
        return Verdict({"stopped_after": epochs, "predicted": predicted, **basis})


class PredictorOptions(Section):
    """When a training counts as hopeless."""

    HEADING: ClassVar = "Trainings that end early"

    delta: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.95,
        description="A training ends when it stays below the --rival-th best with this "
        "probability.",
    )
    rival: PositiveInt = Field(
        5, description="How many networks may be better than one worth training."
    )
    predictor_after: int = Field(
        100, ge=10, description="Networks trained in full before it begins."
    )


class Predictor(Stopper):
    """Learns from the trainings that ran in full how a training goes on.

    It is fitted when so many of them are there, and again, to the latest, whenever their number has
    doubled. The rival, the k-th best of them, is that of the moment.
    """

    Options = PredictorOptions

    def __init__(self, options: PredictorOptions, epochs: int, highest: float = math.inf) -> None:
        """Predict trainings that take so many epochs in full, and scores up to the highest."""
        self.options = options
        self.highest = highest
        self.epochs = epochs
        self.trainings: list[Outcome] = []
        self._fitted_to = 0
        self._regressors: dict[int, Regressor] = {}

    @classmethod
    def from_options(cls, options: PredictorOptions, epochs: int, score: Score) -> Self:
        """The predictor of trainings that take so many epochs in full."""
        return cls(options, epochs, score.high)

    def rule(self, trial: Trial) -> StopRule | None:
        """The regressors, which are fitted if need be, and the rival of this moment."""
        known, options = len(self.trainings), self.options
        if known < max(options.predictor_after, options.rival):
            return None
        wanted = options.predictor_after
        while 2 * wanted <= known:
            wanted *= 2
        if wanted != self._fitted_to:
            latest = self.trainings[max(0, wanted - MOST_CURVES) : wanted]
            self._regressors = fit(latest, self.epochs)
            self._fitted_to = wanted
        best = sorted((max(training.curve) for training in self.trainings), reverse=True)
        # decided by the network alone, so that a search resumed decides the same
        spared = trial.seed % SPARED == 0
        return PredictionRule(
            self._regressors, best[options.rival - 1], options.delta, spared, self.highest
        )

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Take in a training that ran in full; one that never left chance has no curve."""
        if outcome.error is None and len(outcome.curve) == self.epochs:
            self.trainings.append(outcome)


def fit(trainings: Sequence[Outcome], epochs: int) -> dict[int, Regressor]:
    """A regressor for each number of epochs after which a training may be stopped."""
    scores = np.array([max(training.curve) for training in trainings])
    return {
        seen: Regressor.fit(np.array([_recorded(training, seen) for training in trainings]), scores)
        for seen in range(1, epochs)
    }


def features(curve: Sequence[float], metrics: Mapping[str, float]) -> Floats:
    """What the regressors see of a training.

    The scores so far, their first and second differences, mean and standard deviation of each of
    the three; the number of layers, and logarithms of the parameters, the multiply-adds and the
    learning rate, as far as they are known.
    """
    values = np.array(curve)
    series = [found for found in (values, np.diff(values), np.diff(values, 2)) if found.size]
    moments = [moment for found in series for moment in (found.mean(), found.std())]
    amounts = [1 + metrics.get(name, 0.0) for name in ("parameters", "multiply_adds")]
    sizes = [metrics.get("nodes", 0.0), *np.log10([*amounts, metrics.get("learning_rate", 1.0)])]
    return np.concatenate([*series, moments, sizes])


def probability_above(rival: float, predicted: float, deviation: float) -> float:
    """That a score of this normal distribution is above the rival."""
    # a regressor without any error, as where all scores are equal, is certain
    return 1 - NormalDist(predicted, max(deviation, 1e-9)).cdf(rival)


def _recorded(training: Outcome, seen: int) -> Floats:
    return features(training.curve[:seen], training.metrics)
