"""Times steps of the paper's networks on a CUDA GPU, and extrapolates to the paper's run.

30 networks drawn at random from `metaqnn-cifar10` (epsilon 1), batches of 128 of CIFAR-10's real
images: warm-up, then some dozens of steps of each. Prints seconds an epoch of 45,000 images,
images a second, the share of the GPU's peak, the hours of 2,700 networks x 20 epochs; then the same
without each of the steps that make it fast, and with several processes that share the GPU. Every
section has its part of `--minutes`, and takes as many networks as fit into it. `--miniature` runs
all of it on the CPU, with small networks and random images.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from torch import Tensor

from metaqnn.data.images import Images
from metaqnn.networks.build import Network
from metaqnn.networks.cost import total_cost
from metaqnn.spaces import bind_space, read_space
from metaqnn.training.cuda_graph import GRAPHS, WARM_UP, GraphedStep
from metaqnn.training.epochs import Steps
from metaqnn.training.peak import utilisation
from metaqnn.training.proof import COMPARED
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed
from state_space import Architecture, random_walk

UNTIMED = WARM_UP + COMPARED + 1
"""Steps before the clock starts: warm-up, recording, and replays that are compared."""

EPOCH = 45_000
PAPER = 2700 * 20
"""Epochs of the paper's run."""


class Setting(NamedTuple):
    """What is measured."""

    space: str
    networks: int
    steps: int
    batch: int
    device: str
    cifar10: str | None

    def architectures(self) -> list[Architecture]:
        """The networks, drawn at random."""
        space = bind_space(read_space(self.space), (3, 32, 32), 10)
        generator = np.random.default_rng(0)
        return [space.architecture(random_walk(space, generator)) for _ in range(self.networks)]

    def images(self) -> Images:
        """CIFAR-10's training images on the device; random ones where no folder is given."""
        if self.cifar10 is None:
            pixels = torch.randint(256, (512, 3, 32, 32), dtype=torch.uint8)
            labels = torch.arange(512) % 10
        else:
            pixels, labels = cifar10(Path(self.cifar10))
        images = Images(pixels, labels, tuple(map(str, range(10))))
        return images.to(torch.device(self.device))


def cifar10(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The 50,000 training images of 50 pictures, one image a row, and their labels."""
    from PIL import Image

    rows = [
        np.asarray(Image.open(folder / f"cifar10_batch_{number}.png").convert("RGB"))
        for number in range(50)
    ]
    pixels = np.concatenate(rows).reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    labels = np.load(folder / "labels.npy")[: len(pixels)].astype(np.int64)
    return torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(labels)


def images_per_second(
    architecture: Architecture, images: Images, speed: Speed, setting: Setting
) -> float:
    """Of some dozens of steps after the warm-up."""
    recipe = Recipe(batch_size=setting.batch)
    device = torch.device(setting.device)
    generator = torch.Generator(device).manual_seed(0)
    with speed.backends(device):
        network = Network(recipe.dress(architecture), images.shape, generator)
        steps = Steps(network, images, recipe, 1.0, generator, speed, 1)
        graph = GraphedStep(steps, setting.batch, GRAPHS) if speed.cuda_graph else None
        network.train()
        order = torch.randperm(len(images), generator=generator, device=device)
        batches = torch.split(order, setting.batch)[: len(order) // setting.batch]

        def update(batch: Tensor) -> None:
            (graph or steps.step)(batch)
            if not speed.late:
                steps.losses.item()

        seconds = seconds_of(update, batches, setting.steps, device)
        if graph:
            graph.free()
    return setting.steps * setting.batch / seconds


def seconds_of(
    update: Callable[[Tensor], None], batches: Sequence[Tensor], steps: int, device: torch.device
) -> float:
    """Of so many steps on batches in turn, after the warm-up."""
    start = 0.0
    for number in range(UNTIMED + steps):
        if number == UNTIMED:
            synchronise(device)
            start = time.perf_counter()
        update(batches[number % len(batches)])
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def share(setting: Setting, number: int, workers: int, barrier: Barrier, results: Any) -> None:
    """Train every so-many-th network in a process of its own."""
    torch.set_num_threads(1)
    images = setting.images()
    architectures = setting.architectures()
    speed = Speed.of(torch.device(setting.device))
    images_per_second(architectures[0], images, speed, setting)  # loads what is loaded late
    barrier.wait()
    start = time.time()
    for architecture in architectures[number::workers]:
        images_per_second(architecture, images, speed, setting)
    results.put((start, time.time()))


def share_of_peak(architecture: Architecture, speed: float, device: torch.device) -> float:
    """Model FLOP utilisation; not a number where the peak is not known."""
    used = utilisation(total_cost(architecture, (3, 32, 32)).multiply_adds, speed, device)
    return float("nan") if used is None else used


@click.command()
@click.option("--cifar10", help="Folder with cifar10_batch_0.png to _49.png and labels.npy.")
@click.option("--minutes", default=8.0, show_default=True)
@click.option("--networks", default=30, show_default=True)
@click.option("--steps", default=40, show_default=True)
@click.option("--miniature", is_flag=True, help="Small, and on the CPU.")
def gpu(cifar10: str | None, minutes: float, networks: int, steps: int, miniature: bool) -> None:
    """The paper's run on a CUDA GPU."""
    if miniature:
        setting = Setting("nas-digits", min(networks, 4), 2, 16, "cpu", None)
    else:
        if not torch.cuda.is_available() or cifar10 is None:
            raise click.UsageError("a CUDA GPU and --cifar10 are needed, or --miniature")
        setting = Setting("metaqnn-cifar10", networks, steps, 128, "cuda:0", cifar10)
    device = torch.device(setting.device)
    images, architectures, speed = setting.images(), setting.architectures(), Speed.of(device)
    budget = 60 * minutes
    click.echo(f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else 'CPU'}\n")

    click.echo("| network | seconds an epoch | images/s | share of peak |\n|---|---|---|---|")
    deadline = time.perf_counter() + 0.35 * budget
    speeds = []
    for architecture in architectures:
        speeds.append(images_per_second(architecture, images, speed, setting))
        used = share_of_peak(architecture, speeds[-1], device)
        click.echo(
            f"| {architecture.text} | {EPOCH / speeds[-1]:.2f} | {speeds[-1]:,.0f} | {used:.3f} |"
        )
        if time.perf_counter() > deadline:
            break
    seconds = [EPOCH / value for value in speeds]
    work = sum(total_cost(a, (3, 32, 32)).multiply_adds for a in architectures[: len(speeds)])
    mean = work / len(speeds)
    overall = share_of_peak(architectures[0], EPOCH / float(np.mean(seconds)), device)
    overall *= mean / total_cost(architectures[0], (3, 32, 32)).multiply_adds
    click.echo(
        f"\n{len(speeds)} networks of {mean:,.0f} multiply-adds on average: "
        f"{np.mean(seconds):.2f} s an epoch, share of peak {overall:.3f}; 2,700 networks x 20 "
        f"epochs: {PAPER * np.mean(seconds) / 3600:.1f} hours without validation\n"
    )

    variants = {
        "all": speed,
        "channels last": replace(speed, channels_last=False),
        "losses read after an epoch": replace(speed, late=False),
    }
    if device.type == "cuda":
        variants |= {
            "bfloat16, TF32 instead": replace(speed, bfloat16=False),
            "bfloat16 and TF32": replace(speed, bfloat16=False, tf32=False),
            "cuDNN's choice": replace(speed, benchmark=False),
            "CUDA graph": replace(speed, cuda_graph=False),
        }
    totals = dict.fromkeys(variants, 0.0)
    deadline = time.perf_counter() + 0.35 * budget
    counted = 0
    # networks in turn, so that a section that is cut short has them of all kinds
    for architecture in architectures:
        for name, variant in variants.items():
            totals[name] += EPOCH / images_per_second(architecture, images, variant, setting)
        counted += 1
        if time.perf_counter() > deadline:
            break
    click.echo(f"| without, over {counted} networks | seconds an epoch | times |\n|---|---|---|")
    for name, total in totals.items():
        label = "(nothing)" if name == "all" else name
        click.echo(f"| {label} | {total / counted:.2f} | {total / totals['all']:.2f} |")

    click.echo("\n| processes on the GPU | networks | networks' steps a second |\n|---|---|---|")
    counted = max(2, min(len(speeds), len(speeds) * setting.networks // 60))
    shared = setting._replace(networks=counted)
    del images
    for workers in (1, 2) if miniature else (1, 2, 4):
        total = sharing(shared, workers)
        click.echo(f"| {workers} | {counted} | {total:.2f} |")


def sharing(setting: Setting, workers: int) -> float:
    """Steps a second, warm-up included, of all networks by so many processes at once."""
    context = get_context("spawn")
    barrier, results = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=share, args=(setting, number, workers, barrier, results))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    spans = [results.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    seconds = max(end for _, end in spans) - min(start for start, _ in spans)
    return setting.networks * (UNTIMED + setting.steps) / seconds
