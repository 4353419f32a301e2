"""The training loop."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from metaqnn.data.images import Images
from metaqnn.models.model import Facts
from metaqnn.models.network import save_network
from metaqnn.networks.build import Network
from metaqnn.networks.cost import size_metrics
from metaqnn.stopping.base import Progress, Rule, Verdict
from metaqnn.training.epochs import Tally, TrainingDiverged
from metaqnn.training.epochs import epochs as _epochs
from metaqnn.training.fit import check_fit, memory_of, within_memory
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed
from replay import Outcome
from state_space import Architecture

__all__ = ["TrainingDiverged", "train"]


def train(
    architecture: Architecture,
    training: Images,
    validation: Images,
    recipe: Recipe,
    seed: int,
    *,
    keep_above: float = math.inf,
    keep_last: bool = False,
    start: Mapping[str, Tensor] | None = None,
    stopping: Rule | None = None,
    speed: Speed | None = None,
) -> Outcome:
    """Train a network by the recipe and validate it after every epoch.

    A network that is at chance after its first epoch starts again at a lower learning rate; one
    that never leaves chance has the curve (chance,). A network that runs out of memory is trained
    anew with its batches in 2, 4, 8 ... parts, whose gradients are added up.

    Args:
        architecture: Without the dropout that the recipe adds.
        training: Images on the device where to train.
        validation: Images on the same device.
        recipe: The rules.
        seed: Of weights, batches and dropout.
        keep_above: Return the weights of the best epoch where its accuracy exceeds this.
        keep_last: Return those of the last epoch instead, where the validation images are not apart
            from the training images.
        start: Weights to begin with, by their names in the network's state; others are drawn.
        stopping: Ends a training that is hopeless.
        speed: How the device computes; None is all that it knows.

    Raises:
        ShapeError: A layer cannot read what comes before it.
        DoesNotFit: The device's memory is too small even for batches in parts.
        TrainingDiverged: The loss stopped being finite.
    """
    began = time.perf_counter()
    device = training.images.device
    speed = speed or Speed.of(device)
    chance = 1 / len(training.classes)
    size = size_metrics(architecture, training.shape)
    dressed = recipe.dress(architecture)
    if recipe.contrast:
        training = replace(training, contrast=True)
    value = 2 if speed.bfloat16 else 4
    check_fit(dressed, training.shape, recipe, value, memory_of(device))

    def attempt(splits: int) -> Outcome:
        generator = torch.Generator(device).manual_seed(seed)
        curve: list[float] = []
        weights = None
        verdict: Verdict | None = None
        tally = Tally()
        for restart in range(recipe.restarts + 1):
            factor = recipe.restart_factor**restart
            rate = recipe.rate(0) * factor
            network = Network(dressed, training.shape, generator)
            network.load_state_dict(start or {}, strict=False)
            for accuracy in _epochs(
                network, training, validation, recipe, factor, generator, speed, splits, tally
            ):
                if not curve and accuracy <= recipe.restart_below * chance:
                    break
                if not keep_last and accuracy > max(keep_above, *curve, -1):
                    weights = _weights(network, training)
                curve.append(accuracy)
                if stopping and not verdict and len(curve) < recipe.epochs:
                    verdict = stopping(
                        Progress(architecture, training.shape, rate, recipe.epochs, tuple(curve))
                    )
                    if verdict and not verdict.goes_on:
                        break
            if curve:
                break
        metrics = {
            **size,
            "restarts": restart,
            "learning_rate": rate,
            "batch_splits": splits,
            "seconds": time.perf_counter() - began,
            **tally.metrics(int(size["multiply_adds"]), device),
            **(verdict.metrics if verdict else {}),
        }
        if keep_last and curve:
            weights = _weights(network, training)
        # the weights of a stopped training do not reach what is predicted of it
        kept = None if verdict and "predicted" in verdict.metrics else weights
        return Outcome(metrics, curve=tuple(curve) or (chance,), weights=kept)

    with speed.backends(device):
        return within_memory(attempt, recipe.batch_size, device)


def _weights(network: Network, training: Images) -> bytes:
    mean, deviation = (tuple(values.flatten().tolist()) for values in training.statistics)
    text, shape, classes = network.architecture.text, training.shape, training.classes
    facts = Facts(text, shape, classes, mean, deviation, training.contrast, training.preparation)
    return save_network(network, facts)
