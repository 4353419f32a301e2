"""Which axis of an array is what."""

import math

import numpy as np

from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape
from metaqnn.terminal import counted

CHANNELS = 4
"""Channels that pictures have at most: grey or colours, with or without transparency."""


def channels_first(x: np.ndarray, labels: int, name: str) -> np.ndarray:
    """Arrays (images, height, width[, channels]) as (images, channels, height, width), not copied.

    Channels may stand first already, where they cannot be taken for rows: there are at most four,
    and the last axis is longer than that.

    Args:
        x: The images.
        labels: How many labels there are.
        name: Of the array, for messages.

    Raises:
        MetaqnnError: It cannot be told which axis is what; the message says how to mend it.
    """
    wanted = f"{name} must have the shape (images, height, width[, channels]), not {x.shape}"
    if x.ndim not in (3, 4) or not x.size:
        raise MetaqnnError(f"{wanted}{_advice(x.shape)}")
    if len(x) != labels and x.shape[-1] == labels:
        raise MetaqnnError(f"{wanted}: its last axis counts the images; np.moveaxis(x, -1, 0)")
    if len(x) != labels:
        place, colon, array = name.rpartition(": ")
        raise MetaqnnError(
            f"{place}{colon}{counted(len(x), 'image')} in {array}, {counted(labels, 'label')}"
        )
    if x.ndim == 3:
        return x[:, None]
    first, middle, last = x.shape[1:]
    if last <= CHANNELS:
        return np.moveaxis(x, 3, 1)
    if first <= CHANNELS:
        return x
    if middle == last:
        problem = "volumes" if first == last else "channels or slices first"
        raise MetaqnnError(
            f"{wanted} looks like {problem}: np.moveaxis(x, 1, -1) makes {first} channels of "
            f"{middle}x{last}, and one slice, x[:, {first // 2}], is a picture"
        )
    if first != middle and last > min(first, middle):
        raise MetaqnnError(
            f"{wanted}: nobody knows which axis the channels are; bring them to the end by "
            "np.moveaxis, and cut or resize height and width to squares"
        )
    return np.moveaxis(x, 3, 1)


def _advice(shape: tuple[int, ...]) -> str:
    """How to make images of rows of pixels."""
    if len(shape) == 5:
        return "; of a volume one slice is a picture"
    if len(shape) == 2:
        for channels in (1, 3):
            side = math.isqrt(shape[1] // channels)
            if side > 1 and side * side * channels == shape[1]:
                size = (side, side) if channels == 1 else (side, side, channels)
                return f"; x.reshape{(-1, *size)} if these are pictures row by row"
    return ""


def as_read(x: np.ndarray, shape: Shape, size: tuple[int, int] | None) -> np.ndarray | None:
    """Arrays as (images, channels, height, width) of one of two sizes; None where they are not.

    Args:
        x: With channels first or last, or without.
        shape: (channels, height, width) that a network reads.
        size: (height, width) of what it was trained on, where that was resized.
    """
    channels = shape[0]
    for height, width in (shape[1:], size) if size else (shape[1:],):
        if x.shape[1:] == (channels, height, width):
            return x
        if x.shape[1:] == (height, width, channels):
            return np.moveaxis(x, 3, 1)
        if channels == 1 and x.shape[1:] == (height, width):
            return x[:, None]
    return None
