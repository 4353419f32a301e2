"""metaqnn run."""

import sys
from pathlib import Path
from typing import Any

import click

from metaqnn.cli.options import PartsCommand, given, time_limit


@click.command(
    cls=PartsCommand,
    epilog="Options of other parts: metaqnn run --agent NAME --help, likewise --evaluator, "
    "--executor, --predictor and --halving.",
)
@click.option(
    "--name",
    help="Name of the run's folder.  [default: DATASET-1, DATASET-2, ..., or SPACE-1, ... where "
    "nothing is trained]",
)
@time_limit
@click.option("--results-dir", help="Folder of the runs' folders.  [default: results]")
@click.option("--quiet/--no-quiet", default=None, help="Print nothing but errors.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="TOML file with any of the other options as keys; the command line wins.",
)
def run(config: Path | None, **options: Any) -> None:
    """Search for networks that fit a data set.

    Without options: the scans of digits that come with scikit-learn, 70 networks.
    """
    from metaqnn.cli.drive import drive
    from metaqnn.config import read_values
    from metaqnn.runs.clock import Clock, defaults
    from metaqnn.runs.creation import plan_run

    from_file = {} if config is None else read_values(config)
    values = {**from_file, **given(options)}
    values = {**defaults(values), **values}
    clock = Clock.start(values.pop("time_limit")) if "time_limit" in values else None
    made, quiet = plan_run(values)
    if clock:
        from metaqnn.runs.timed import plan_search

        made = plan_search(made, clock, values)
    drive(made, quiet=quiet, command=["metaqnn", *sys.argv[1:]], clock=clock)
