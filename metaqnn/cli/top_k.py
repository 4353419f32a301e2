"""metaqnn top-k."""

from pathlib import Path

import click

from metaqnn.cli.options import run_folder
from metaqnn.reports.formats import FORMATS, Format


@click.command()
@run_folder
@click.option("-k", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="csv and json carry all digits.",
)
def top_k(folder: Path, k: int, form: Format) -> None:
    """Show the best networks of the run in FOLDER, also while it runs.

    The columns: validation accuracy, parameters, multiply-adds an image, seconds of training, which
    network of the run it was, and the epsilon at which it was found; and the reward, by which they
    are ranked, where it is not the accuracy. An asterisk marks accuracies that are predicted.
    """
    from metaqnn.reports.top_k import render
    from metaqnn.reports.top_k import top_k as find_best
    from metaqnn.runs import open_run

    run = open_run(folder)
    memory = run.memory()
    best = find_best(memory.frame(), run.space(), k)
    if best.empty:
        click.echo("no network is trained yet", err=True)
    click.echo(render(best, form))
