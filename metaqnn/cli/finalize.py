"""metaqnn finalize."""

import re
import sys
from pathlib import Path
from typing import Any

import click

from metaqnn.cli.help import WIDE
from metaqnn.cli.options import format_option, given, run_folder, section_options, trust_option
from metaqnn.cli.trainers import FinalCommand
from metaqnn.config import RunOptions
from metaqnn.executors.ray import RayOptions
from metaqnn.reports.formats import Format


def parse_scale(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    """The numbers by key of texts such as filters=32; a callback of click."""
    found = {}
    for value in values:
        key, _, number = value.partition("=")
        if not key or not re.fullmatch(r"[1-9][0-9]{0,5}", number):
            raise click.BadParameter(f"{value!r} is not KEY=NUMBER, such as filters=32")
        found[key] = int(number)
    return found


def parse_grid(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, list[str]]:
    """The values by key of texts such as learning-rate=0.1,0.05; a callback of click."""
    found: dict[str, list[str]] = {}
    for value in values:
        key, _, several = value.partition("=")
        # RATE:EPOCHS,... is one value
        own = [several] if ":" in several else several.split(",")
        if not key or not all(own):
            raise click.BadParameter(
                f"{value!r} is not KEY=VALUE,VALUE,..., such as learning-rate=0.1,0.05"
            )
        found.setdefault(key, []).extend(own)
    return found


class FinalizeCommand(FinalCommand):
    """Names the recipes."""

    recipe = "short", "short: the search's recipe for twice as many epochs, images with shifts."


@click.command(
    cls=FinalizeCommand,
    first=(
        *("k", "recipe", "seeds", "scales", "ensemble", "grid", "int8", "epochs", "seconds"),
        *("device", "executor", "name", "form", "trust"),
    ),
    **WIDE,
)
@run_folder
@trust_option
@click.option(
    "-k", default=10, show_default=True, type=click.IntRange(1), help="How many networks."
)
@click.option(
    "--ensemble",
    default=5,
    show_default=True,
    type=click.IntRange(1),
    help="So many of the best are also tested together; 1 for none.",
)
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Trainings of each."
)
@click.option(
    "--scale",
    "scales",
    multiple=True,
    metavar="KEY=NUMBER",
    callback=parse_scale,
    help="Make the networks larger than the search did, where the space has such a key; may be "
    "given several times.",
)
@click.option(
    "--network",
    "published",
    multiple=True,
    metavar="NAME",
    help="Train this published network in the place of the run's best, such as nasnet-a; may be "
    "given several times.",
)
@click.option(
    "--grid",
    multiple=True,
    metavar="KEY=VALUE,...",
    callback=parse_grid,
    help="First find the best values of an option of training, such as learning-rate=0.1,0.05: the "
    "best network is trained by every combination and judged on the validation part; then all "
    "-k are trained by the best one. Given once an option.",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Write the networks in whole numbers of 8 bits too, as ONNX, and show their test error, "
    "size and latency (of one image, on one thread) beside those of the float networks.",
)
@click.option("--name", help="Folder of the trainings, in FOLDER/final.  [default: the recipe's]")
@format_option
@section_options(RunOptions, "device", "executor", has_default=False)
@section_options(RayOptions, has_default=False)
def finalize(
    folder: Path,
    trust: bool,
    k: int,
    ensemble: int,
    recipe: str,
    seeds: int,
    scales: dict[str, int],
    published: tuple[str, ...],
    grid: dict[str, list[str]],
    int8: bool,
    name: str | None,
    form: Format,
    **options: Any,
) -> None:
    """Train the best networks of the run in FOLDER anew and test them, the paper's last step.

    They are trained on all training images, those of validation included, for longer; then the
    test images are opened, and the error of each network and of the ensemble is measured, once.
    Models of texts are trained on the training part alone, the whole of it; the one of the epoch
    that does best on the validation part is tested. What is interrupted goes on when called again;
    more networks and seeds may be added.

    The options of training change the recipe; their defaults are those of the recipe. `metaqnn
    finalize FOLDER --help` has those of the run in FOLDER.
    """
    from metaqnn.cli.drive import INTERRUPTED
    from metaqnn.reports.finals import render, summarise
    from metaqnn.reports.grid import render_grid
    from metaqnn.reports.top_k import best_networks
    from metaqnn.runs.finalizing import finalize as train_and_test
    from metaqnn.runs.grid import choose_setting, plan_grid
    from metaqnn.runs.published import with_published
    from metaqnn.runs.run import open_run
    from metaqnn.terminal import printable

    def warn(text: str) -> None:
        click.echo(printable(f"warning: {text}"), err=True)

    run = open_run(folder, trust=trust)
    if published:
        run, networks = with_published(run, published)
        name = name or "-".join([recipe, *published, *(["grid"] if grid else [])])
    else:
        networks = best_networks(run, k)
    score = run.task.score
    try:
        plan = plan_grid(run, recipe, name, given(options), scales, grid)
        finals, table = choose_setting(plan, networks)
        if grid:
            click.echo(f"{render_grid(table, score)}\n", err=True)
        results = train_and_test(finals, networks, seeds, ensemble, int8=int8, warn=warn)
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on", err=True)
        sys.exit(INTERRUPTED)
    click.echo(render(summarise(results, score), score, form))
    for network, reason in results.dropna(subset=["error"])[["network", "error"]].values:
        click.echo(printable(f"{network} failed: {reason}"), err=True)
    if results[score.tested].isna().all() and results["error"].isna().any():
        name = printable(run.config.values()["dataset"])
        click.echo(f"{name} has no test images: no test error is known", err=True)
    click.echo(f"\nThe weights, and the results of every training, are in {finals.path}", err=True)
