"""metaqnn resume."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from metaqnn.cli.help import WIDE
from metaqnn.cli.options import ResumeCommand, given, run_folder, trust_option


@click.command(cls=ResumeCommand, **WIDE)
@run_folder
@trust_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def resume(folder: Path, trust: bool, quiet: bool, **options: Any) -> None:
    """Go on with the run in FOLDER, if need be with a larger budget or on another device.

    The run keeps what is given here for the next time. One with a time has it once more.
    """
    began = time.monotonic()
    from metaqnn.cli.drive import drive
    from metaqnn.runs.run import open_run

    run = open_run(folder, trust=trust)
    limit = run.config.run.time_limit
    if limit and not quiet and options["time_limit"] is None:
        click.echo(f"another {limit} for it all, unless --time-limit says otherwise", err=True)
    drive(replace(run, config=run.config.changed(given(options))), quiet=quiet, began=began)
