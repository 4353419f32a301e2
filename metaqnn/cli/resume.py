"""metaqnn resume."""

from pathlib import Path
from typing import Any

import click

from metaqnn.cli.options import config_options_of, given, run_folder
from metaqnn.config import CHANGEABLE


@click.command()
@run_folder
@config_options_of(*CHANGEABLE, has_default=False)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def resume(folder: Path, quiet: bool, **options: Any) -> None:
    """Go on with the run in FOLDER, if need be with a larger budget or on another device.

    The run keeps what is given here for the next time.
    """
    from metaqnn.cli.drive import drive
    from metaqnn.environment import check_content
    from metaqnn.runs.creation import change_run
    from metaqnn.runs.run import open_run

    run = change_run(open_run(folder), given(options))
    evaluator, executor = run.evaluator(), run.executor()
    check_content(run.path, evaluator.facts)
    drive(run, evaluator, executor, quiet=quiet)
