"""Picture files as the arrays that networks read."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape

MODES = {1: "L", 3: "RGB"}
"""Pillow's name of pictures with so many channels."""


def read_pictures(paths: Iterable[Path], shape: Shape) -> np.ndarray:
    """Pictures as uint8 of shape (pictures, channels, height, width), resized if need be.

    Args:
        paths: At least one file that Pillow can read.
        shape: (channels, height, width).

    Raises:
        MetaqnnError: A file cannot be read, or there are no pictures with so many channels.
    """
    channels, height, width = shape
    if channels not in MODES:
        raise MetaqnnError(f"the network reads {channels} channels; pictures have 1 or 3")
    found = []
    for path in paths:
        try:
            with Image.open(path) as picture:
                fitted = picture.convert(MODES[channels]).resize(
                    (width, height), Image.Resampling.BILINEAR
                )
        except (OSError, UnidentifiedImageError) as error:
            raise MetaqnnError(f"{path} cannot be read: {error}") from None
        found.append(np.asarray(fitted, np.uint8).reshape(height, width, channels))
    return np.stack(found).transpose(0, 3, 1, 2)
