"""metaqnn run."""

import sys
from pathlib import Path
from typing import Any

import click

from metaqnn.cli.options import config_options, given


@click.command()
@click.option("--name", help="Name of the run's folder.  [default: DATASET-1, DATASET-2, ...]")
@click.option(
    "--results-dir",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder of the runs' folders.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="TOML file with any of the options below as keys; the command line wins.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@config_options
def run(
    name: str | None, results_dir: Path, config_file: Path | None, quiet: bool, **options: Any
) -> None:
    """Search for networks that fit a data set.

    Without options: the scans of digits that come with scikit-learn, 70 networks.
    """
    from metaqnn.cli.progress import drive
    from metaqnn.config import RunConfig, read_toml
    from metaqnn.runs import Run, create_run, free_folder, named_folder
    from metaqnn.spaces import read_space
    from metaqnn.training.data import load_split
    from metaqnn.training.device import resolve_device

    from_file = {} if config_file is None else read_toml(config_file)
    from_file = {key.replace("-", "_"): value for key, value in from_file.items()}
    config = RunConfig.from_flat({**from_file, **given(options)})
    device = resolve_device(config.device)
    settings = read_space(config.space)
    training, _ = load_split(config.data)
    stem = config.data.dataset.partition(":")[0]
    path = free_folder(results_dir, stem) if name is None else named_folder(results_dir, name)
    made = Run(path, config, settings, training.shape, training.classes)
    create_run(made, ["metaqnn", *sys.argv[1:]], device)
    drive(made, device, quiet=quiet)
