"""A picture file as the pixels that a network reads, in training, tests and predictions alike."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from metaqnn.data.deep import channels_of, white_of
from metaqnn.data.preparation import Preparation, grey_levels, resized
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it says, it raises as well

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's name of pictures with so many channels."""

GREY = ("1", "L", "LA", "La", "I", "F")
TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientations, and what makes the picture stand upright."""

LARGE = 1_000_000
"""Pixels from which on a JPEG is decoded at a half, a quarter or an eighth, where that leaves twice
the size that is wanted."""


TRAINED_ON = "the network was trained on"
"""Said of pictures that are whole, but of another scale."""


class Look(NamedTuple):
    """What a file says of its picture before that is decoded.

    Attributes:
        size: (height, width), upright.
        channels: 1 for grey, 3 for colours.
        white: 255, or 65535 for 16 bits; None for 32 bits, whose white nobody knows.
        alpha: Whether it has transparency.
        moves: Whether it has several frames, of which the first counts.
    """

    size: tuple[int, int]
    channels: int
    white: float | None
    alpha: bool
    moves: bool


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture; whatever Pillow trips over becomes one line that names the file.

    Raises:
        MetaqnnError: Something did.
    """
    try:
        with Image.open(path) as picture:
            yield picture
    except MetaqnnError:
        raise
    except UnidentifiedImageError:
        raise MetaqnnError(f"{path} cannot be read: it is no picture that is known") from None
    except Exception as error:  # Pillow's errors share no base class
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MetaqnnError(f"{path} cannot be read: {reason}") from None


def look_at(path: Path) -> Look:
    """What a file says of its picture.

    Raises:
        MetaqnnError: It is no picture.
    """
    with opened(path) as picture:
        width, height = picture.size
        # of PNG the block may stand behind the pixels; of TIFF Pillow turns the size itself
        told = picture.format != "PNG" or "exif" in picture.info
        if told and picture.format != "TIFF" and _orientation(picture) >= 5:
            width, height = height, width
        channels = 1 if picture.mode in GREY or picture.mode.startswith("I;") else 3
        if picture.mode in ("P", "PA") and _is_grey(picture):
            channels = 1
        moves = picture.format != "MPO" and getattr(picture, "is_animated", False)
        white = white_of(picture)
        alpha = picture.has_transparency_data
        return Look((height, width), channels, white, alpha, bool(moves))


def read_picture(path: Path, shape: Shape, preparation: Preparation) -> np.ndarray:
    """A picture upright, resized, with the channels and the scale that are wanted.

    Args:
        path: A file that Pillow can read.
        shape: (channels, height, width) that is wanted.
        preparation: How.

    Returns:
        Pixels as of `grey_levels`, of the shape.

    Raises:
        MetaqnnError: It cannot be read, or not be brought to this scale.
    """
    channels, height, width = shape
    if channels not in MODES:
        raise MetaqnnError(f"the network reads {channels} channels; pictures have 1 to 4")
    with opened(path) as picture:
        white = white_of(picture)
        if white == 255:
            box = _draft(picture, (height, width)) if preparation.resampling == "bicubic" else None
            picture.load()
            flat = _with_channels(picture, channels, preparation.transparency)
            pixels = _fit([flat], (height, width), _orientation(picture), box, preparation)
        else:
            planes = channels_of(picture, path, channels, preparation.transparency)
            pixels = _fit(planes, (height, width), _orientation(picture), None, preparation)
    if pixels.dtype != np.uint8 and not np.isfinite(pixels).all():
        raise MetaqnnError(f"{path} has pixels that are NaN or infinite")
    if preparation.scale != "values":
        if white == 255:
            return pixels
        if white is None:
            raise MetaqnnError(
                f"{path} has 32 bits, of which none is known to be white; {TRAINED_ON} "
                f"{preparation.range}"
            )
        return np.clip(np.round(pixels * (255 / white)), 0, 255).astype(np.uint8)
    if preparation.white is None:
        if white == 255:
            raise MetaqnnError(
                f"{path} has 8 bits, but {TRAINED_ON} values of another scale, {preparation.range}"
            )
        return grey_levels(pixels, preparation)
    factor = 1.0 if white is None else preparation.white / white
    return pixels.astype(np.float32) * np.float32(factor)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # a broken block says nothing of the picture
        return 1


def _is_grey(picture: Image.Image) -> bool:
    """Whether all colours of a palette are grey."""
    if picture.palette is None:
        return False
    mode, data = picture.palette.getdata()
    width = len(mode.partition(";")[0])
    if width < 3 or ";L" in mode:
        return False
    colours = np.frombuffer(data, np.uint8)
    colours = colours[: len(colours) // width * width].reshape(-1, width)[:, :3]
    return bool((colours == colours[:, :1]).all())


def _draft(picture: Image.Image, size: tuple[int, int]) -> tuple[int, int, float, float] | None:
    """Let a large JPEG be decoded smaller; the part of it that is the picture."""
    if picture.format not in ("JPEG", "MPO") or picture.width * picture.height < LARGE:
        return None
    most = 2 * max(size)
    drafted = picture.draft(None, (most, most))
    return (0, 0, drafted[1][2], drafted[1][3]) if drafted else None


def _with_channels(picture: Image.Image, channels: int, alpha: str) -> Image.Image:
    if channels in (1, 3) and alpha in ("white", "black") and picture.has_transparency_data:
        shown = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", shown.size, alpha), shown)
    return picture.convert(MODES[channels])


def _fit(
    planes: list[Image.Image],
    size: tuple[int, int],
    orientation: int,
    box: tuple[int, int, float, float] | None,
    preparation: Preparation,
) -> np.ndarray:
    """Pictures side by side as (channels, height, width), upright and of a size."""
    height, width = size
    if orientation >= 5:
        height, width = width, height
    arrays = []
    for plane in planes:
        if preparation.resampling != "bilinear":
            bicubic = preparation.resampling == "bicubic"
            how = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
            plane = plane.resize((width, height), how, box)
        if orientation in TURNED:
            plane = plane.transpose(TURNED[orientation])
        array = np.asarray(plane)
        arrays += [array] if array.ndim == 2 else list(np.moveaxis(array, 2, 0))
    pixels = np.stack(arrays)
    if pixels.shape[1:] != size:
        pixels = resized(pixels[None], size)[0].numpy()
    return pixels
