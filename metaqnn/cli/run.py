"""metaqnn run."""

import sys
import time
from pathlib import Path
from typing import Any

import click
import cloup

from metaqnn.cli.help import OUTPUT, WIDE
from metaqnn.cli.options import PartsCommand, given


@click.command(
    cls=PartsCommand,
    first=(
        *("dataset", "time_limit", "budget", "space", "agent", "recipe", "epochs", "workers"),
        *("device", "seed", "name", "config"),
    ),
    **WIDE,
)
@click.option(
    "--name",
    help="Name of the run's folder.  [default: DATASET-1, ..., or SPACE-1, ... where nothing is "
    "trained]",
)
@cloup.option(
    "--results-dir", group=OUTPUT, help="Folder of the runs' folders.  [default: results]"
)
@cloup.option("--quiet/--no-quiet", default=None, group=OUTPUT, help="Print nothing but errors.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="TOML file with any of the other options as keys; the command line wins.",
)
def run(config: Path | None, **options: Any) -> None:
    """Search for networks that fit a data set.

    Without options: 70 networks for the scans of digits of scikit-learn.
    """
    began = time.monotonic()
    from metaqnn.cli.drive import drive
    from metaqnn.config import read_values
    from metaqnn.runs.creation import plan_run
    from metaqnn.runs.timed import plan_search

    from_file = {} if config is None else read_values(config)
    values = {**from_file, **given(options)}
    made, quiet = plan_run(values)
    limit = made.config.run.time_limit
    if limit and not quiet and "time_limit" not in values:
        click.echo(f"{limit} for it all, unless --time-limit or --budget says otherwise", err=True)
    command = ["metaqnn", *sys.argv[1:]]
    drive(plan_search(made, values), quiet=quiet, command=command, began=began)
