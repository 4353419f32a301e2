"""Runs that are given a time: a search among small networks, then a training of the best, large.

A small network costs a fraction of a large one, and says which design is good. So about `SHARE` of
the time is for searching, with networks of half the space's scale that are trained for as many
epochs as let `NETWORKS` of them be trained; the rest is for the best, on the largest scale that the
time is enough for, on all images.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil, sqrt
from typing import Any

import numpy as np
import pandas as pd
import torch

from metaqnn.config import read_time
from metaqnn.data.parts import load_split
from metaqnn.device import resolve_device, use_threads
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.language import LanguageEvaluator
from metaqnn.evaluators.train import TrainEvaluator
from metaqnn.metrics.base import METRICS
from metaqnn.networks.cost import total_cost
from metaqnn.runs import timed_texts
from metaqnn.runs.assembly import Parts, make_evaluator
from metaqnn.runs.clock import NETWORKS, SHARE, Clock
from metaqnn.runs.finalizing import finalize
from metaqnn.runs.finals import Finals, plan_finals
from metaqnn.runs.limits import within_limits
from metaqnn.runs.results import FINAL
from metaqnn.runs.run import Run
from metaqnn.stopping.base import Progress
from metaqnn.storage import free_folder
from metaqnn.terminal import counted
from metaqnn.training.job import threads_of
from metaqnn.training.loop import train
from metaqnn.training.presets import SEARCH, practical
from metaqnn.training.threads import GAIN
from state_space import Architecture, random_walk

CONFIRMED = 3
"""So many of the best are trained again where more than `NETWORKS` can be trained in full."""

TRUST = 0.85
"""A wider network must fit into this share of what is left, since times vary."""

HOPE = 2
"""So many times the epochs that seem to fit are planned, as far as the recipe has them: a training
that runs out of time sees the images fewer times, but none goes on when it is done."""

WIDER = (4, 3, 2)
"""How many times the space's scale the last network may be, the largest first."""

NARROWER = (4, 3, 2, 1.5, 1, 0.75, 0.5)
"""Likewise where the run has a limit that it would exceed."""

ENOUGH = 0.5
"""A wider network is trained where so large a share of the recipe's epochs fits, since the usual
one would be done long before the time is over, and is no better after as many seconds."""

FEWEST = 12
"""Epochs; where fewer fit, a network of half the scale, which has more, is better."""

SHORT = 6
"""Epochs, of fewer images, where not even so many whole ones fit into the last training: it is
ended between epochs, and its schedule is mended after each."""

PROBED, PROBED_STEPS = 6, 4
"""Epochs, and steps of each, of a training that says how long one takes."""

PROBE_SHARE = 0.05
"""Of what is left, at most, for such a training of the large network."""


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
    evaluator = make_evaluator(run, run.space())
    if isinstance(evaluator, LanguageEvaluator):
        return timed_texts.plan_search(run, given)
    trainer = _trainer(run)
    if "scale" not in run.space_settings and run.space().scale:
        small = {name: max(1, value // 2) for name, value in run.space().scale.items()}
        run = replace(run, space_settings={**run.space_settings, "scale": small})
    if "epochs" in given:
        return run
    space = run.space()
    starts = space.starts() or (random_walk(space, np.random.default_rng(run.config.run.seed)),)
    seconds = _epoch(trainer, space.architecture(starts[0]))
    slots = run.config.parts["executor"].workers or 1
    fitting = SHARE * read_time(limit) * slots / NETWORKS / seconds
    changes: dict[str, Any] = {"epochs": min(trainer.recipe.epochs, max(1, int(fitting)))}
    if fitting < 1 and "epoch_images" not in given:
        images = len(load_split(trainer.images)[0])
        changes["epoch_images"] = max(trainer.recipe.batch_size, int(fitting * images))
    if fitting > trainer.recipe.epochs and "confirm" not in given:
        changes["confirm"] = CONFIRMED
    if "start_from" not in given:
        changes["start_from"] = tuple(space.text(walk) for walk in space.starts())
    return replace(run, config=run.config.changed(changes, run.objects))


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
    """Train the best network for what is left of the time, and test it.

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
        MetaqnnError: The training failed.
    """
    evaluator = make_evaluator(run, run.space())
    if isinstance(evaluator, LanguageEvaluator):
        best, data = networks.head(1), "the whole text"
        finals = timed_texts.plan_last(run, evaluator, clock, best.iloc[0])
    else:
        best, data = choose(run, networks), "all images"
        finals = plan_last(run, clock, best.iloc[0])
    recipe, searched = finals.run.config.parts["evaluator"].recipe, best["seconds"].item()
    rank = best["rank"].item()
    if recipe.seconds < searched:
        say(
            f"There is no time to train a network anew: {recipe.seconds:.0f} s are left, and the "
            f"search gave that of rank {rank} {searched:.0f}. A longer --time-limit does."
        )
        return None
    why = "" if rank == 1 else ", made by hand, to which no other is superior beyond chance,"
    before, after = run.space().scale, finals.run.space().scale
    grown = [key for key in after if after[key] != before[key]]
    sizes = [f" with {key} {after[key]} for {before[key]}" for key in grown]
    say(
        f"The network of rank {rank}{why} is trained anew on {data}{' and'.join(sizes)}, for "
        f"as many of {counted(recipe.epochs, 'epoch')} as fit into {recipe.seconds:.0f} s."
    )
    results = finalize(finals, best, 1, 1, quiet=quiet)
    if reason := results["error"].dropna().to_list():
        raise MetaqnnError(f"the last training failed: {reason[0]}")
    return finals, results


def choose(run: Run, networks: pd.DataFrame) -> pd.DataFrame:
    """The one network to train large, a row: the best, or the first of those made by hand.

    That is known to do well in long trainings, and what helps there, such as mirrored images, does
    not yet in short ones. So another one must be better by more than two standard errors of a
    difference of two validation scores, as the luckiest of a dozen may be by one.

    Args:
        run: Of the search.
        networks: `metaqnn.reports.top_k.best_networks`, all of them.
    """
    best = networks.head(1)
    there = (networks[networks["walk"] == walk] for walk in run.space().starts())
    start = next((found for found in there if len(found)), None)
    if start is None:
        return best
    share, trainer = best["score"].item(), _trainer(run)
    _, validation = load_split(trainer.images)
    counts = validation.labels.bincount().numpy()
    noise = 2 * sqrt(2 * share * (1 - share) / METRICS.find(trainer.metric).images(counts))
    return best if share - start["score"].item() > noise else start


def plan_last(run: Run, clock: Clock, best: "pd.Series[Any]") -> Finals:
    """The training of a network as large and long as the time that is left allows.

    Args:
        run: Of the search.
        clock: Of the run.
        best: The network, a row of `metaqnn.reports.top_k.best_networks`.
    """
    trainer = _trainer(run)
    training, validation = load_split(trainer.images)
    whole = replace(run, space_settings={**run.space_settings, "scale": {}}).space()
    shape = run.task.shape

    def scale(times: float) -> dict[str, int]:
        return {name: max(1, int(times * value)) for name, value in whole.scale.items()}

    def cost(times: float) -> int:
        return total_cost(whole.architecture(best["walk"], scale(times)), shape).multiply_adds

    # wide networks compute more in a second, so this is no less than it will be
    seconds = best["seconds"] / len(best["curve"]) * cost(1) / best["multiply_adds"]
    seconds *= len(training) / trainer.recipe.seen(len(training))
    probed = PROBED * PROBED_STEPS * trainer.recipe.batch_size / len(training)
    # for so many images there is the time
    changes: dict[str, Any] = {"train_limit": trainer.images.train_limit}
    if probed * seconds < PROBE_SHARE * clock.left:
        network = whole.architecture(best["walk"])
        seconds = _epoch(trainer, network)
        if (workers := run.config.parts["executor"].workers or 1) > 1:
            threads = workers * (trainer.place.threads or 1)  # those of the workers that are idle
            place = replace(trainer.place, threads=threads)
            together = _epoch(replace(trainer, place=place), network)
            if seconds > GAIN * together:
                seconds = together
                changes |= {"workers": 1, "threads": threads}
    images = len(training) + len(validation)
    seconds *= images / len(training)
    full = practical(images, shape[1])["epochs"]
    fitting = clock.left / seconds

    def epochs_of(times: float) -> float:
        return float(fitting * cost(1) / cost(times))

    enough = ENOUGH * full
    wider: list[float] = [times for times in WIDER if TRUST * epochs_of(times) >= enough]
    times = max(wider, default=1 if epochs_of(1) >= min(full, FEWEST) else 0.5)
    steps = (times, *(less for less in NARROWER if less < times))
    size, known = within_limits(run, best, map(scale, steps))
    times = next((one for one in steps if scale(one) == size), steps[-1])
    if epochs_of(times) < SHORT:
        short = int(images * epochs_of(times) / SHORT)
        changes["epoch_images"] = max(trainer.recipe.batch_size, short)
        changes["epochs"] = HOPE * SHORT
    else:
        changes["epochs"] = min(full, int(HOPE * epochs_of(times)))
    changes["seconds"] = clock.for_last
    name = free_folder(run.path / FINAL, "timed").name
    return plan_finals(run, SEARCH, name, changes, size, known)


def _epoch(trainer: TrainEvaluator, architecture: Architecture) -> float:
    """About how many seconds an epoch of a training takes."""
    training, validation = (
        images.to(torch.device(resolve_device(trainer.place.device)))
        for images in load_split(trainer.images)
    )
    few = min(len(training), PROBED_STEPS * trainer.recipe.batch_size)
    some = validation.take(torch.arange(ceil(len(validation) * few / len(training))))
    recipe = trainer.recipe.model_copy(update={"epochs": PROBED})
    ends: list[float] = []

    def note(progress: Progress) -> None:  # of all epochs but the last
        ends.append(time.monotonic())

    with use_threads(threads_of(trainer, training)):
        train(architecture, training.take(torch.arange(few)), some, recipe, 0, stopping=note)
    # the first epoch has what is done once in it
    return (ends[-1] - ends[0]) / (len(ends) - 1) * len(training) / few


def _trainer(run: Run) -> TrainEvaluator:
    """What trains the networks.

    Raises:
        MetaqnnError: Nothing does.
    """
    evaluator = make_evaluator(run, run.space())
    if not isinstance(evaluator, TrainEvaluator):
        raise MetaqnnError("time-limit is for runs that train networks on a data set")
    return evaluator
