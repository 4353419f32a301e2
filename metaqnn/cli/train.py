"""metaqnn train."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from metaqnn.cli.help import WIDE
from metaqnn.cli.options import given, section_options
from metaqnn.cli.trainers import TrainerCommand, find_trainer
from metaqnn.config import RunOptions
from metaqnn.executors.options import ExecutorOptions

if TYPE_CHECKING:
    from metaqnn.evaluators.trainer import Lesson
    from replay import Outcome


class TrainCommand(TrainerCommand):
    """Names the recipes."""

    recipe = (
        "search",
        "search: as a search on this data set trains; short: likewise for twice as many epochs, "
        "images with shifts; practical: as a search on images with --recipe practical.",
    )


@click.command(
    cls=TrainCommand,
    first=(
        *("dataset", "target", "recipe", "epochs", "seconds", "batch_size", "learning_rate"),
        *("device", "seed", "final", "space", "init_from"),
    ),
    **WIDE,
)
@click.argument("network", required=False)
@click.option(
    "--init-from",
    type=click.Path(path_type=Path),
    help="Begin with the weights of this .safetensors file, but for its heads; files that can run "
    "code, such as .pt2 and .py, are never read. Without NETWORK the network is that of the file "
    "too, with its dropout. Of texts: that of a model with the same cell and --units; embeddings "
    "and softmax go along where the different tokens are the same.",
)
@click.option(
    "--space", help="Read NETWORK in the words of this space, as `metaqnn top-k` prints them."
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="File to write the trained network to; its suffix chooses the format, as of "
    "`metaqnn export`.",
)
@click.option(
    "--final",
    is_flag=True,
    help="Train on all training images, those of validation included, and measure the test error. "
    "Of texts: measure the test part by the weights of the best epoch on the validation part, "
    "which is never trained on.",
)
@section_options(RunOptions, "seed", "device")
@section_options(ExecutorOptions, "threads")
def train(
    network: str | None,
    init_from: Path | None,
    space: str | None,
    target: Path | None,
    recipe: str,
    final: bool,
    **options: Any,
) -> None:
    """Train NETWORK, such as "[C(64,3,1), P(2,2), SM(10)]" or nasnet-a, on any data set.

    Its heads get as many classes as the data set has. Without --final the metric on validation
    images is measured after every epoch, and the weights are those of the best. What the network
    itself sets, as in "[C(64,3,1), SM(10)] learning-rate=0.01", goes before the recipe.

    Where the data set is a text, such as ptb, NETWORK is a cell: nascell, enas, lstm, gru, rnn, or
    the text of one that a search has found. The options below are those of the data set named.

    The options of training change the recipe; their defaults are those of the recipe.
    """
    import torch

    from metaqnn.config import RunConfig
    from metaqnn.device import resolve_device
    from metaqnn.executors.base import Place
    from metaqnn.spaces import network_of
    from metaqnn.task import Score, Task

    _, trainer = find_trainer(given(options))
    searching = {"recipe": recipe} if recipe in trainer.search_recipes else {}
    config = RunConfig.from_flat({**given(options), **searching})
    task = trainer.task(config.parts["evaluator"], Task((), (), Score()))
    if space and network:
        network = network_of(space, network, task.shape, len(task.outputs)).text
    if not searching:
        chosen = trainer.preset(config.parts["evaluator"], task, recipe, given(options))
        config = config.changed(chosen)
    place = Place(config.run.device, config.parts["executor"].threads)
    own = config.parts["evaluator"]
    lesson = trainer.lesson(own, network, init_from, place, final=final)
    for note in lesson.notes:
        click.echo(note, err=True)
    if target:
        lesson.check_target(target)
    examination = lesson.examination() if final else None
    for warning in examination.warnings() if examination else ():
        click.echo(warning, err=True)
    outcome = _train(lesson, config.run.seed)
    for warning in lesson.warnings(outcome):
        click.echo(warning, err=True)
    click.echo(lesson.tell(outcome))
    with TemporaryDirectory() as folder:
        weights = Path(folder) / "trained.safetensors"
        weights.write_bytes(outcome.weights or b"")
        if target:
            lesson.write(weights, target)
            click.echo(f"{lesson.name} is in {target}")
        if examination:
            device = torch.device(resolve_device(config.run.device))
            answers = examination.answer(weights, device)
            click.echo(examination.tell(examination.measure(answers)))
        elif final:
            click.echo(f"{config.values()['dataset']} has no test images: no test error is known")
        else:
            best = max(outcome.curve)
            click.echo(f"{lesson.show(best)} after epoch {outcome.curve.index(best) + 1}")


def _train(lesson: "Lesson", seed: int) -> "Outcome":
    """Train with a progress bar where there is a terminal.

    Raises:
        TrainingFailed: The network failed.
    """
    from metaqnn.errors import TrainingFailed
    from metaqnn.evaluators.base import Job, attempt
    from metaqnn.stopping.base import Progress
    from metaqnn.terminal import make_bar
    from state_space import Architecture

    with make_bar() as bar:
        task = bar.add_task("epochs", total=lesson.epochs, state="")

        def observe(progress: Progress) -> None:
            state = lesson.show(progress.curve[-1])
            bar.update(task, completed=len(progress.curve), state=state)

        nothing = Architecture((), ())  # the lesson knows what it trains
        outcome = attempt(lesson.train, Job(nothing, seed, -math.inf, observe))
    if outcome.error:
        failure = TrainingFailed(f"{lesson.name} failed: {outcome.error}")
        if outcome.traceback:
            failure.add_note(outcome.traceback)
        raise failure
    return outcome
