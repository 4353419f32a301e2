"""What can be chosen by name. Nothing is imported before it is chosen."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from metaqnn.errors import MetaqnnError
from state_space.settings import suggestion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from metaqnn.agents.base import Agent
    from metaqnn.evaluators.base import Evaluator
    from metaqnn.executors.base import Executor
    from metaqnn.reports.figures.findings import Findings
    from metaqnn.stopping.base import Stopper
    from metaqnn.training.epochs import Optimizer

SPACES = {
    "chain": "metaqnn.spaces:chain",
    "macro": "metaqnn.spaces:macro",
    "skip": "metaqnn.spaces:skip",
}
"""Kind of space to the function that makes one of a mapping, image shape and classes."""

AGENTS = {
    "q-learning": "metaqnn.agents.q_learning:QLearning",
    "reinforce": "metaqnn.agents.reinforce:Reinforce",
    "evolution": "metaqnn.agents.evolution:Evolution",
    "bayesian": "metaqnn.agents.bayesian:Bayesian",
    "progressive": "metaqnn.agents.progressive:Progressive",
    "local-search": "metaqnn.agents.local_search:LocalSearch",
    "random": "metaqnn.agents.random:RandomSearch",
}

EVALUATORS = {
    "train": "metaqnn.evaluators.train:TrainEvaluator",
    "table": "metaqnn.evaluators.table:TableEvaluator",
    "surrogate": "metaqnn.evaluators.surrogate:SurrogateEvaluator",
    "bandit": "metaqnn.evaluators.bandit:BanditEvaluator",
}

EXECUTORS = {
    "in-process": "metaqnn.executors.in_process:InProcess",
    "processes": "metaqnn.executors.processes:Processes",
    "ray": "metaqnn.executors.ray:Ray",
}

OPTIMIZERS = {
    "adam": "metaqnn.training.adam:FusedAdam",
    "sgd": "metaqnn.training.sgd:Sgd",
}

STOPPERS = {
    "predictor": "metaqnn.stopping.predictor:Predictor",
    "halving": "metaqnn.stopping.halving:Halving",
}

FIGURES = {
    "accuracy": "metaqnn.reports.figures.accuracy:draw",
    "epsilon": "metaqnn.reports.figures.epsilon:draw",
    "depth": "metaqnn.reports.figures.depth:draw",
    "field": "metaqnn.reports.figures.field:draw",
    "layers": "metaqnn.reports.figures.layers:draw",
    "best": "metaqnn.reports.figures.best:draw",
    "pareto": "metaqnn.reports.figures.pareto:draw",
    "curves": "metaqnn.reports.figures.curves:draw",
    "heatmap": "metaqnn.reports.figures.heatmap:draw",
}
"""Figures of a run."""


@dataclass(frozen=True)
class DataSetEntry:
    """A data set that can be chosen by name.

    Attributes:
        source: "module:function" that loads it; see `metaqnn.training.sources`.
        description: For people.
        shape: (channels, height, width), where it is fixed.
        classes: Number of classes, where it is fixed.
        space: Preset that a run searches unless told otherwise.
        validation: Validation images: a number, or a share below 1 of the training images.
        options: Other defaults of a run on this data set.
    """

    source: str
    description: str
    shape: tuple[int, int, int] | None = None
    classes: int | None = None
    space: str = "mnist-small"
    validation: float = 0.1
    options: Mapping[str, Any] = field(default_factory=dict)


_SOURCES = "metaqnn.training.sources"

DATASETS = {
    "digits": DataSetEntry(
        f"{_SOURCES}:digits",
        "1,797 scans of digits, 1,437 for training (part of scikit-learn, no download)",
        (1, 8, 8),
        10,
        space="digits",
        validation=0.2,
        options={"batch_size": 64, "learning_rate": 3e-3, "threads": 1},
    ),
    "mnist": DataSetEntry(
        f"{_SOURCES}:mnist", "70,000 digits, 60,000 for training", (1, 28, 28), 10, "metaqnn-mnist"
    ),
    "fashion-mnist": DataSetEntry(
        f"{_SOURCES}:fashion_mnist",
        "70,000 pictures of clothes, 60,000 for training",
        (1, 28, 28),
        10,
        "metaqnn-mnist",
    ),
    "cifar10": DataSetEntry(
        f"{_SOURCES}:cifar10",
        "60,000 photographs, 50,000 for training",
        (3, 32, 32),
        10,
        "metaqnn-cifar10",
    ),
    "cifar100": DataSetEntry(
        f"{_SOURCES}:cifar100",
        "60,000 photographs, 50,000 for training",
        (3, 32, 32),
        100,
        "metaqnn-cifar10",
    ),
    "svhn": DataSetEntry(
        f"{_SOURCES}:svhn",
        "99,289 house numbers, 73,257 for training",
        (3, 32, 32),
        10,
        "metaqnn-svhn",
    ),
    "own": DataSetEntry(
        f"{_SOURCES}:own",
        "images that metaqnn never sees: metaqnn.Search asks you to train on them",
    ),
}
"""Data sets with a name of their own."""

FILE_DATASETS = {
    "npz": DataSetEntry(
        f"{_SOURCES}:npz", "npz:FILE, your own arrays x_train, y_train, x_test, y_test"
    ),
    "folder": DataSetEntry(
        f"{_SOURCES}:folder", "folder:DIR, your own pictures as DIR/train/CLASS/*, DIR/test/CLASS/*"
    ),
}
"""Data sets that are named by what they are and where they lie, as npz:FILE."""


def find_dataset(name: str) -> tuple[DataSetEntry, str | None]:
    """The entry of a data set, and the path behind "npz:" or "folder:".

    Raises:
        MetaqnnError: There is no such data set.
    """
    kind, colon, path = name.partition(":")
    if colon and kind in FILE_DATASETS:
        if not path:
            raise MetaqnnError(f"data set {name!r}: a path must follow {kind}:")
        return FILE_DATASETS[kind], path
    if name not in DATASETS:
        known = [*DATASETS, *(f"{kind}:..." for kind in FILE_DATASETS)]
        raise MetaqnnError(f"there is no data set {name!r}{suggestion(name, known)}")
    return DATASETS[name], None


def find(kind: str, table: Mapping[str, str], name: str) -> Any:
    """Import what stands under a name.

    Raises:
        MetaqnnError: The name is unknown.
    """
    return resolve(table[check_name(kind, table, name)])


def check_name(kind: str, known: Iterable[str], name: str) -> str:
    """The name, if it is known.

    Raises:
        MetaqnnError: It is not; the message gives the nearest.
    """
    if name not in known:
        raise MetaqnnError(f"there is no {kind} {name!r}{suggestion(name, known)}")
    return name


def resolve(place: str) -> Any:
    """The object at "module:name"."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def find_agent(name: str) -> "type[Agent]":
    """The class of an agent.

    Raises:
        MetaqnnError: There is no such agent.
    """
    found: type[Agent] = find("agent", AGENTS, name)
    return found


def find_evaluator(name: str) -> "type[Evaluator]":
    """The class of an evaluator.

    Raises:
        MetaqnnError: There is no such evaluator.
    """
    found: type[Evaluator] = find("evaluator", EVALUATORS, name)
    return found


def find_executor(name: str) -> "type[Executor]":
    """The class of an executor.

    Raises:
        MetaqnnError: There is no such executor.
    """
    found: type[Executor] = find("executor", EXECUTORS, name)
    return found


def find_optimizer(name: str) -> "type[Optimizer]":
    """The class of an optimizer.

    Raises:
        MetaqnnError: There is no such optimizer.
    """
    found: type[Optimizer] = find("optimizer", OPTIMIZERS, name)
    return found


def find_stopper(name: str) -> "type[Stopper]":
    """The class of what ends hopeless trainings.

    Raises:
        MetaqnnError: There is no such thing.
    """
    found: type[Stopper] = find("stopper", STOPPERS, name)
    return found


def find_figure(name: str) -> "Callable[[Findings], Figure]":
    """The function that draws a figure of a run.

    Raises:
        MetaqnnError: There is no such figure.
    """
    found: Callable[[Findings], Figure] = find("figure", FIGURES, name)
    return found


def find_source(entry: DataSetEntry) -> Callable[..., Any]:
    """The function that loads a data set."""
    found: Callable[..., Any] = resolve(entry.source)
    return found
