"""metaqnn resume."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaqnn.cli.options import config_option, given, run_folder

if TYPE_CHECKING:
    from metaqnn.config import RunConfig

_OF_EXECUTOR = ("executor", "workers", "network-timeout", "ray-address")


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
    from metaqnn.cli.progress import drive, open_board
    from metaqnn.config import RunConfig
    from metaqnn.environment import check_content
    from metaqnn.runs import open_run

    found = open_run(folder)
    config = RunConfig.from_flat(_changed(found.config, given(options)))
    run = replace(found, config=config)
    evaluator, executor, board = run.evaluator(), run.executor(), open_board(run)
    check_content(run.path, evaluator.facts)
    drive(run, evaluator, executor, board, quiet=quiet)


def _changed(config: "RunConfig", options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run with other ones.

    What it says of an executor does not hold for another: not its workers, and in-process, which
    is the default, not where workers or a timeout are asked for.
    """
    flat = config.flat()
    if options.get("executor", flat["executor"]) != flat["executor"]:
        flat = {key: value for key, value in flat.items() if key not in _OF_EXECUTOR}
    elif flat["executor"] == "in-process":
        del flat["executor"]
    return {**flat, **options}
