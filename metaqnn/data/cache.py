"""Pictures that took long to read, kept as the arrays that they became."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import PIL
import platformdirs

from metaqnn.data.preparation import Preparation
from metaqnn.data.reading import read_all
from metaqnn.task import Shape

WORTH = 1.0
"""Seconds that reading must have taken."""

MOST = 10 * 2**30
"""Bytes that are kept; what was not used for longest goes first."""

FORM = 1
"""Another one where what is read from the same files, or how it is kept, becomes another."""


def read_once(
    paths: Sequence[Path], shape: Shape, preparation: Preparation
) -> tuple[np.ndarray, dict[int, str]]:
    """As `metaqnn.data.reading.read_all`; what took long to read is read again when it changes.

    A change is one of a file's name, size or times, of the shape or the preparation, or of Pillow.
    What is kept has a checksum.
    """
    place = folder() / f"{_key(paths, shape, preparation)}.npz"
    if (kept := _kept(place, len(paths), shape)) is not None:
        return kept
    began = time.monotonic()
    pixels, broken = read_all(paths, shape, preparation)
    if time.monotonic() - began > WORTH:
        _keep(place, pixels, broken)
    return pixels, broken


def folder() -> Path:
    """Where pictures are kept: in the user's folder for caches."""
    return platformdirs.user_cache_path("metaqnn") / "pictures"


def _key(paths: Sequence[Path], shape: Shape, preparation: Preparation) -> str:
    """A hash of all that decides what is read."""
    files = []
    for path in paths:
        known = path.stat()
        files.append((os.fsencode(path).hex(), known.st_size, known.st_mtime_ns, known.st_ctime_ns))
    said = [FORM, PIL.__version__, shape, asdict(preparation), files]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _kept(place: Path, count: int, shape: Shape) -> tuple[np.ndarray, dict[int, str]] | None:
    """What is kept there of so many pictures, if it is whole."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as found:
            pixels, told = found["pixels"], json.loads(str(found["broken"]))
        broken = {int(number): str(why) for number, why in told.items()}
        place.touch()  # it was used
    except Exception:  # numpy and zipfile raise anything for a damaged file; the pictures are there
        return None
    return (pixels, broken) if pixels.shape == (count - len(broken), *shape) else None


def _keep(place: Path, pixels: np.ndarray, broken: dict[int, str]) -> None:
    """Write it, and remove what was not used for longest; a disk without room keeps nothing."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if pixels.nbytes > min(MOST, shutil.disk_usage(place.parent).free / 2):
            return
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            np.savez(file, pixels=pixels, broken=np.array(json.dumps(broken)))
        os.replace(file.name, place)
        files = sorted(place.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        sizes = [path.stat().st_size for path in files]
        while sum(sizes) > MOST:
            files.pop(0).unlink(missing_ok=True)
            sizes.pop(0)
    except OSError:
        return  # all that is lost is time
