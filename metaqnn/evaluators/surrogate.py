"""The evaluator that predicts accuracies from recorded networks."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import KFold, cross_val_predict

from metaqnn.agents.experience import read_log as read_rows
from metaqnn.environment import MEMORY
from metaqnn.environment import read_task as read_run_task
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job, fingerprint
from metaqnn.executors.base import Place
from metaqnn.networks.cost import LayerCost, total_cost
from metaqnn.objectives.names import LATENCY
from metaqnn.options import Section
from metaqnn.task import Score, Shape, Task, classification
from replay import BrokenMemory, Memory, Outcome
from state_space import Architecture, IllegalMove, Space

MODEL = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "max_depth": 3,
    "min_samples_leaf": 0.005,
    "subsample": 0.5,
    "max_features": 0.2,
    "random_state": 0,
}
"""Of the stochastic gradient boosting (Friedman 2002). Few, shallow trees with a low rate: more
trees or a higher rate rank no better, and predict accuracies above 1 for unusual networks."""

FOLDS = 5

FEWEST = 10
"""So many recorded networks are needed at least."""

ABOVE_CHANCE = 1.5
"""A network counts as above chance if its accuracy is more than so many times the lowest one."""


class SurrogateOptions(Section):
    """Which recorded networks."""

    surrogate_from: str | None = Field(
        None,
        description="A run's folder, or a replay_database.csv[.gz] of the 2017 code: the "
        "recorded networks to which a regression is fitted.",
    )

    FREE: ClassVar = ("surrogate_from",)
    CHANGEABLE: ClassVar = FREE


@dataclass(frozen=True)
class SurrogateEvaluator(Evaluator):
    """Gradient boosting over the features of a network, fitted to recorded accuracies.

    The score is the predicted accuracy, 0 to 1; the metric `expected` is the same number, as the
    prediction has no noise. The best of the space is not known, so there is no optimum.

    Attributes:
        vectorizer: Turns features into a row of numbers.
        model: Predicts the accuracy from it.
        input_shape: Of the images; None where networks of the space have no known cost.
        quality: How well it ranks networks that it has not seen; see `cross_validate`.
        score: What is predicted.
    """

    Options = SurrogateOptions

    vectorizer: DictVectorizer = field(repr=False)
    model: GradientBoostingRegressor = field(repr=False)
    input_shape: Shape | None
    quality: Mapping[str, Any]
    score: Score

    @classmethod
    def task(cls, options: SurrogateOptions, made_for: Task, *, trains: bool = True) -> Task:
        """That of the recorded run; of a log that for which the space was made."""
        path = _path(options)
        if not path.is_dir():
            return classification(made_for.shape, made_for.outputs, "predicted accuracy")
        if not (path / MEMORY).is_file():
            raise MetaqnnError(f"{path} is not the folder of a run: it has no {MEMORY}")
        task = read_run_task(path)
        name = f"predicted {task.score.name.removeprefix('validation ')}"
        return replace(task, score=replace(task.score, name=name))

    @classmethod
    def from_options(
        cls, options: SurrogateOptions, space: Space[Any], task: Task, place: Place
    ) -> Self:
        """The regression fitted to what --surrogate-from names."""
        path = _path(options)
        recorded = read_run(path, space) if path.is_dir() else read_log(path, space)
        architectures, accuracies = average(recorded)
        if len(accuracies) < FEWEST or np.ptp(accuracies) == 0:
            raise MetaqnnError(
                f"{path} has {len(accuracies)} trained networks and {len(set(accuracies))} "
                f"different accuracies; a regression needs {FEWEST} and 2 or more"
            )
        shape = task.shape if space.trainable else None
        vectorizer = DictVectorizer(dtype=np.float32, sparse=False)
        rows = vectorizer.fit_transform(
            [features(architecture, _cost(architecture, shape)) for architecture in architectures]
        )
        model = GradientBoostingRegressor(**MODEL)
        digests = [architecture.digest for architecture in architectures]
        quality = {
            **cross_validate(model, rows, accuracies),
            "content": fingerprint([digests, accuracies]),
        }
        return cls(vectorizer, model.fit(rows, accuracies), shape, quality, task.score)

    def tells(self, metric: str) -> bool:
        """Sizes, where they are known, and what is expected."""
        return metric == "expected" or (self.input_shape is not None and metric != LATENCY)

    def __call__(self, job: Job) -> Outcome:
        """Predict the accuracy of the job's network."""
        cost = _cost(job.architecture, self.input_shape)
        row = self.vectorizer.transform([features(job.architecture, cost)])
        predicted = float(self.model.predict(row)[0])
        score = min(self.score.high, max(self.score.low, predicted))
        metrics = {
            "nodes": len(job.architecture.expanded.nodes),
            "edges": job.architecture.edges,
            "expected": score,
        }
        if cost is not None:
            metrics |= {"parameters": cost.parameters, "multiply_adds": cost.multiply_adds}
        return Outcome(metrics, (score,))

    @property
    def facts(self) -> Mapping[str, Any]:
        """The model, the number of recorded networks, and how well it ranks unseen ones."""
        return self.quality


Recorded = tuple[Architecture, float]
"""A network and its accuracy, 0 to 1."""


def read_log(path: Path, space: Space[Any]) -> list[Recorded]:
    """The rows of a replay database of the 2017 code; in it, failed trainings stand at chance.

    Raises:
        MetaqnnError: See `metaqnn.agents.experience.read_log`.
    """
    return [
        (space.architecture(walk), max(outcome.curve)) for walk, outcome in read_rows(path, space)
    ]


def read_run(path: Path, space: Space[Any]) -> list[Recorded]:
    """The networks that a run trained, with the best accuracy of all epochs.

    A network that failed with an error is left out: it has no accuracy, and what ended it, such as
    a lack of memory, need not lie in the network. So is one whose training was stopped, for its
    accuracy is not known. One that trained in vain is there, at chance.

    Raises:
        MetaqnnError: The folder is not that of a run, or a network is not in the space.
    """
    try:
        memory = Memory.open(path / MEMORY)
    except (FileNotFoundError, BrokenMemory) as error:
        raise MetaqnnError(str(error)) from None
    frame = memory.frame()
    memory.close()
    trained = frame[frame["finished"] & frame["error"].isna()]
    if "stopped_after" in trained:
        trained = trained[trained["stopped_after"].isna()]
    recorded = []
    for number, walk, curve in zip(
        trained["number"], trained["walk"], trained["curve"], strict=True
    ):
        try:
            recorded.append((space.architecture(walk), max(curve)))
        except IllegalMove as error:
            raise MetaqnnError(
                f"{path}, network {number}: the run searched another space: {error}"
            ) from None
    return recorded


def average(recorded: Iterable[Recorded]) -> tuple[list[Architecture], list[float]]:
    """Every network once, in the order of its first record, and the mean of its accuracies."""
    architectures: dict[str, Architecture] = {}
    accuracies: dict[str, list[float]] = {}
    for architecture, accuracy in recorded:
        architectures[architecture.digest] = architecture
        accuracies.setdefault(architecture.digest, []).append(accuracy)
    return list(architectures.values()), [
        float(np.mean(several)) for several in accuracies.values()
    ]


def features(architecture: Architecture, cost: LayerCost | None) -> dict[str, float]:
    """What the regression sees of a network, by name; what is not named is 0.

    The numbers of nodes, of edges, of each op and of each node's text; which node is at which
    position; connections other than with the node before; settings; and the logarithms of
    parameters and multiply-adds.
    """
    found: dict[str, float] = {
        **architecture.settings,
        "nodes": len(architecture.expanded.nodes),
        "edges": architecture.edges,
    }
    if cost is not None:
        found["log parameters"] = math.log1p(cost.parameters)
        found["log multiply-adds"] = math.log1p(cost.multiply_adds)
    for position, node in enumerate(architecture.expanded.nodes):
        skips = [source for source in node.inputs if source != position - 1]
        for name in (
            f"op {node.op}",
            f"node {node.text}",
            f"{position} is {node.text}",
            *(f"{position} reads {source}" for source in skips),
        ):
            found[name] = found.get(name, 0) + 1
    return found


def cross_validate(
    model: GradientBoostingRegressor, rows: Any, accuracies: list[float]
) -> dict[str, Any]:
    """How well fits of the model rank networks that were held out.

    The rank correlation is Spearman's, over the predictions of all folds together. It is left out
    where it is undefined, as when no networks are above chance.

    Args:
        model: Not fitted, and left so.
        rows: Features, (networks, features).
        accuracies: Of the networks.
    """
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    recorded = pd.Series(accuracies)
    predicted = pd.Series(cross_val_predict(model, rows, accuracies, cv=folds))
    above = recorded > ABOVE_CHANCE * recorded.min()
    correlations = {
        "rank correlation": _rank_correlation(predicted, recorded),
        "rank correlation above chance": _rank_correlation(predicted[above], recorded[above]),
    }
    return {
        "model": "gradient boosting",
        "networks": len(recorded),
        "above chance": int(above.sum()),
        "folds": FOLDS,
        **{name: value for name, value in correlations.items() if math.isfinite(value)},
    }


def _rank_correlation(first: "pd.Series[float]", second: "pd.Series[float]") -> float:
    # Spearman's is Pearson's of the ranks, those of equal values being their mean
    return float(first.rank().corr(second.rank()))


def _cost(architecture: Architecture, input_shape: Shape | None) -> LayerCost | None:
    return None if input_shape is None else total_cost(architecture, input_shape)


def _path(options: SurrogateOptions) -> Path:
    if options.surrogate_from is None:
        raise MetaqnnError(
            "the evaluator surrogate needs recorded networks: --surrogate-from FILE or FOLDER"
        )
    return Path(options.surrogate_from)
