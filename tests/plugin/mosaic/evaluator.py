"""An evaluator that pretends to train language models: its score is a mean log-likelihood."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import PositiveInt

from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.executors.base import Place
from metaqnn.options import Section
from metaqnn.stopping.base import Progress
from metaqnn.task import Score, Task
from replay import Outcome
from state_space import Space

WORDS = 50

PERPLEXITY = Score(
    "perplexity", "perplexity", scale="perplexity", digits=1, chance=-math.log(WORDS), high=0.0
)


class LikelihoodOptions(Section):
    """How long it trains."""

    passes: PositiveInt = 4


@dataclass(frozen=True)
class Likelihood(Evaluator):
    """The larger its fields and filters, the likelier a network finds the words."""

    Options = LikelihoodOptions

    passes: int = 4

    @classmethod
    def task(cls, options: Any, made_for: Task, *, trains: bool = True) -> Task:
        """To tell the next word."""
        return Task(made_for.shape, made_for.outputs, PERPLEXITY)

    @classmethod
    def from_options(cls, options: Any, space: Space[Any], task: Task, place: Place) -> Self:
        """As long as the options say."""
        return cls(options.passes)

    @property
    def epochs(self) -> int:  # type: ignore[override]
        """The passes."""
        return self.passes

    def __call__(self, job: Job) -> Outcome:
        """Pass by pass, unless the job's rule ends it."""
        layers = job.architecture.nodes[:-1]
        metrics: dict[str, float] = {"nodes": len(layers) + 1, "words": WORDS}
        quality = np.mean([math.log2(args[0]) + (args[1] - 1) / 2 for args in map(_args, layers)])
        noise = np.random.default_rng(job.seed).normal(0, 0.01)
        curve: list[float] = []
        for count in range(1, self.passes + 1):
            learnt = (quality + noise) / 3 * (1 - 0.5**count)
            curve.append(np.float32(learnt - math.log(WORDS)))  # type: ignore[arg-type]
            if job.stopping is None:
                continue
            known = tuple(map(float, curve))
            verdict = job.stopping(Progress(metrics, self.passes, known))
            if verdict is not None:
                metrics |= verdict.metrics
                if not verdict.goes_on:
                    break
        return Outcome(metrics, tuple(curve))


def _args(node: Any) -> tuple[int, int]:
    filters, field, _ = node.args
    return filters, field


def log_likelihood(job: Job) -> float:
    """The same as a function."""
    return Likelihood()(job).best
