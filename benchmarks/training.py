"""Times the training loop: on CPUs against a plain PyTorch loop, on a CUDA GPU for the paper's run.

    python benchmarks/training.py cpu digits
    python benchmarks/training.py cpu mnist --data-dir FOLDER
    python benchmarks/training.py steps digits
    python benchmarks/training.py compile digits --networks 3
    python benchmarks/training.py gpu --cifar10 FOLDER
    python benchmarks/training.py gpu --miniature

`cpu` trains the same networks, drawn from the space at random, with both loops in turn, and prints
networks an hour, the ratio of the totals with a 95 % confidence interval over the networks, and
final accuracies over seeds. `steps` trains with and without each of the steps that make the loop
fast. `compile` measures torch.compile. `gpu`: see `training_gpu.py`.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from plain import plain_training
from training_gpu import gpu

from metaqnn.config import RunConfig
from metaqnn.data.images import Images
from metaqnn.data.parts import load_split
from metaqnn.networks import build, modules
from metaqnn.networks.notation import read
from metaqnn.registry import Table
from metaqnn.spaces import bind_space, read_space
from metaqnn.training import epochs
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed
from state_space import Architecture, random_walk

SPACES = {"digits": "digits", "mnist": "mnist-small"}
Clock = Callable[[], float]
CLOCKS: dict[bool, Clock] = {False: time.perf_counter, True: time.process_time}
Loop = Callable[[Architecture, Images, Images, Recipe, int], list[float]]


def our_training(
    architecture: Architecture, training: Images, validation: Images, recipe: Recipe, seed: int
) -> list[float]:
    """Our loop."""
    return list(train(architecture, training, validation, recipe, seed).curve)


LOOPS: dict[str, Loop] = {"ours": our_training, "plain": plain_training}


def load(name: str, data_dir: str | None, epochs_: int) -> tuple[Images, Images, Recipe]:
    """Both parts and the recipe; without restarts, which the plain loop does not know."""
    limits: dict[str, Any] = {"train-limit": 5000, "data-dir": data_dir} if name == "mnist" else {}
    config = RunConfig.from_flat(
        {"dataset": name, "epochs": epochs_, "restarts": 0, "restart-below": 0.0, **limits}
    )
    options = config.parts["evaluator"]
    return *load_split(options.data), options.recipe


def draw(space: str, shape: tuple[int, ...], networks: int, first: int) -> list[Architecture]:
    """Networks of a space, drawn at random; the same whatever the first."""
    bound = bind_space(read_space(space), shape, 10)
    generator = np.random.default_rng(0)
    drawn = [bound.architecture(random_walk(bound, generator)) for _ in range(first + networks)]
    return drawn[first:]


def timed(loop: Loop, *job: Any, clock: Clock) -> tuple[float, float]:
    """Seconds, and the accuracy after the last epoch."""
    start = clock()
    curve = loop(*job)
    return clock() - start, curve[-1]


def warm_up(training: Images, validation: Images, recipe: Recipe) -> None:
    """Load what torch loads late."""
    small = recipe.model_copy(update={"epochs": 1})
    for loop in LOOPS.values():
        loop(read("[C(8,3,1), P(2,2), C(8,3,1), SM(10)]"), training, validation, small, 0)


def interval(times: np.ndarray) -> tuple[float, float, float]:
    """Ratio of the totals of the second column to the first, with 95 % over redrawn networks."""
    generator = np.random.default_rng(0)
    redrawn = times[generator.integers(len(times), size=(2000, len(times)))].sum(1)
    low, high = np.quantile(redrawn[:, 1] / redrawn[:, 0], [0.025, 0.975])
    return float(times[:, 1].sum() / times[:, 0].sum()), float(low), float(high)


@click.group()
def main() -> None:
    """Time the training loop."""


COMMON = [
    click.argument("dataset", type=click.Choice(list(SPACES))),
    click.option("--data-dir", help="Where MNIST lies."),
    click.option("--networks", default=20, show_default=True),
    click.option("--first", default=0, help="Leave out so many networks: to split a run."),
    click.option("--epochs", "epochs_", default=20, show_default=True),
    click.option("--threads", default=1, show_default=True),
    click.option(
        "--cpu-time",
        is_flag=True,
        help="Count the process's own time, on a machine that is busy; with one thread.",
    ),
]


def common(function: Any) -> Any:
    """Add the options that the commands on CPUs share."""
    for option in reversed(COMMON):
        function = option(function)
    return function


@main.command()
@common
@click.option("--seeds", default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Add the table to this file.")
def cpu(
    dataset: str,
    data_dir: str | None,
    networks: int,
    first: int,
    epochs_: int,
    threads: int,
    cpu_time: bool,
    seeds: int,
    out: Path | None,
) -> None:
    """Ours against the plain loop, in turn."""
    torch.set_num_threads(threads)
    clock = CLOCKS[cpu_time]
    training, validation, recipe = load(dataset, data_dir, epochs_)
    warm_up(training, validation, recipe)
    times, accuracies = [], []
    for architecture in draw(SPACES[dataset], training.shape, networks, first):
        for seed in range(seeds):
            job = (architecture, training, validation, recipe, seed)
            results = [timed(loop, *job, clock=clock) for loop in LOOPS.values()]
            times.append([seconds for seconds, _ in results])
            accuracies.append([accuracy for _, accuracy in results])
        spent, reached = times[-seeds:], accuracies[-seeds:]
        click.echo(
            f"{architecture.text}: {np.sum(spent, 0)} s, accuracy {np.mean(reached, 0)}", err=True
        )
    each = np.array(times).reshape(networks, seeds, 2).sum(1)
    ratio, low, high = interval(each)
    final = np.array(accuracies).reshape(networks, seeds, 2)
    gap = (final[..., 0] - final[..., 1]).mean(0)
    total = np.array(times).sum(0)
    an_hour = [3600 * networks * seeds / seconds for seconds in total]
    lines = [
        "| data | threads | epochs | networks x seeds | ours, networks/h | plain, networks/h "
        "| ratio (95 %) | accuracy ours | plain | difference by seed |",
        "|---|---|---|---|---|---|---|---|---|---|",
        f"| {dataset} | {threads} | {epochs_} | {networks} x {seeds} | {an_hour[0]:,.0f} "
        f"| {an_hour[1]:,.0f} | {ratio:.2f} ({low:.2f} to {high:.2f}) "
        f"| {final[..., 0].mean():.4f} | {final[..., 1].mean():.4f} "
        f"| {', '.join(f'{value:+.4f}' for value in gap)} |",
    ]
    text = "\n".join(lines)
    click.echo(text)
    if out:
        with out.open("a") as file:
            file.write(text + "\n")


class SlowDropout(modules.Dropout):
    """Draws from a Bernoulli distribution, as torch's own dropout does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop while training, else pass on."""
        if not self.training:
            return x
        kept = torch.empty_like(x).bernoulli_(self.keep, generator=self.generator)
        return x * kept.div_(self.keep)


class LibraryAdam:
    """torch.optim.Adam in the place of ours."""

    def __init__(self, parameters: Any, recipe: Recipe) -> None:
        """As a recipe begins."""
        self.rate = torch.tensor(recipe.rate(0))
        self.adam = torch.optim.Adam(parameters, lr=recipe.rate(0))
        self.clear = self.adam.zero_grad

    @classmethod
    def from_recipe(cls, parameters: Any, recipe: Recipe) -> "LibraryAdam":
        """See `metaqnn.training.optimizers.Optimizer`."""
        return cls(parameters, recipe)

    def step(self) -> None:
        """Update the weights."""
        self.adam.param_groups[0]["lr"] = float(self.rate)
        self.adam.step()


def steps_of_cpu() -> dict[str, tuple[Speed, Any, str, Any]]:
    """Every step as (speed, object, attribute, its value without the step)."""
    library: Table[Any] = Table("optimizer", {"adam": LibraryAdam})
    nothing = (modules, "Dropout", modules.Dropout)
    return {
        "channels last": (Speed(channels_last=False), *nothing),
        "losses read after an epoch": (Speed(late=False), *nothing),
        "Adam without bookkeeping": (Speed(), epochs, "OPTIMIZERS", library),
        "dropout from uniform numbers": (Speed(), modules, "Dropout", SlowDropout),
        "pooling before ReLU": (
            Speed(),
            build.Network,
            "_pool_before_relu",
            lambda network: None,
        ),
    }


@main.command()
@common
def steps(
    dataset: str,
    data_dir: str | None,
    networks: int,
    first: int,
    epochs_: int,
    threads: int,
    cpu_time: bool,
) -> None:
    """With and without each step, in turn."""
    torch.set_num_threads(threads)
    clock = CLOCKS[cpu_time]
    training, validation, recipe = load(dataset, data_dir, epochs_)
    warm_up(training, validation, recipe)
    drawn = draw(SPACES[dataset], training.shape, networks, first)
    variants = steps_of_cpu()
    times: dict[str, list[list[float]]] = {name: [] for name in variants}
    for architecture in drawn:
        job = (architecture, training, validation, recipe, 0)
        for name, (speed, place, attribute, value) in variants.items():
            with_it = timed(our_training, *job, clock=clock)[0]
            usual = getattr(place, attribute)
            setattr(place, attribute, value)
            try:
                without = timed(
                    lambda *job, s=speed: train(*job, speed=s).curve, *job, clock=clock
                )[0]
            finally:
                setattr(place, attribute, usual)
            times[name].append([with_it, without])
    click.echo(f"| step, {dataset} | time without it (95 %) |\n|---|---|")
    for name, pairs in times.items():
        ratio, low, high = interval(np.array(pairs))
        click.echo(f"| {name} | {ratio:.3f} ({low:.3f} to {high:.3f}) |")


@main.command("compile")
@common
def compile_(
    dataset: str,
    data_dir: str | None,
    networks: int,
    first: int,
    epochs_: int,
    threads: int,
    cpu_time: bool,
) -> None:
    """What torch.compile costs and gives, beside the whole training as it is; without dropout.

    It does not compile a network with our dropout, which draws from a generator of its own, but
    falls back to the network as it is. Each is compiled into an empty cache.
    """
    torch.set_num_threads(threads)
    clock = CLOCKS[cpu_time]
    training, validation, recipe = load(dataset, data_dir, epochs_)
    recipe = recipe.model_copy(update={"dropout": False})
    warm_up(training, validation, recipe)
    click.echo("| network | training | compiling, first step | step | compiled step |")
    click.echo("|---|---|---|---|---|")
    for architecture in draw(SPACES[dataset], training.shape, networks, first):
        whole = timed(our_training, architecture, training, validation, recipe, 0, clock=clock)[0]
        generator = torch.Generator().manual_seed(0)
        network = build.Network(recipe.dress(architecture), training.shape, generator)
        steps = epochs.Steps(network, training, recipe, 1.0, generator, Speed(), 1)
        batch = torch.arange(recipe.batch_size)
        seconds = []
        for compiled in (False, True):
            if compiled:
                # what was compiled of an earlier network counts towards a limit of recompilations
                torch.compiler.reset()
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()
                network.compile(fullgraph=True)  # fails where it would fall back
            moments = []
            for _ in range(20):
                start = time.perf_counter()
                steps.step(batch)
                moments.append(time.perf_counter() - start)
            seconds.append((moments[0], min(moments)))
        (_, plain), (compiling, fast) = seconds
        click.echo(
            f"| {architecture.text} | {whole:.1f} s | {compiling:.1f} s | {1000 * plain:.2f} ms "
            f"| {1000 * fast:.2f} ms |"
        )


main.add_command(gpu)

if __name__ == "__main__":
    main()
