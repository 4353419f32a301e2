"""metaqnn run."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaqnn.cli.options import config_options, given

if TYPE_CHECKING:
    from metaqnn.config import RunConfig
    from metaqnn.networks.cost import Shape


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
    from metaqnn.cli.progress import drive, open_board
    from metaqnn.config import RunConfig, read_toml, split_output
    from metaqnn.folders import free_folder, named_folder
    from metaqnn.runs import Run, create_run
    from metaqnn.spaces import read_space

    from_file = {} if config is None else read_toml(config)
    from_file = {key.replace("-", "_"): value for key, value in from_file.items()}
    output, flat = split_output({**from_file, **given(options)})
    asked = RunConfig.from_flat(flat)
    settings = read_space(asked.space)
    shape, classes = find_images(asked, settings)
    results = Path(output.results_dir)
    trains = asked.evaluation.evaluator == "train"
    stem = asked.data.dataset.partition(":")[0] if trains else Path(asked.space).stem
    path = named_folder(results, output.name) if output.name else free_folder(results, stem)
    made = Run(path, asked, settings, shape, classes)
    evaluator, executor, board = made.evaluator(), made.executor(), open_board(made)
    create_run(made, ["metaqnn", *sys.argv[1:]], evaluator.facts)
    drive(made, evaluator, executor, board, quiet=output.quiet)


def find_images(
    config: "RunConfig", settings: Mapping[str, Any]
) -> "tuple[Shape, tuple[str, ...]]":
    """Shape and classes of the images, which are loaded only if something is to be trained."""
    from metaqnn.registry import find_dataset
    from metaqnn.runs import open_run
    from metaqnn.spaces import made_for
    from metaqnn.training.data import load_split

    recorded = config.evaluation.surrogate_from
    if config.evaluation.evaluator == "surrogate" and recorded and Path(recorded).is_dir():
        run = open_run(Path(recorded))
        return run.shape, run.classes
    if config.evaluation.evaluator != "train":
        shape, classes = made_for(settings)
        return shape, tuple(map(str, range(classes)))
    entry, _ = find_dataset(config.data.dataset)
    if config.budget == 0 and entry.shape and entry.classes:
        size = config.data.image_size or entry.shape[1]
        return (entry.shape[0], size, size), tuple(map(str, range(entry.classes)))
    training, _ = load_split(config.data)
    return training.shape, training.classes
