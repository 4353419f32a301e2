"""metaqnn resume."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from metaqnn.cli.options import ResumeCommand, given, run_folder, time_limit, trust_option


@click.command(cls=ResumeCommand)
@run_folder
@trust_option
@time_limit
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def resume(folder: Path, trust: bool, quiet: bool, time_limit: str | None, **options: Any) -> None:
    """Go on with the run in FOLDER, if need be with a larger budget or on another device.

    The run keeps what is given here for the next time, but for a time.
    """
    from metaqnn.cli.drive import drive
    from metaqnn.runs.clock import Clock
    from metaqnn.runs.run import open_run

    clock = None if time_limit is None else Clock.start(time_limit)
    run = open_run(folder, trust=trust)
    drive(replace(run, config=run.config.changed(given(options))), quiet=quiet, clock=clock)
