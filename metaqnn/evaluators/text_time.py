"""How long trainings on texts take, and what fits into a time.

All trainings of the search have the same seconds, a part of its share of the time, unless their
epochs are done before. The last one has as many epochs of the whole text as fit into the rest.
"""

import time
from collections.abc import Mapping
from typing import Any

from metaqnn.evaluators.base import Job
from metaqnn.evaluators.best import Best
from metaqnn.evaluators.language import LanguageEvaluator, read
from metaqnn.language.training import train
from metaqnn.stopping.base import Progress
from state_space import Architecture

LONGEST = 4
"""How many times the epochs of the search the last training has, at most: small texts are learnt
by heart."""

PROBED, PROBED_PIECES = 3, 8
"""Epochs, and pieces of text in each, of a training that says how long an epoch takes."""


def plan_search(seconds: float, given: Mapping[str, Any]) -> dict[str, Any]:
    """See `Trainer.plan_search`."""
    return {} if "seconds" in given else {"seconds": seconds}


def plan_last(evaluator: LanguageEvaluator, best: Best) -> dict[str, Any]:
    """See `Trainer.plan_last`; the rate falls as far as in the search, over more epochs slower."""
    recipe = evaluator.recipe
    epoch = _epoch(evaluator, best.space.architecture(best.walk))
    epochs = max(1, min(LONGEST * recipe.epochs, int(best.time.for_last / epoch)))
    times = epochs / recipe.epochs
    return {
        "epochs": epochs,
        "constant_epochs": max(1, round(times * recipe.constant_epochs)),
        "decay": recipe.decay ** (1 / max(1.0, times)),
        "seconds": best.time.for_last,
    }


def _epoch(evaluator: LanguageEvaluator, cell: Architecture) -> float:
    """About how many seconds an epoch of the whole text takes."""
    whole = read(evaluator.text.model_copy(update={"token_limit": None}))
    # no step at all, lest a few of them lead where none goes on
    changes = {"epochs": PROBED, "seconds": None, "learning_rate": 1e-9}
    recipe = evaluator.recipe.model_copy(update=changes)
    few = whole.limited(PROBED_PIECES * recipe.bptt * recipe.batch_size)
    ends: list[float] = []

    def note(progress: Progress) -> None:  # of all epochs but the last
        ends.append(time.monotonic())

    train(cell, few, recipe, evaluator.place, Job(cell, 0, stopping=note))
    # the first epoch has what is done once in it
    return (ends[-1] - ends[0]) / (len(ends) - 1) * len(whole.training) / len(few.training)
