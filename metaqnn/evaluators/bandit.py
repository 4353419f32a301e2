"""The linear bandit of Lei & Xiong: what a controller must come to prefer is known."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.executors.base import Place
from metaqnn.task import Task, classification
from replay import Outcome
from state_space import Architecture, Space

PAYOFFS = {
    "filters": {16: 0.90, 64: 0.925, 128: 0.95},
    "height": {3: 0.90, 5: 0.925, 7: 0.95},
    "width": {3: 0.90, 5: 0.925, 7: 0.95},
}
"""What each decision about a convolution pays on average; in the order of its arguments."""

SPREAD = 0.1
"""A payoff is multiplied by u, drawn anew for each decision, uniform in 0.9 to 1.1."""


@dataclass(frozen=True)
class BanditEvaluator(Evaluator):
    """The mean payoff of a network's decisions; the preset `lei-xiong` is its space.

    The metric `expected` is the payoff with every u equal to 1.
    """

    is_bounded = False  # with luck it pays more than 1, which no accuracy is

    optimum: float | None = 0.95

    @classmethod
    def task(cls, options: Any, made_for: Task, *, trains: bool = True) -> Task:
        """To be paid as much as an accuracy."""
        return classification(made_for.shape, made_for.outputs, "bandit's payoff")

    @classmethod
    def from_options(cls, options: Any, space: Space[Any], task: Task, place: Place) -> Self:
        """There is nothing to choose."""
        return cls()

    def tells(self, metric: str) -> bool:
        """Nothing but what is expected."""
        return metric == "expected"

    def __call__(self, job: Job) -> Outcome:
        """Draw every decision's payoff."""
        expected = np.array(payoffs(job.architecture))
        spread = np.random.default_rng(job.seed).uniform(-SPREAD, SPREAD, len(expected))
        score = float(np.mean(expected * (1 + spread)))
        return Outcome({"expected": float(np.mean(expected))}, (score,))


def payoffs(architecture: Architecture) -> list[float]:
    """The expected payoff of every decision about a convolution, layer by layer.

    Raises:
        MetaqnnError: The bandit does not know a decision.
    """
    found = []
    for node in architecture.expanded.nodes:
        if node.op == "CB":
            for (name, known), value in zip(PAYOFFS.items(), node.args, strict=False):
                if value not in known:
                    raise MetaqnnError(
                        f"{node.text}: the bandit knows no {name} {value}, only "
                        f"{', '.join(map(str, known))}; --space lei-xiong fits it"
                    )
                found.append(known[int(value)])
    if not found:
        raise MetaqnnError(
            f"{architecture.text}: the bandit knows only convolutions CB; --space lei-xiong fits it"
        )
    return found
