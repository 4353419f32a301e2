"""A network's way through the training images: the steps of an epoch, and what they cost."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from metaqnn.data.images import Images
from metaqnn.metrics.accuracy import ACCURACY
from metaqnn.metrics.base import Metric
from metaqnn.networks.build import Network
from metaqnn.networks.cost import takes_size
from metaqnn.training.augment import augment, shrink
from metaqnn.training.auxiliary import AuxiliaryHead
from metaqnn.training.cuda_graph import GraphedStep, Graphs
from metaqnn.training.drop_path import DropPath
from metaqnn.training.loss import Loss
from metaqnn.training.optimizers import OPTIMIZERS
from metaqnn.training.peak import utilisation
from metaqnn.training.recipe import Recipe
from metaqnn.training.scaffold import NONE, Scaffold
from metaqnn.training.speed import Speed

VALIDATION_BATCH = 512
"""Images that are validated at once."""

SMALLEST = 16
"""Height and width below which images are not brought."""


ROUNDING = 1e-6
"""Of an epoch."""


class TrainingDiverged(RuntimeError):
    """The loss is not a finite number any more."""


@dataclass
class Tally:
    """Counts what was trained, over all starts of a network.

    Attributes:
        images: That went through a step.
        seconds: That the steps took, without validation.
    """

    images: int = 0
    seconds: float = 0.0

    def metrics(self, multiply_adds: int, device: torch.device) -> dict[str, float]:
        """Images a second, and on a GPU whose peak is known the share of it that was used.

        Args:
            multiply_adds: Of an image, forward.
            device: Where they were trained.
        """
        if not self.seconds:
            return {}
        speed = self.images / self.seconds
        share = utilisation(multiply_adds, speed, device)
        return {"images_per_second": speed, **({} if share is None else {"utilisation": share})}


class Steps:
    """Trains a network, a batch at a time."""

    def __init__(
        self,
        network: Network,
        training: Images,
        recipe: Recipe,
        factor: float,
        generator: torch.Generator,
        speed: Speed,
        splits: int,
        scaffold: Scaffold = NONE,
    ) -> None:
        """Begin with the network as it is.

        Args:
            network: Is trained in place.
            training: Images on the generator's device.
            recipe: The rules.
            factor: Of the recipe's learning rates.
            generator: Draws batches, new images and dropout.
            speed: How the device computes.
            splits: Parts in which a batch goes through the network.
            scaffold: What the recipe adds to the network.
        """
        self.network = network.to(memory_format=speed.layout)
        self.training = training
        self.recipe = recipe
        self.loss = Loss.of(recipe, training)
        self.factor = factor
        self.generator = generator
        self.speed = speed
        self.splits = splits
        self.device = generator.device
        self.head = self.paths = None
        if scaffold.branch:
            classes = len(training.classes)
            head = AuxiliaryHead(scaffold.branch, classes, generator, xavier=recipe.xavier)
            head.listen(network)
            self.head = head.to(memory_format=speed.layout)
        if scaffold.paths:
            self.paths = DropPath(network, scaffold.paths, recipe.keep_path, generator)
        # the last layer, which some optimizers treat otherwise, is the network's
        trained = [self.head, network] if self.head else [network]
        self.weights: list[Tensor] = [
            weights for module in trained for weights in module.parameters()
        ]
        self.buffers = [values for module in trained for values in module.buffers()]
        optimizer = OPTIMIZERS.find(recipe.optimizer)
        self.optimizer = optimizer.from_recipe(self.weights, recipe)
        self.rate = math.nan  # that the optimizer was told last
        self.size = self.full = training.shape[1:]
        self.losses = torch.zeros((), device=self.device)

    def resize(self, epoch: int) -> bool:
        """Let the images have the size of an epoch; whether it is another than before."""
        least = min(SMALLEST / min(self.full), 1.0)
        share = max(self.recipe.size(epoch), least)
        size = tuple(round(share * side) for side in self.full)
        if size != self.full and not self._takes(size):
            size = self.full
        before, self.size = self.size, size
        return size != before

    def epoch(self, epoch: float, graph: GraphedStep | None, counts: float = 1) -> float:
        """Train on the images of an epoch, in a new order; the sum of the batches' losses.

        Args:
            epoch: Of the recipe, counted from 0.
            graph: What replays steps, if anything does.
            counts: So many epochs of the recipe go by meanwhile.
        """
        self.network.train()
        self.losses.zero_()
        order = torch.randperm(len(self.training), generator=self.generator, device=self.device)
        parts = batches(order[: self.recipe.epoch_images], self.recipe.batch_size)
        for number, batch in enumerate(parts):
            step = epoch * len(parts) + counts * number
            rate = self.factor * self.recipe.step_rate(step, len(parts))
            if rate != self.rate:
                self.optimizer.rate.fill_(rate)
                self.rate = rate
            if self.paths:
                self.paths.progress.fill_(self.recipe.progress(step, len(parts)))
            (graph or self.step)(batch)
            if not self.speed.late:
                self.losses.item()
        return self.losses.item()

    def step(self, batch: Tensor) -> None:
        """One update, from the images at these indices."""
        self.optimizer.clear()
        for part in self._parts(batch):
            images = self.training.normalise(self.training.images[part], self.speed.layout)
            images = augment(images, self.recipe, self.generator)
            if self.size != self.full:
                images = shrink(images, self.size)
            with self.autocast():
                loss = self.loss(self.network(images), part)
                if self.head:
                    loss = loss + self.recipe.auxiliary * self.loss(self.head.scores(), part)
            # a mean over the batch is the mean of its parts' means, each with its weight
            loss = loss * self.loss.share(part, batch) if len(part) < len(batch) else loss
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            self.losses += loss.detach()
        if self.recipe.clip_norm:
            clip_grad_norm_(self.weights, self.recipe.clip_norm)
        with self.autocast():  # muon multiplies matrices
            self.optimizer.step()

    def state(self) -> dict[str, list[Tensor]]:
        """What a step changes, as it lies in memory; all is there after the first step."""
        return {
            "losses": [self.losses],
            "weights": self.weights,
            "batch norms": self.buffers,
            "moments": self.optimizer.state(),
        }

    def autocast(self) -> torch.autocast:
        """The precision of the passes."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.speed.bfloat16)

    @torch.inference_mode()
    def measure(self, images: Images, metric: Metric) -> float:
        """How good it is to answer with the class of the highest score."""
        self.network.eval()
        answers: list[Tensor] = []
        size = max(1, VALIDATION_BATCH // self.splits)
        with self.autocast():
            for start in range(0, len(images), size):
                batch = slice(start, start + size)
                values = self.training.normalise(images.images[batch], self.speed.layout)
                answers.append(self.network(values).argmax(1))
        return metric.measure(images.labels.numpy(force=True), torch.cat(answers).cpu().numpy())

    def _takes(self, size: tuple[int, ...]) -> bool:
        # an auxiliary head has weights for every pixel
        network, shape = self.network.architecture, self.training.shape
        return self.head is None and takes_size(network, shape, size)

    def _parts(self, batch: Tensor) -> Sequence[Tensor]:
        # no part of one image: a batch norm cannot compare it
        splits = min(self.splits, max(1, len(batch) // 2))
        return batch.tensor_split(splits) if splits > 1 else (batch,)


def batches(order: Tensor, size: int) -> tuple[Tensor, ...]:
    """The indices in batches of a size, the last smaller; a single image left joins the last.

    A batch norm cannot compare one image where its map has shrunk to one pixel.
    """
    if len(order) % size == 1 and len(order) > size > 1:
        *others, last = torch.split(order[:-1], size)
        return *others, order[-len(last) - 1 :]
    return torch.split(order, size)


def epochs(
    network: Network,
    training: Images,
    validation: Images,
    recipe: Recipe,
    factor: float,
    generator: torch.Generator,
    speed: Speed,
    splits: int,
    tally: Tally,
    graphs: Graphs,
    ends: float = math.inf,
    scaffold: Scaffold = NONE,
    metric: Metric = ACCURACY,
) -> Iterator[float]:
    """Train an epoch at a time, and yield the metric on the validation images.

    After the first it is NaN where the loss is not finite: a lower rate may help. Where the
    training is to end before all epochs of the recipe are done, at a time of `time.perf_counter`,
    each counts for more than one, so that schedule and time are over together.

    Raises:
        TrainingDiverged: The loss stopped being finite after the first.
        GraphFailed: The steps cannot be recorded, or replays of them are not to be trusted.
    """
    steps = Steps(network, training, recipe, factor, generator, speed, splits, scaffold)
    recorded = speed.cuda_graph and not graphs.proof.failed
    graph = GraphedStep(steps, recipe.batch_size, graphs) if recorded else None
    try:
        epoch: float = 0
        counts: float = 1
        while recipe.epochs - epoch > ROUNDING:
            start = time.perf_counter()
            if steps.resize(int(epoch)) and graph:  # what is recorded is of the size before
                graph.free()
                graph = GraphedStep(steps, recipe.batch_size, graphs)
            loss = steps.epoch(epoch, graph, counts)
            tally.images += recipe.seen(len(training))
            tally.seconds += time.perf_counter() - start
            score = steps.measure(validation, metric)
            if epoch and not math.isfinite(loss):
                raise TrainingDiverged(f"the loss is not finite in epoch {int(epoch) + 1}")
            yield score if math.isfinite(loss) else math.nan
            now = time.perf_counter()
            done, epoch = epoch, epoch + counts
            if ends < math.inf:
                counts = recipe.pace(done, epoch, now - start, ends - now)
    finally:
        if graph:
            graph.free()
