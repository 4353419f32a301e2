"""What a run is to be: of its options, the images, the folder and what may change later."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from metaqnn.config import RunConfig, validated
from metaqnn.data.parts import load_split
from metaqnn.errors import MetaqnnError
from metaqnn.folders import free_folder, named_folder
from metaqnn.networks.cost import Shape
from metaqnn.registry import find_dataset
from metaqnn.runs import Run, open_run
from metaqnn.sections import Section
from metaqnn.spaces import made_for, read_space
from state_space.settings import suggestion

Pictures = tuple[Shape, tuple[str, ...]]
"""Shape of the images, (channels, height, width), and names of their classes."""


class OutputConfig(Section):
    """Where a run's folder is, and what is printed: options that change no result."""

    name: str | None = None
    results_dir: str = "results"
    quiet: bool = False


def split_output(values: Mapping[str, Any]) -> tuple[OutputConfig, dict[str, Any]]:
    """The options of output, and all others, which `RunConfig.from_flat` takes.

    Raises:
        MetaqnnError: A value is impossible.
    """
    own = {name: value for name, value in values.items() if name in OutputConfig.model_fields}
    others = {name: value for name, value in values.items() if name not in own}
    return validated(OutputConfig, own), others


def plan_run(options: Mapping[str, Any], images: Pictures | None = None) -> tuple[Run, bool]:
    """The run that options ask for, whose folder is not made yet; and whether it is to be quiet.

    Args:
        options: Those of `RunConfig` and `OutputConfig`.
        images: Where they are not the data set's.

    Raises:
        MetaqnnError: An option is unknown or impossible, or the images cannot be loaded.
    """
    output, flat = split_output(options)
    config = RunConfig.from_flat(flat)
    settings = read_space(config.space)
    shape, classes = images or find_images(config, settings)
    results = Path(output.results_dir)
    trains = config.evaluation.evaluator == "train"
    stem = config.data.dataset.partition(":")[0] if trains else Path(config.space).stem
    path = named_folder(results, output.name) if output.name else free_folder(results, stem)
    return Run(path, config, settings, shape, classes), output.quiet


def find_images(config: RunConfig, settings: Mapping[str, Any]) -> Pictures:
    """Shape and classes of the images, which are loaded only if something is to be trained."""
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


def check_images(run: Run) -> None:
    """Load the images of a run, if it is to train any network.

    Raises:
        MetaqnnError: They cannot be loaded, or are not those for which the run was made.
    """
    if run.config.budget and run.config.evaluation.evaluator == "train":
        match_images(run)


def match_images(run: Run) -> None:
    """Load the images of a run.

    Raises:
        MetaqnnError: They cannot be loaded, or are not those for which the run was made.
    """
    training, _ = load_split(run.config.data)
    if (training.shape, len(training.classes)) != (run.shape, len(run.classes)):
        raise MetaqnnError(
            f"{run.config.data.dataset} has images of shape {training.shape} in "
            f"{len(training.classes)} classes; the run was made for {run.shape} in "
            f"{len(run.classes)}"
        )


def change_run(run: Run, options: Mapping[str, Any]) -> Run:
    """A run with other options, which are among `CHANGEABLE`.

    Raises:
        MetaqnnError: An option is impossible.
    """
    return replace(run, config=run.config.changed(options))


def keywords(options: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """The options that have a value, paths as text.

    Raises:
        MetaqnnError: One is not among the known ones.
    """
    for name in options:
        if name not in known:
            raise MetaqnnError(f"unknown option {name}{suggestion(name, known)}")
    return {name: plain(value) for name, value in options.items() if value is not None}


def plain(value: Any) -> Any:
    """What notebooks have, numpy's numbers and arrays and paths, as Python's own."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def own_images(shape: Sequence[int] | None, classes: int | Sequence[str] | None) -> Pictures:
    """Shape and classes as a person says them who has the images.

    Raises:
        MetaqnnError: They make no sense.
    """
    shape, classes = plain(shape), plain(classes)
    sizes = tuple(shape) if isinstance(shape, Sequence) else ()
    if (
        len(sizes) != 3
        or sizes[1] != sizes[2]
        or not all(isinstance(size, int) and size > 0 for size in sizes)
    ):
        raise MetaqnnError(f"shape is {shape!r}, not (channels, size, size), such as (1, 28, 28)")
    given = range(classes) if isinstance(classes, int) else classes
    names = tuple(map(str, given if isinstance(given, Iterable) else ()))
    if len(names) < 2:
        raise MetaqnnError(f"classes is {classes!r}, not a number from 2 on or a list of names")
    return sizes, names
