"""What notebooks and programs pass in the place of options on a command line."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from metaqnn.agents.base import Agent
from metaqnn.data.given import kept_arrays
from metaqnn.errors import MetaqnnError
from metaqnn.metrics.base import METRICS
from metaqnn.registry import place_of
from metaqnn.runs.creation import split_output
from metaqnn.task import Score, Task
from state_space import Space


def keywords(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that have a value, as Python's own."""
    return {name: plain(value) for name, value in options.items() if value is not None}


def plain(value: Any) -> Any:
    """What notebooks have, numpy's numbers and arrays and paths, as Python's own."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


@contextmanager
def data_kept(options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The options of a run, where arrays that are the data set are kept in results_dir.

    Not where the run is refused within.

    Raises:
        MetaqnnError: See `keep_arrays`; or results_dir is no path.
    """
    dataset = options.get("dataset")
    if not isinstance(dataset, tuple | list):
        yield dict(options)
        return
    folder = Path(split_output(options)[0].results_dir)
    with kept_arrays(dataset, folder) as name:
        yield {**options, "dataset": name}


def split_objects(**parts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts that are given themselves, and options that name all of the parts.

    Raises:
        MetaqnnError: One is a class.
    """
    given = keywords(parts)
    objects = {role: part for role, part in given.items() if not isinstance(part, str)}
    for role, part in objects.items():
        if role == "space" and not isinstance(part, Space | type):
            raise MetaqnnError(f"space is {part!r:.80}, not a name, a TOML file or a Space")
        if role == "agent" and not isinstance(part, Agent | type):
            raise MetaqnnError(f"agent is {part!r:.80}, not a name or an Agent")
        if role == "evaluator" and not callable(part):
            raise MetaqnnError(f"evaluator is {part!r:.80}, not a name or a function of a job")
        if isinstance(part, type):
            raise MetaqnnError(f"{role} is the class {part.__name__}: make one of it, or name it")
    return objects, {
        role: place_of(part) if role in objects else part for role, part in given.items()
    }


def own_task(
    shape: Sequence[int] | None,
    classes: int | Sequence[str] | None,
    score: Score | None,
    metric: str = "accuracy",
) -> Task:
    """The task of somebody who has the images; without a score it is that of the metric.

    Raises:
        MetaqnnError: Shape or classes make no sense, or there is no such metric.
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
    return Task(sizes, names, score or METRICS.find(metric).score(len(names)))
