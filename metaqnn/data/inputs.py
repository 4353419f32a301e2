"""What people give a trained network to classify: files, folders, arrays."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from metaqnn.data.arrays import check_is_file, read_header, told
from metaqnn.data.files import pictures_in
from metaqnn.data.prediction import prepare
from metaqnn.data.preparation import Preparation
from metaqnn.data.reading import read_for
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape

FORMS = "what is read are pictures, folders of them, and .npy files of one array of images each"


def read_inputs(
    paths: Iterable[Path], shape: Shape, preparation: Preparation
) -> tuple[list[str], np.ndarray, list[str]]:
    """Images as a network reads them.

    Args:
        paths: Pictures, folders of pictures, and .npy files with an array of images each.
        shape: (channels, height, width) that the network reads.
        preparation: Of its training images.

    Returns:
        The names of the images, float32 (images, channels, height, width) in the units of the
        training arrays, and why others cannot be read.

    Raises:
        MetaqnnError: A folder has no pictures, or the network reads none.
    """
    files: list[Path] = []
    names: list[str] = []
    parts: list[np.ndarray] = []
    broken: list[str] = []
    for path in paths:
        if unread := _unread(path):
            broken.append(f"{path} {unread}; {FORMS}")
            continue
        check_is_file(path)
        if path.is_dir():
            inside = pictures_in(path, {})
            if not inside:
                raise MetaqnnError(f"{path} has no pictures")
            files += inside
        elif path.suffix.lower() == ".npy":
            try:
                with told(path, "an array of images"):
                    array = _array(path)
                    parts.append(prepare(array, shape, preparation))
            except MetaqnnError as error:
                broken.append(f"{path}: {error}" if str(path) not in str(error) else str(error))
                continue
            names += [f"{path}[{number}]" for number in range(len(parts[-1]))]
        else:
            files.append(path)
    if files:
        pixels, why = read_for(files, shape, preparation)
        parts.append(pixels)
        names += [str(file) for place, file in enumerate(files) if place not in why]
        broken += why.values()
    images = np.concatenate(parts) if parts else np.empty((0, *shape), np.float32)
    return names, images, broken


def _unread(path: Path) -> str | None:
    """Why a path is of a kind that is not read; None where it may be read."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)) and not path.exists():
        return "is an address: download it, and name the file"
    if path.suffix.lower() == ".npz":
        return "holds arrays by name: write that of the images alone, as np.save('x.npy', x) does"
    return None


def _array(path: Path) -> np.ndarray:
    """The array of a .npy file, of which only what is asked for is read.

    Raises:
        MetaqnnError: It has Python objects.
        OSError: It cannot be read.
        ValueError: It is no such file.
    """
    with path.open("rb") as file:
        _, kind, _ = read_header(file)
    if kind.hasobject:
        raise MetaqnnError(
            f"{path} has Python objects, whose reading could run code: write the images as one "
            f"array of numbers, or pictures of different sizes as files; {FORMS}"
        )
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return found
