"""Runs that are given a time: a search among small networks, then a training of the best, large.

A small network costs a fraction of a large one, and says which design is good. So about `SHARE` of
the time is for searching, with networks of half the space's scale that are trained for as many
epochs as let `NETWORKS` of them be trained; the rest is for the best, on the largest scale that the
time is enough for, on all images.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from metaqnn.config import read_time
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.best import Best, Scale
from metaqnn.evaluators.trainer import NO_TIME, Trainer
from metaqnn.runs.assembly import Parts, make_trainer
from metaqnn.runs.clock import NETWORKS, SHARE, Clock
from metaqnn.runs.finalizing import finalize
from metaqnn.runs.finals import Finals, plan_finals
from metaqnn.runs.limits import within_limits
from metaqnn.runs.results import FINAL
from metaqnn.runs.run import Run
from metaqnn.storage import free_folder
from metaqnn.terminal import counted
from metaqnn.training.presets import SEARCH
from state_space import random_walk


def plan_search(run: Run, given: Mapping[str, Any]) -> Run:
    """The run, if it has a time, with trainings so small that enough of them fit into its search.

    Args:
        run: As it was asked for.
        given: The options that somebody gave, which stay.

    Raises:
        MetaqnnError: It trains nothing.
    """
    limit = run.config.run.time_limit
    if limit is None:
        return run
    trainer = make_trainer(run, NO_TIME)
    if "scale" not in run.space_settings and run.space().scale:
        small = {name: max(1, value // 2) for name, value in run.space().scale.items()}
        run = replace(run, space_settings={**run.space_settings, "scale": small})
    if "epochs" in given:
        return run
    space = run.space()
    starts = space.starts()
    walk = starts[0] if starts else random_walk(space, np.random.default_rng(run.config.run.seed))
    slots = run.config.parts["executor"].workers or 1
    seconds = SHARE * read_time(limit) * slots / NETWORKS
    changes = trainer.plan_search(seconds, space.architecture(walk), given)
    if starts and "start_from" not in given:
        changes["start_from"] = tuple(space.text(walk) for walk in starts)
    return replace(run, config=run.config.changed(changes, run.objects)) if changes else run


def with_deadline(parts: Parts, clock: Clock | None) -> Parts:
    """The parts of a search that ends with its share of the time, if there is one."""
    if clock is None:
        return parts
    rules = replace(parts.rules, deadline=clock.search_ends)
    if rules.confirm:
        rules = replace(rules, confirm_from=clock.confirming_begins)
    return replace(parts, rules=rules)


def train_last(
    run: Run, clock: Clock, networks: pd.DataFrame, say: Callable[[str], None], *, quiet: bool
) -> tuple[Finals, pd.DataFrame] | None:
    """Train the best network for what is left of the time, and test it; if that fails, the next.

    Not where less is left than the search gave the network: it would be worse, and nobody knew.

    Args:
        run: Of the search.
        clock: Of the run.
        networks: `metaqnn.reports.top_k.best_networks`, all of them.
        say: Is told what will be trained.
        quiet: Show no progress.

    Returns:
        The trainings, and their results as `metaqnn.runs.finals.Finals.test` has them; None where
        there was no time.

    Raises:
        MetaqnnError: The trainings of all of them failed.
    """
    trainer = make_trainer(run, NO_TIME)
    while len(networks):
        best = choose(run, trainer, networks)
        finals = plan_last(run, trainer, clock, best.iloc[0])
        recipe, searched = finals.run.config.parts["evaluator"].recipe, best["seconds"].item()
        rank = best["rank"].item()
        if recipe.seconds < searched:
            say(
                f"There is no time to train a network anew: {recipe.seconds:.0f} s are left, and "
                f"the search gave that of rank {rank} {searched:.0f}. A longer --time-limit does."
            )
            return None
        why = "" if rank == 1 else f", {_reason(run, best)},"
        before, after = run.space().scale, finals.run.space().scale
        grown = [key for key in after if after[key] != before[key]]
        sizes = [f" with {key} {after[key]} for {before[key]}" for key in grown]
        say(
            f"The network of rank {rank}{why} is trained anew on {trainer.whole_data}"
            f"{' and'.join(sizes)}, for as many of {counted(recipe.epochs, 'epoch')} as fit into "
            f"{recipe.seconds:.0f} s."
        )
        results = finalize(finals, best, 1, 1, quiet=quiet)
        failure = results["error"].dropna().to_list()
        if not failure:
            return finals, results
        say(f"That failed: {failure[0]}")
        shutil.rmtree(finals.path)
        networks = networks[networks["walk"] != best["walk"].item()]
    raise MetaqnnError("the last trainings of all networks failed")


def _reason(run: Run, best: pd.DataFrame) -> str:
    if best["walk"].item() in run.space().starts():
        return "made by hand, to which no other is superior beyond chance"
    return "the best of those that are left"


def choose(run: Run, trainer: Trainer, networks: pd.DataFrame) -> pd.DataFrame:
    """The one network to train large, a row: the best, or the first of those made by hand.

    That is known to do well in long trainings, and what helps there, such as mirrored images, does
    not yet in short ones. So another one must be better by more than two standard errors of a
    difference of two validation scores, as the luckiest of a dozen may be by one.

    Args:
        run: Of the search.
        trainer: Of the run.
        networks: `metaqnn.reports.top_k.best_networks`, all of them.
    """
    best = networks.head(1)
    there = (networks[networks["walk"] == walk] for walk in run.space().starts())
    start = next((found for found in there if len(found)), None)
    if start is None:
        return best
    score = best["score"].item()
    return best if score - start["score"].item() > trainer.noise(score) else start


def plan_last(run: Run, trainer: Trainer, clock: Clock, best: "pd.Series[Any]") -> Finals:
    """The training of a network as large and long as the time that is left allows.

    Args:
        run: Of the search.
        trainer: Of the run.
        clock: Of the run.
        best: The network, a row of `metaqnn.reports.top_k.best_networks`.
    """
    known: dict[str, float] = {}

    def fit(scales: Iterable[Scale]) -> Scale:
        size, found = within_limits(run, best, scales)
        known.update(found)
        return size

    changes, size = trainer.plan_last(
        Best(
            replace(run, space_settings={**run.space_settings, "scale": {}}).space(),
            best["walk"],
            best["seconds"] / len(best["curve"]),
            best.get("multiply_adds", nan),
            run.config.parts["executor"].workers or 1,
            clock,
            fit,
        )
    )
    name = free_folder(run.path / FINAL, "timed").name
    return plan_finals(run, SEARCH, name, changes, size, known)
