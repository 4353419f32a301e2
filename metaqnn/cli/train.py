"""metaqnn train."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from metaqnn.cli.help import WIDE, GroupedCommand
from metaqnn.cli.options import given, section_options
from metaqnn.config import RunOptions
from metaqnn.data.options import DataOptions
from metaqnn.evaluators.train import TrainOptions
from metaqnn.executors.options import ExecutorOptions
from metaqnn.training.presets import NAMES, PRACTICAL, SEARCH
from metaqnn.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from metaqnn.config import RunConfig
    from metaqnn.data.images import Images
    from metaqnn.metrics.base import Metric
    from metaqnn.models.model import Facts
    from metaqnn.networks.build import Network
    from metaqnn.stopping.base import Progress
    from replay import Outcome
    from state_space import Architecture


@click.command(
    cls=GroupedCommand,
    first=(
        *("dataset", "target", "recipe", "epochs", "seconds", "batch_size", "learning_rate"),
        *("device", "seed", "final", "init_from"),
    ),
    **WIDE,
)
@click.argument("network", required=False)
@click.option(
    "--init-from",
    type=click.Path(path_type=Path),
    help="Begin with the weights of this .safetensors file, but for its heads; files that can run "
    "code, such as .pt2 and .py, are never read. Without NETWORK the network is that of the file "
    "too, with its dropout.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="File to write the trained network to; its suffix chooses the format, as of "
    "`metaqnn export`.",
)
@click.option(
    "--recipe",
    type=click.Choice([*NAMES, PRACTICAL]),
    default=SEARCH,
    show_default=True,
    help="search: as a search on this data set trains; practical: as one with --recipe practical; "
    "short: that of the search for twice as many epochs, with shifts.",
)
@click.option(
    "--final",
    is_flag=True,
    help="Train on all training images, those of validation included, and measure the test error.",
)
@section_options(DataOptions)
@section_options(TrainOptions, "metric")
@section_options(RunOptions, "seed", "device")
@section_options(ExecutorOptions, "threads")
@section_options(Recipe, has_default=False)
def train(
    network: str | None,
    init_from: Path | None,
    target: Path | None,
    recipe: str,
    final: bool,
    **options: Any,
) -> None:
    """Train NETWORK, such as "[C(64,3,1), P(2,2), SM(10)]" or nasnet-a, on any data set.

    Its heads get as many classes as the data set has. Without --final the metric on validation
    images is measured after every epoch, and the weights are those of the best. What the network
    itself sets, as in "[C(64,3,1), SM(10)] learning-rate=0.01", goes before the recipe.

    The options of training change the recipe; their defaults are those of the recipe.
    """
    from metaqnn.config import RunConfig
    from metaqnn.data.parts import load, load_split
    from metaqnn.errors import MetaqnnError
    from metaqnn.metrics.base import METRICS
    from metaqnn.models.formats import check_target, export
    from metaqnn.models.network import load_network
    from metaqnn.models.transfer import transferable, with_classes
    from metaqnn.networks.cost import check_scores, total_cost
    from metaqnn.networks.notation import find_network
    from metaqnn.training.presets import preset
    from metaqnn.training.settings import with_settings
    from state_space.notation import NotationError

    asked_for = {"recipe": PRACTICAL} if recipe == PRACTICAL else {}
    config = RunConfig.from_flat({**given(options), **asked_for})
    if not isinstance(config.parts["evaluator"], TrainOptions):
        raise MetaqnnError(f"{config.values()['dataset']} is a text, and images are wanted")
    data = config.parts["evaluator"].data
    training, validation = load_split(data)
    metric = METRICS.find(config.parts["evaluator"].metric)
    if recipe in NAMES:
        searched = config.parts["evaluator"].recipe.model_dump()
        config = config.changed(preset(recipe, searched, training.shape[1], given(options)))
    rules = config.parts["evaluator"].recipe
    source = None if init_from is None else load_network(init_from)[0]
    if network is not None:
        try:
            asked = find_network(network)
        except NotationError as error:
            raise MetaqnnError(str(error)) from None
    elif source is not None:
        asked = source.architecture
    else:
        raise MetaqnnError("say which NETWORK to train, or with --init-from where to find one")
    architecture = with_classes(asked, len(training.classes))
    if architecture != asked:
        click.echo(
            f"its heads get {len(training.classes)} classes, as {data.dataset} has", err=True
        )
    check_scores(architecture, len(training.classes))
    total_cost(architecture, training.shape)
    epochs = with_settings(rules, architecture.settings).epochs
    start = {}
    if source:
        start = transferable(source, rules.dress(architecture), training.shape)
        click.echo(f"{len(start)} tensors of {init_from} are taken along", err=True)
    if target:
        check_target(target)
    test_images = load(data, "test") if final else None
    images = (training.join(validation), validation) if final else (training, validation)
    outcome = _train(architecture, *images, config, metric, epochs, final=final, start=start)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trained.safetensors"
        path.write_bytes(outcome.weights or b"")
        trained, facts = load_network(path)
    click.echo(_describe(outcome))
    if target:
        export(trained, facts, target)
        click.echo(f"{facts.architecture} is in {target}")
    if test_images:
        click.echo(_test(trained, facts, test_images, config, metric))
    elif final:
        click.echo(f"{data.dataset} has no test images: no test error is known")
    else:
        click.echo(_validated(outcome, metric))


def _train(
    architecture: "Architecture",
    training: "Images",
    validation: "Images",
    config: "RunConfig",
    metric: "Metric",
    epochs: int,
    *,
    final: bool,
    start: "Mapping[str, Tensor]",
) -> "Outcome":
    """Train with a progress bar where there is a terminal.

    Raises:
        TrainingFailed: The network failed.
    """
    import torch

    from metaqnn.device import resolve_device, use_threads
    from metaqnn.errors import TrainingFailed
    from metaqnn.evaluators.base import Job, attempt
    from metaqnn.terminal import make_bar
    from metaqnn.training.loop import train
    from metaqnn.training.threads import choose_threads

    device = torch.device(resolve_device(config.run.device))
    recipe = config.parts["evaluator"].recipe
    asked = config.parts["executor"].threads
    threads = choose_threads(asked, device, training.shape, recipe.batch_size)
    with use_threads(threads), make_bar() as bar:
        task = bar.add_task("epochs", total=epochs, state="")

        def observe(progress: "Progress") -> None:
            state = f"{progress.curve[-1]:.2%}"
            bar.update(task, completed=len(progress.curve), state=state)

        def evaluate(job: Job) -> "Outcome":
            return train(
                job.architecture,
                training.to(device),
                validation.to(device),
                recipe,
                job.seed,
                keep_above=job.keep_above,
                keep_last=final,
                start=start,
                stopping=observe,
                metric=metric,
            )

        outcome = attempt(evaluate, Job(architecture, config.run.seed, -math.inf))
    if outcome.error:
        failure = TrainingFailed(f"{architecture.text} failed: {outcome.error}")
        if outcome.traceback:
            failure.add_note(outcome.traceback)
        raise failure
    if "at_chance" in outcome.metrics:
        click.echo(
            f"{architecture.text} stayed at chance, also with the rate at "
            f"{outcome.metrics['learning_rate']:.2g}; try another --learning-rate, a smaller "
            "--batch-size or more --epochs",
            err=True,
        )
    return outcome


def _describe(outcome: "Outcome") -> str:
    metrics = outcome.metrics
    return (
        f"{metrics['parameters']:,} parameters, {metrics['multiply_adds']:,} multiply-adds an "
        f"image, {len(outcome.curve)} epochs in {metrics['seconds']:.1f} s"
    )


def _validated(outcome: "Outcome", metric: "Metric") -> str:
    best = max(outcome.curve)
    return f"validation {metric.name} {best:.2%} after epoch {outcome.curve.index(best) + 1}"


def _test(
    network: "Network", facts: "Facts", images: "Images", config: "RunConfig", metric: "Metric"
) -> str:
    import torch

    from metaqnn.device import resolve_device
    from metaqnn.metrics.tested import test_results
    from metaqnn.models.network import probabilities

    device = torch.device(resolve_device(config.run.device))
    found = probabilities(network, facts, images.images, device)
    error, low, high, *others = test_results(found, images.labels.numpy(), metric).values()
    told = f"test error {error:.2%} on {len(images)} images, 95 % interval {low:.2%} to {high:.2%}"
    return ", ".join([told, *(f"test {metric.name} {value:.2%}" for value in others)])
