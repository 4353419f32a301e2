"""metaqnn finalize."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaqnn.cli.options import config_options_of, format_option, given, run_folder
from metaqnn.reports.formats import Format
from metaqnn.sections import ExecutionConfig
from metaqnn.training.presets import NAMES
from metaqnn.training.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from metaqnn.events import Event
    from metaqnn.finals import Finals


@click.command()
@run_folder
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
    "--recipe",
    type=click.Choice(NAMES),
    default="short",
    show_default=True,
    help="short: the search's recipe for twice as many epochs, with shifts.",
)
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Trainings of each."
)
@click.option("--name", help="Folder of the trainings, in FOLDER/final.  [default: the recipe's]")
@format_option
@config_options_of("device", "data_dir", "train_limit", *ExecutionConfig.model_fields)
@config_options_of(*Recipe.model_fields, has_default=False)
def finalize(
    folder: Path,
    k: int,
    ensemble: int,
    recipe: str,
    seeds: int,
    name: str | None,
    form: Format,
    **options: Any,
) -> None:
    """Train the best networks of the run in FOLDER anew and test them, the paper's last step.

    They are trained on all training images, those of validation included, for longer; then the
    test images are opened, and the error of each network and of the ensemble is measured, once.
    What is interrupted goes on when called again; more networks and seeds may be added.

    The options of training change the recipe; their defaults are those of the recipe.
    """
    from metaqnn.finals import FINAL, Finals
    from metaqnn.folders import named_folder
    from metaqnn.reports.finals import render, summarise
    from metaqnn.reports.top_k import best_networks
    from metaqnn.runs import open_run
    from metaqnn.training.presets import preset

    run = open_run(folder)
    networks = best_networks(run, k)
    searched = {**run.config.recipe.model_dump(), "train_limit": None}
    asked = {**searched, **preset(recipe, searched, run.shape[1]), **given(options)}
    config = run.config.changed(asked)
    path = named_folder(run.path / FINAL, name or recipe)
    finals = Finals(replace(run, config=config), path)
    with finals.lock():
        _train(finals, networks, seeds)
        results = finals.test(networks, range(seeds), ensemble)
    click.echo(render(summarise(results), form))
    for network, reason in results.dropna(subset=["error"])[["network", "error"]].values:
        click.echo(f"{network} failed: {reason}", err=True)
    click.echo(f"\nThe weights, and the results of every training, are in {path}", err=True)


def _train(finals: "Finals", networks: "pd.DataFrame", seeds: int) -> None:
    """Train with a progress bar where there is a terminal."""
    from metaqnn.cli.progress import INTERRUPTED
    from metaqnn.progress import make_bar

    executor = finals.run.executor()
    done = 0
    with make_bar() as progress:
        total = seeds * len(networks)
        task = progress.add_task(f"final: {finals.path.name}", total=total, state="")

        def observe(event: "Event") -> None:
            nonlocal done
            done += event.is_new
            progress.update(task, completed=done, state=event.outcome.error or "")

        try:
            for seed in range(seeds):
                finals.train(networks, seed, executor, observe)
        except KeyboardInterrupt:
            progress.stop()
            click.echo(f"stopped, {done} networks were trained; the same command goes on", err=True)
            sys.exit(INTERRUPTED)
        finally:
            executor.shutdown()
