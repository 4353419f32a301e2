"""metaqnn resume."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from metaqnn.cli.options import config_option, given, run_folder


@click.command()
@run_folder
@config_option("budget")
@config_option("device")
@config_option("data_dir")
@config_option("table")
@config_option("surrogate_from")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def resume(folder: Path, quiet: bool, **options: Any) -> None:
    """Go on with the run in FOLDER, if need be with a larger budget or on another device.

    The run keeps what is given here for the next time.
    """
    from metaqnn.cli.progress import drive
    from metaqnn.config import RunConfig
    from metaqnn.runs import check_content, open_run

    found = open_run(folder)
    config = RunConfig.from_flat({**found.config.flat(), **given(options)})
    run = replace(found, config=config)
    evaluator = run.evaluator()
    check_content(run.path, evaluator.facts)
    drive(run, evaluator, quiet=quiet)
