"""Runs on texts that are given a time: a search by short trainings, then a long one of the best.

All trainings of the search have the same seconds, a part of its share of the time, unless their
epochs are done before. The last one has as many epochs of the whole text as fit into the rest.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from metaqnn.config import read_time
from metaqnn.evaluators.base import Job
from metaqnn.evaluators.language import LanguageEvaluator, read
from metaqnn.language.presets import SEARCH
from metaqnn.language.training import train
from metaqnn.runs.clock import NETWORKS, SHARE, Clock
from metaqnn.runs.finals import Finals, plan_finals
from metaqnn.runs.results import FINAL
from metaqnn.runs.run import Run
from metaqnn.stopping.base import Progress
from metaqnn.storage import free_folder
from state_space import Architecture

LONGEST = 4
"""How many times the epochs of the search the last training has, at most: small texts are learnt
by heart."""

PROBED, PROBED_PIECES = 3, 8
"""Epochs, and pieces of text in each, of a training that says how long an epoch takes."""


def plan_search(run: Run, given: Mapping[str, Any]) -> Run:
    """The run, with trainings so short that enough of them fit into its search.

    Args:
        run: Has a time, and learns from a text.
        given: The options that somebody gave, which stay.
    """
    limit = run.config.run.time_limit
    if limit is None or "epochs" in given or "seconds" in given:
        return run
    slots = run.config.parts["executor"].workers or 1
    seconds = SHARE * read_time(limit) * slots / NETWORKS
    return replace(run, config=run.config.changed({"seconds": seconds}, run.objects))


def plan_last(
    run: Run, evaluator: LanguageEvaluator, clock: Clock, best: "pd.Series[Any]"
) -> Finals:
    """The training of a cell on the whole text, as long as the time that is left allows.

    The rate falls as far as in the search where there are more epochs, and slower.

    Args:
        run: Of the search.
        evaluator: Of the run.
        clock: Of the run.
        best: The cell, a row of `metaqnn.reports.top_k.best_networks`.
    """
    recipe = evaluator.recipe
    epoch = _epoch(evaluator, run.space().architecture(best["walk"]))
    epochs = max(1, min(LONGEST * recipe.epochs, int(clock.for_last / epoch)))
    times = epochs / recipe.epochs
    changes = {
        "epochs": epochs,
        "constant_epochs": max(1, round(times * recipe.constant_epochs)),
        "decay": recipe.decay ** (1 / max(1.0, times)),
        "seconds": clock.for_last,
    }
    return plan_finals(run, SEARCH, free_folder(run.path / FINAL, "timed").name, changes)


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
