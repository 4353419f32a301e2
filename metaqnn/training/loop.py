"""The training loop."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter

import torch
from torch import Tensor

from metaqnn.data.images import Images
from metaqnn.device import within_memory
from metaqnn.errors import MetaqnnError
from metaqnn.metrics.accuracy import ACCURACY
from metaqnn.metrics.base import Metric
from metaqnn.models.model import Facts
from metaqnn.models.network import save_network
from metaqnn.networks.build import Network
from metaqnn.networks.cost import check_scores, size_metrics
from metaqnn.stopping.base import Progress, StopRule, Verdict
from metaqnn.training.chance import Chance
from metaqnn.training.cuda_graph import GRAPHS, Graphs
from metaqnn.training.epochs import Tally, TrainingDiverged
from metaqnn.training.epochs import epochs as _epochs
from metaqnn.training.fit import check_fit, memory_of
from metaqnn.training.proof import GraphFailed
from metaqnn.training.recipe import Recipe
from metaqnn.training.scaffold import Scaffold
from metaqnn.training.settings import with_settings
from metaqnn.training.speed import Speed
from replay import Outcome
from state_space import Architecture
from state_space.settings import suggestion

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
    stopping: StopRule | None = None,
    reward: Callable[[Outcome], float] = attrgetter("best"),
    speed: Speed | None = None,
    graphs: Graphs = GRAPHS,
    metric: Metric = ACCURACY,
) -> Outcome:
    """Train a network by the recipe and validate it after every epoch.

    A network that has learnt nothing, as `Chance` judges it, or whose loss is not finite after its
    first epoch, starts again at a lower learning rate. The metric at_chance says that none helped.
    A network that runs out of memory is trained anew with its batches in 2, 4, 8 ... parts, whose
    gradients are added up. Where recorded steps turn out not to be trusted, it is trained anew
    without them, and so are all that follow.

    Args:
        architecture: Without what the recipe adds.
        training: Images on the device where to train.
        validation: Images on the same device.
        recipe: The rules, but for what the network itself sets.
        seed: Of weights, batches and dropout.
        keep_above: Return the weights of the best epoch where the reward exceeds this.
        keep_last: Return those of the last epoch instead, where the validation images are not apart
            from the training images.
        start: Weights to begin with, by their names in the network's state; others are drawn.
        stopping: Ends a training that is hopeless; hears of epochs again that are trained anew.
        reward: Of an outcome, were the training to end with it.
        speed: How the device computes; None is all that it knows.
        graphs: What records steps, where the speed has CUDA graphs.
        metric: How good the answers on the validation images are.

    Raises:
        MetaqnnError: The network has no weights of a name in `start`, or its settings are none of
            the recipe.
        ShapeError: A layer cannot read what comes before it, or the last one scores no classes.
        DoesNotFit: The device's memory is too small even for batches in parts.
        TrainingDiverged: The loss stopped being finite.
    """
    began = time.perf_counter()
    ends = math.inf if recipe.seconds is None else began + recipe.seconds
    recipe = with_settings(recipe, architecture.settings)
    device = training.images.device
    speed = speed or Speed.of(device, bfloat16=recipe.bfloat16)
    chance = metric.chance(len(training.classes))
    check_scores(architecture, len(training.classes))
    size = size_metrics(architecture, training.shape)
    dressed = recipe.dress(architecture)
    scaffold = Scaffold.of(architecture, dressed, recipe, training.shape)
    if recipe.contrast:
        training = replace(training, contrast=True)
    value = 2 if speed.bfloat16 else 4
    check_fit(dressed, training.shape, recipe, value, memory_of(device))
    rule = Chance.of(recipe, training, validation, metric)
    factors = [recipe.restart_factor**restart for restart in range(recipe.restarts + 1)]
    if rule.trains_on:
        factors.append(1.0)

    def attempt(splits: int) -> Outcome:
        generator = torch.Generator(device).manual_seed(seed)
        tally = Tally()
        for restart, factor in enumerate(factors):
            curve: list[float] = []
            weights = None
            verdict: Verdict | None = None
            rate = recipe.rate(0) * factor
            last, failed = restart == len(factors) - 1, False
            network = Network(dressed, training.shape, generator, xavier=recipe.xavier)
            _take_along(network, start or {})
            for score in _epochs(
                network,
                training,
                validation,
                recipe,
                factor,
                generator,
                speed,
                splits,
                tally,
                graphs,
                ends,
                scaffold,
                metric,
            ):
                if not curve and math.isnan(score):  # a lower rate may help
                    break
                failed = rule.fails([*curve, score]) and not (last and rule.trains_on)
                if failed:
                    break
                improved = score > max(curve, default=-math.inf)
                curve.append(score)
                if improved and not keep_last and reward(Outcome(size, tuple(curve))) > keep_above:
                    weights = _weights(network, training)
                if stopping and not verdict and len(curve) < recipe.epochs:
                    known = {**size, "learning_rate": rate}
                    verdict = stopping(Progress(known, recipe.epochs, tuple(curve)))
                    if verdict and not verdict.goes_on:
                        break
            if not failed and not math.isnan(score):
                break
        if math.isnan(score):
            raise TrainingDiverged(
                f"the loss is not finite in epoch 1, also at the rate {rate:.2g}"
            )
        if failed:  # as in the paper, it counts as chance
            curve = [chance]
            if reward(Outcome(size, tuple(curve))) > keep_above:
                weights = _weights(network, training)
        metrics = {
            **size,
            "restarts": restart,
            "learning_rate": rate,
            "batch_splits": splits,
            "seconds": time.perf_counter() - began,
            **tally.metrics(int(size["multiply_adds"]), device),
            **(verdict.metrics if verdict else {}),
            **({"at_chance": 1} if failed or rule.stays(curve) else {}),
            **({"reached": score} if failed else {}),
        }
        if keep_last:
            weights = _weights(network, training)
        # the weights of a stopped training do not reach what is predicted of it
        kept = None if verdict and "predicted" in verdict.metrics else weights
        return Outcome(metrics, curve=tuple(curve), weights=kept)

    with speed.backends(device):
        try:
            return within_memory(attempt, recipe.batch_size, device)
        except GraphFailed as failure:
            graphs.proof.fail(failure)
        # behind the except, as the error holds the tensors of the attempt
        return within_memory(attempt, recipe.batch_size, device)


def _take_along(network: Network, start: Mapping[str, Tensor]) -> None:
    for name in network.load_state_dict(start, strict=False).unexpected_keys:
        known = suggestion(name, network.state_dict())
        raise MetaqnnError(f"the network has no weights {name!r} to start with{known}")


def _weights(network: Network, training: Images) -> bytes:
    mean, deviation = (tuple(values.flatten().tolist()) for values in training.statistics)
    text, shape, classes = network.architecture.text, training.shape, training.classes
    facts = Facts(text, shape, classes, mean, deviation, training.contrast, training.preparation)
    return save_network(network, facts)
