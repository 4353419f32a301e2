"""How long trainings on images take, and what fits into a time."""

import time
from collections.abc import Mapping
from dataclasses import replace
from math import ceil, sqrt
from typing import Any

import torch

from metaqnn.data.parts import load_split
from metaqnn.device import resolve_device, use_threads
from metaqnn.evaluators.best import Best, Scale
from metaqnn.evaluators.train import TrainEvaluator
from metaqnn.metrics.base import METRICS
from metaqnn.networks.cost import total_cost
from metaqnn.stopping.base import Progress
from metaqnn.training.job import threads_of
from metaqnn.training.loop import train
from metaqnn.training.presets import practical
from metaqnn.training.threads import GAIN
from state_space import Architecture

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


def plan_search(
    trainer: TrainEvaluator, seconds: float, network: Architecture, given: Mapping[str, Any]
) -> dict[str, Any]:
    """See `Trainer.plan_search`."""
    recipe = trainer.recipe
    fitting = seconds / _epoch(trainer, network)
    changes: dict[str, Any] = {"epochs": min(recipe.epochs, max(1, int(fitting)))}
    if fitting < 1 and "epoch_images" not in given:
        images = len(load_split(trainer.images)[0])
        changes["epoch_images"] = max(recipe.batch_size, int(fitting * images))
    if fitting > recipe.epochs and "confirm" not in given:
        changes["confirm"] = CONFIRMED
    return changes


def noise(trainer: TrainEvaluator, score: float) -> float:
    """See `Trainer.noise`; the score is a share of the images for validation."""
    _, validation = load_split(trainer.images)
    counts = validation.labels.bincount().numpy()
    return 2 * sqrt(2 * score * (1 - score) / METRICS.find(trainer.metric).images(counts))


def plan_last(trainer: TrainEvaluator, best: Best) -> tuple[dict[str, Any], Scale]:
    """See `Trainer.plan_last`."""
    training, validation = load_split(trainer.images)
    whole, shape = best.space, training.shape

    def scale(times: float) -> dict[str, int]:
        return {name: max(1, int(times * value)) for name, value in whole.scale.items()}

    def cost(times: float) -> int:
        return total_cost(whole.architecture(best.walk, scale(times)), shape).multiply_adds

    # wide networks compute more in a second, so this is no less than it will be
    seconds = best.epoch * cost(1) / best.multiply_adds
    seconds *= len(training) / trainer.recipe.seen(len(training))
    probed = PROBED * PROBED_STEPS * trainer.recipe.batch_size / len(training)
    # for so many images there is the time
    changes: dict[str, Any] = {"train_limit": trainer.images.train_limit}
    if probed * seconds < PROBE_SHARE * best.time.left:
        network = whole.architecture(best.walk)
        seconds = _epoch(trainer, network)
        if best.workers > 1:
            # those of the workers that are idle
            threads = best.workers * (trainer.place.threads or 1)
            place = replace(trainer.place, threads=threads)
            together = _epoch(replace(trainer, place=place), network)
            if seconds > GAIN * together:
                seconds = together
                changes |= {"workers": 1, "threads": threads}
    images = len(training) + len(validation)
    seconds *= images / len(training)
    full = practical(images, shape[1])["epochs"]
    fitting = best.time.left / seconds

    def epochs_of(times: float) -> float:
        return float(fitting * cost(1) / cost(times))

    enough = ENOUGH * full
    wider: list[float] = [times for times in WIDER if TRUST * epochs_of(times) >= enough]
    times = max(wider, default=1 if epochs_of(1) >= min(full, FEWEST) else 0.5)
    steps = (times, *(less for less in NARROWER if less < times))
    size = best.fit(map(scale, steps))
    times = next((one for one in steps if scale(one) == size), steps[-1])
    if epochs_of(times) < SHORT:
        short = int(images * epochs_of(times) / SHORT)
        changes["epoch_images"] = max(trainer.recipe.batch_size, short)
        changes["epochs"] = HOPE * SHORT
    else:
        changes["epochs"] = min(full, int(HOPE * epochs_of(times)))
    changes["seconds"] = best.time.for_last
    return changes, size


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
