"""What people give a trained network to classify: files, folders, arrays."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from metaqnn.data.arrays import check_is_file, told
from metaqnn.data.files import pictures_in
from metaqnn.data.prediction import prepare
from metaqnn.data.preparation import Preparation
from metaqnn.data.reading import read_for
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape


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
        check_is_file(path)
        if path.is_dir():
            inside = pictures_in(path, {})
            if not inside:
                raise MetaqnnError(f"{path} has no pictures")
            files += inside
        elif path.suffix.lower() == ".npy":
            try:
                with told(path):
                    array = np.load(path, mmap_mode="r", allow_pickle=False)
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
