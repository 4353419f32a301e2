"""Many picture files, read at once and resized while they are read."""

import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from metaqnn.data.pictures import Look, look_at, read_picture
from metaqnn.data.preparation import Preparation, check_room, units
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape
from metaqnn.terminal import make_bar

PATIENCE = 2.0
"""Seconds before a progress bar is shown."""

CHUNK = 16
"""Pictures that a thread reads before it says so."""

T = TypeVar("T")


def look_at_all(paths: Sequence[Path]) -> tuple[list[Look | None], dict[int, str]]:
    """What the files say of their pictures, None of those that are broken; and why these are."""
    looks: list[Look | None] = [None] * len(paths)

    def look(place: int) -> None:
        looks[place] = look_at(paths[place])

    broken = _each(len(paths), look, "looking at pictures")
    return looks, broken


def read_all(
    paths: Sequence[Path], shape: Shape, preparation: Preparation
) -> tuple[np.ndarray, dict[int, str]]:
    """Pixels of pictures, (pictures, channels, height, width), the broken ones left out.

    No more than the result and one picture a thread is in memory.

    Args:
        paths: The files.
        shape: (channels, height, width).
        preparation: How.

    Returns:
        The pixels, and the places of the broken files with the reasons.
    """
    kind = np.float32 if preparation.scale == "values" else np.uint8
    check_room((len(paths), *shape), np.dtype(kind).itemsize)
    pixels = np.empty((len(paths), *shape), kind)

    def read(place: int) -> None:
        pixels[place] = read_picture(paths[place], shape, preparation)

    broken = _each(len(paths), read, "reading pictures")
    if not broken:
        return pixels, broken
    kept = 0
    for place in range(len(paths)):
        if place not in broken:
            pixels[kept] = pixels[place]
            kept += 1
    return pixels[:kept], broken


def read_for(
    paths: Sequence[Path], shape: Shape, preparation: Preparation
) -> tuple[np.ndarray, dict[int, str]]:
    """Pictures as a network reads them: like `read_all`, in the units of its training arrays."""
    pixels, broken = read_all(paths, shape, preparation)
    return units(pixels, preparation), broken


def describe_broken(broken: dict[int, str]) -> str:
    """One line of the files that cannot be read."""
    first, *others = broken.values()
    more = f"; {len(others):,} more cannot be read either" if others else ""
    return f"{first}{more}"


def _each(count: int, do: Callable[[int], None], what: str) -> dict[int, str]:
    """Do something for every place, in threads; the places where that failed, and why."""
    broken: dict[int, str] = {}

    def do_some(start: int) -> int:
        stop = min(start + CHUNK, count)
        for place in range(start, stop):
            try:
                do(place)
            except MetaqnnError as error:
                broken[place] = str(error)
        return stop - start

    began, shown = time.monotonic(), False
    # a worker's bar would be drawn over that of the search
    bar = make_bar(quiet=multiprocessing.parent_process() is not None)
    task = bar.add_task(what, total=count, state="")
    with warnings.catch_warnings(), ThreadPoolExecutor(threads()) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            for done in pool.map(do_some, range(0, count, CHUNK)):
                bar.advance(task, done)
                if not shown and time.monotonic() - began > PATIENCE:
                    bar.start()
                    shown = True
        finally:
            pool.shutdown(cancel_futures=True)
            if shown:
                bar.stop()
    return dict(sorted(broken.items()))


def threads() -> int:
    """How many pictures are read at once: as many as there are cores for us."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
