"""Times the training of a network of cells against the same network written by hand.

python benchmarks/cells.py
python benchmarks/cells.py --image-size 32 --epochs 2

The network is the first that the preset nasnet-small begins with: NASNet-A's cells, three blocks
each. By hand it is written as people write it in PyTorch, and trained by the loop of `plain.py`.
Both train in turn, in one process, on one thread; the clock counts the process's own time.
"""

import time

import click
import numpy as np
import torch
from plain import train_plainly
from torch import Tensor, nn
from torch.nn import functional as F

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.networks.build import Network
from metaqnn.networks.cost import total_cost
from metaqnn.spaces import bind_space, read_space
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed


class Separable(nn.Module):
    """Twice a ReLU, a depthwise and a pointwise convolution, and a norm."""

    def __init__(self, inputs: int, filters: int, field: int, stride: int = 1) -> None:
        """The stride is that of the first."""
        super().__init__()
        self.steps = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(inputs, inputs, field, stride, field // 2, groups=inputs, bias=False),
            nn.Conv2d(inputs, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, field, 1, field // 2, groups=filters, bias=False),
            nn.Conv2d(filters, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
        )

    def forward(self, x: Tensor) -> Tensor:
        """One after the other."""
        return self.steps(x)


def squeeze(inputs: int, filters: int) -> nn.Module:
    """Another width."""
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(inputs, filters, 1, bias=False), nn.BatchNorm2d(filters)
    )


class FactorizedReduction(nn.Module):
    """Half the size."""

    def __init__(self, inputs: int, filters: int) -> None:
        """Two convolutions."""
        super().__init__()
        self.even = nn.Conv2d(inputs, filters // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(inputs, filters // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        """The second sees the pixels between."""
        x = F.relu(x)
        shifted = F.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))
        return self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))


class NormalCell(nn.Module):
    """Keeps the size."""

    def __init__(self, current: int, before: int, filters: int, *, larger: bool) -> None:
        """Larger: what came before has twice the size; without it is the stem's, as it is."""
        super().__init__()
        self.current = squeeze(current, filters)
        self.before = FactorizedReduction(before, filters) if larger else nn.Identity()
        width = filters if larger else before
        self.sep1, self.sep2 = Separable(filters, filters, 5), Separable(width, filters, 3)
        self.sep3, self.sep4 = Separable(width, filters, 5), Separable(width, filters, 3)
        self.identity = nn.Identity() if larger else squeeze(width, filters)
        self.channels = 3 * filters

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Three blocks."""
        x, y = self.current(x), self.before(y)
        return torch.cat(
            [
                self.sep1(x) + self.sep2(y),
                self.sep3(y) + self.sep4(y),
                F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) + self.identity(y),
            ],
            1,
        )


class ReductionCell(nn.Module):
    """Halves the size."""

    def __init__(self, current: int, before: int, filters: int) -> None:
        """What came before is brought to the filters where it has others."""
        super().__init__()
        self.current = squeeze(current, filters)
        self.before = nn.Identity() if before == filters else squeeze(before, filters)
        self.sep1, self.sep2 = (Separable(filters, filters, field, 2) for field in (5, 7))
        self.sep3, self.sep4 = (Separable(filters, filters, field, 2) for field in (7, 5))
        self.channels = 3 * filters

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Three blocks."""
        x, y = self.current(x), self.before(y)
        return torch.cat(
            [
                self.sep1(x) + self.sep2(y),
                F.max_pool2d(x, 3, 2, 1) + self.sep3(y),
                F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) + self.sep4(y),
            ],
            1,
        )


class HandWritten(nn.Module):
    """The whole network."""

    def __init__(self, channels: int, classes: int, filters: int = 8, stem: int = 16) -> None:
        """Of nasnet-small's size."""
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        self.cells = nn.ModuleList([NormalCell(stem, stem, filters, larger=False)])
        before, current = stem, self.cells[0].channels
        for _ in range(2):
            filters *= 2
            self.cells.append(ReductionCell(current, before, filters))
            before, current = current, self.cells[-1].channels
            self.cells.append(NormalCell(current, before, filters, larger=True))
            before, current = current, self.cells[-1].channels
        self.classes = nn.Linear(current, classes)

    def forward(self, images: Tensor) -> Tensor:
        """The scores."""
        x = y = self.stem(images)
        for cell in self.cells:
            x, y = cell(x, y), x
        return self.classes(F.relu(x).mean((2, 3)))


def time_of_steps(network: nn.Module, images: Tensor, labels: Tensor, steps: int) -> float:
    """Seconds of passes forward and backward."""
    start = time.process_time()
    for _ in range(steps):
        for weights in network.parameters():
            weights.grad = None
        F.cross_entropy(network(images), labels).backward()
    return time.process_time() - start


def told(name: str, times: list[tuple[float, float]]) -> str:
    """A row of the table: seconds of both, and their ratio with 95 % over redrawn rounds."""
    found = np.array(times)
    redrawn = np.random.default_rng(0).integers(len(found), size=(2000, len(found)))
    ratios = found[redrawn].sum(1)
    low, high = np.quantile(ratios[:, 1] / ratios[:, 0], [0.025, 0.975])
    ours, hand = found.sum(0)
    return f"| {name} | {ours:.1f} s | {hand:.1f} s | {hand / ours:.2f} ({low:.2f} to {high:.2f}) |"


@click.command()
@click.option("--image-size", default=8, show_default=True, help="Of digits.")
@click.option("--epochs", default=5, show_default=True, help="Of a training.")
@click.option("--rounds", default=5, show_default=True, help="Trainings of each, and of steps.")
def main(image_size: int, epochs: int, rounds: int) -> None:
    """Compare."""
    torch.set_num_threads(1)
    training, validation = load_split(DataOptions(image_size=image_size))
    space = bind_space(read_space("nasnet-small"), training.shape, 10)
    network = space.architecture(space.starts()[0])
    by_hand = HandWritten(training.shape[0], 10)
    own, other = (
        total_cost(network, training.shape).parameters,
        sum(weights.numel() for weights in by_hand.parameters()),
    )
    assert own == other, f"{own} parameters, by hand {other}"
    recipe = Recipe(
        epochs=epochs, batch_size=64, restarts=0, restart_below=0.0, dropout=False, xavier=False
    )
    trainings, steps, last = [], [], []
    built = Network(network, training.shape, torch.Generator().manual_seed(0))
    built.to(memory_format=Speed().layout)
    images, labels = training.normalise(training.images[:64]), training.labels[:64]
    ordered = images.to(memory_format=Speed().layout)
    for seed in range(rounds + 1):
        start = time.process_time()
        ours = train(network, training, validation, recipe, seed).curve
        between = time.process_time()
        torch.manual_seed(seed)
        plain = train_plainly(HandWritten(training.shape[0], 10), training, validation, recipe)
        trainings.append((between - start, time.process_time() - between))
        last.append((ours[-1], plain[-1]))
        both = (built, ordered), (by_hand, images)
        steps.append(tuple(time_of_steps(each, seen, labels, 10) for each, seen in both))
    # the first round loads what torch loads late
    reached = np.mean(last[1:], 0)
    size = "x".join(map(str, training.shape))
    click.echo(f"| images of {size}, {own:,} parameters | ours | by hand | ratio (95 %) |")
    click.echo("|---|---|---|---|")
    click.echo(told(f"{rounds} trainings of {epochs} epochs", trainings[1:]))
    click.echo(told(f"{10 * rounds} passes forward and backward", steps[1:]))
    click.echo(f"accuracy after the last epoch: {reached[0]:.4f}, by hand {reached[1]:.4f}")


if __name__ == "__main__":
    main()
