"""metaqnn run."""

import sys
from pathlib import Path
from typing import Any

import click

from metaqnn.cli.options import config_options, given


@click.command()
@click.option(
    "--name",
    help="Name of the run's folder.  [default: DATASET-1, DATASET-2, ..., or SPACE-1, ... where "
    "nothing is trained]",
)
@click.option("--results-dir", help="Folder of the runs' folders.  [default: results]")
@click.option("--quiet/--no-quiet", default=None, help="Print nothing but errors.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="TOML file with any of the other options as keys; the command line wins.",
)
@config_options
def run(config: Path | None, **options: Any) -> None:
    """Search for networks that fit a data set.

    Without options: the scans of digits that come with scikit-learn, 70 networks.
    """
    from metaqnn.cli.drive import drive
    from metaqnn.config import read_toml
    from metaqnn.runs.creation import plan_run
    from metaqnn.runs.run import create_run

    from_file = {} if config is None else read_toml(config)
    from_file = {key.replace("-", "_"): value for key, value in from_file.items()}
    made, quiet = plan_run({**from_file, **given(options)})
    evaluator, executor = made.evaluator(), made.executor()
    create_run(made, ["metaqnn", *sys.argv[1:]], evaluator.facts)
    drive(made, evaluator, executor, quiet=quiet)
