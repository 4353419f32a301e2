"""metaqnn resume."""

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
@config_option("executor")
@config_option("workers")
@config_option("threads")
@config_option("slots_per_gpu")
@config_option("network_timeout")
@config_option("ray_address")
@config_option("tensorboard")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def resume(folder: Path, quiet: bool, **options: Any) -> None:
    """Go on with the run in FOLDER, if need be with a larger budget or on another device.

    The run keeps what is given here for the next time.
    """
    from metaqnn.cli.progress import drive
    from metaqnn.environment import check_content
    from metaqnn.plans import change_run
    from metaqnn.runs import open_run

    run = change_run(open_run(folder), given(options))
    evaluator, executor = run.evaluator(), run.executor()
    check_content(run.path, evaluator.facts)
    drive(run, evaluator, executor, quiet=quiet)
