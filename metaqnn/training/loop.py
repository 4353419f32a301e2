"""The training loop."""

import json
import math
import time
from collections.abc import Iterator

import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaqnn.networks.build import Network
from metaqnn.networks.cost import total_cost
from metaqnn.training.data import Images
from metaqnn.training.recipe import Recipe
from replay import Outcome
from state_space import Architecture


class TrainingDiverged(RuntimeError):
    """The loss is not a finite number any more."""


def train(
    architecture: Architecture,
    training: Images,
    validation: Images,
    recipe: Recipe,
    seed: int,
    keep_above: float = math.inf,
) -> Outcome:
    """Train a network by the recipe and validate it after every epoch.

    A network that is at chance after its first epoch starts again at a lower learning rate; one
    that never leaves chance has the curve (chance,).

    Args:
        architecture: Without the dropout that the recipe adds.
        training: Images on the device where to train.
        validation: Images on the same device.
        recipe: The rules.
        seed: Of weights, batches and dropout.
        keep_above: Return the weights of the best epoch where its accuracy exceeds this.

    Raises:
        ShapeError: A layer cannot read what comes before it.
        TrainingDiverged: The loss stopped being finite.
    """
    start = time.perf_counter()
    generator = torch.Generator(training.images.device).manual_seed(seed)
    chance = 1 / len(training.classes)
    dressed = recipe.dress(architecture)
    curve: list[float] = []
    weights = None
    for restart in range(recipe.restarts + 1):
        rate = recipe.learning_rate * recipe.restart_factor**restart
        network = Network(dressed, training.shape, generator)
        for accuracy in _epochs(network, training, validation, recipe, rate, generator):
            if not curve and accuracy <= recipe.restart_below * chance:
                break
            if accuracy > max(keep_above, *curve, -1):
                weights = _weights(network, training)
            curve.append(accuracy)
        if curve:
            break
    cost = total_cost(architecture, training.shape)
    return Outcome(
        metrics={
            "parameters": cost.parameters,
            "multiply_adds": cost.multiply_adds,
            "nodes": len(architecture.nodes),
            "edges": architecture.edges,
            "restarts": restart,
            "learning_rate": rate,
            "seconds": time.perf_counter() - start,
        },
        curve=tuple(curve) or (chance,),
        weights=weights,
    )


def _epochs(
    network: Network,
    training: Images,
    validation: Images,
    recipe: Recipe,
    rate: float,
    generator: torch.Generator,
) -> Iterator[float]:
    """Train an epoch at a time, and yield the validation accuracy after each."""
    device = generator.device
    on_gpu = device.type == "cuda"
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(
        network.parameters(),
        lr=rate,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=recipe.weight_decay,
        fused=device.type in ("cpu", "cuda"),
    )
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, recipe.decay_every, recipe.decay)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=on_gpu)
    for epoch in range(recipe.epochs):
        network.train()
        losses = torch.zeros((), device=device)
        order = torch.randperm(len(training), generator=generator, device=device)
        for batch in torch.split(order, recipe.batch_size):
            images = training.normalise(training.images[batch])
            if recipe.mirror:
                images = _mirror(images, generator)
            with autocast:
                loss = cross_entropy(network(images), training.labels[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            losses += loss.detach()
        schedule.step()
        with autocast:
            accuracy = _accuracy(network, validation, training)
        if epoch and not torch.isfinite(losses):
            raise TrainingDiverged(f"the loss is not finite in epoch {epoch + 1}")
        yield accuracy


def _mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images, left to right."""
    flipped = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(flipped, images.flip(3), images)


@torch.inference_mode()
def _accuracy(network: Network, images: Images, training: Images) -> float:
    """The share of images whose class gets the highest score."""
    network.eval()
    correct = torch.zeros((), dtype=torch.int64, device=images.labels.device)
    for start in range(0, len(images), 512):
        batch = slice(start, start + 512)
        scores = network(training.normalise(images.images[batch]))
        correct += (scores.argmax(1) == images.labels[batch]).sum()
    return int(correct) / len(images)


def _weights(network: Network, training: Images) -> bytes:
    """A safetensors file with what it takes to build and use the network."""
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    mean, deviation = training.statistics
    metadata = {
        "architecture": network.architecture.text,
        "input_shape": json.dumps(training.shape),
        "classes": json.dumps(training.classes),
        "mean": json.dumps(mean.flatten().tolist()),
        "deviation": json.dumps(deviation.flatten().tolist()),
    }
    return save(tensors, metadata)
