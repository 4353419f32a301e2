"""Pictures of more than 8 bits a channel."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metaqnn.errors import MetaqnnError

DEEP = 65535.0
"""White of pictures of 16 bits."""

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""The tag of a TIFF that says what its numbers mean (TIFF 6.0, section 3), and a value of it."""

BITS = 258
"""The tag of the bits of each channel."""

KIND, UNSIGNED, SIGNED = 339, 1, 2
"""The tag of what they mean, and values of it."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""The shares of red, green and blue in grey (ITU-R 601-2)."""


def white_of(picture: Image.Image) -> float | None:
    """What white is in a picture: 255, 65535, or None for 32 bits and numbers with a sign."""
    if _is_signed(picture):
        return None
    tiles = getattr(picture, "tile", ())
    args: Any = tiles[0].args if tiles else ""
    parts = args if isinstance(args, tuple) else (args,)
    deep = any(isinstance(part, str) and ";16" in part for part in parts)
    if picture.format == "PPM":
        deep = deep or any(isinstance(part, int) and part > 255 for part in parts)
    if deep or picture.mode.startswith("I;"):
        return DEEP
    return None if picture.mode in ("I", "F") else 255.0


def _tag(picture: Image.Image, tag: int) -> tuple[Any, ...]:
    """The values of a tag of a TIFF; none of others."""
    found = getattr(picture, "tag_v2", {}).get(tag, ())
    return found if isinstance(found, tuple) else (found,)


def _is_signed(picture: Image.Image) -> bool:
    return SIGNED in _tag(picture, KIND)


def channels_of(picture: Image.Image, path: Path, channels: int, alpha: str) -> list[Image.Image]:
    """The channels of a picture of more than 8 bits, each a picture of float32.

    Raises:
        MetaqnnError: Pillow keeps but 8 of them.
    """
    if picture.mode == "L" and _is_signed(picture):
        values = np.asarray(picture).view(np.int8).astype(np.float32)[None]
    elif picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        plane = np.asarray(picture)
        if _tag(picture, BITS) == (32,) and _tag(picture, KIND) in ((), (UNSIGNED,)):
            plane = plane.view(np.uint32)  # Pillow has no room for the sign that there is not
        values = plane.astype(np.float32)[None]
        if getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
            if not picture.mode.startswith("I;"):
                raise MetaqnnError(f"{path} has 32 bits, of which 0 is white: write it otherwise")
            values = DEEP - values  # of 8 bits Pillow does so itself
    else:
        values = _both_bytes(picture, path)
    if len(values) in (2, 4) and channels in (1, 3):
        colours, shares = values[:-1], values[-1:] / DEEP
        ground = {"white": DEEP, "black": 0.0}.get(alpha)
        values = colours if ground is None else colours * shares + ground * (1 - shares)
    elif len(values) in (1, 3) and channels in (2, 4):
        values = np.concatenate([values, np.full_like(values[:1], DEEP)])
    colours, rest = values[: 3 if len(values) > 2 else 1], values[3 if len(values) > 2 else 1 :]
    if len(colours) == 1 and channels > 2:
        colours = np.repeat(colours, 3, 0)
    elif len(colours) == 3 and channels < 3:
        colours = np.tensordot(LUMA, colours, 1)[None]
    return [Image.fromarray(plane) for plane in (*colours, *rest)]


def _both_bytes(picture: Image.Image, path: Path) -> np.ndarray:
    """Colours of 16 bits as float32 (channels, height, width).

    Pillow has room for the high byte of each; read with the bytes exchanged, that is the low one.

    Raises:
        MetaqnnError: It cannot read them so.
    """
    tiles = getattr(picture, "tile", ())
    named = [tile.args if isinstance(tile.args, tuple) else (tile.args,) for tile in tiles]
    order = str(named[0][0])[-3:] if named else ""
    other = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
    if order not in other or not str(named[0][0]).startswith("RGB"):
        raise MetaqnnError(
            f"{path} cannot be read: of its 16 bits a channel only 8 would be left; write it as a "
            "PNG of colours, or as grey"
        )
    with Image.open(path) as again:
        swapped = [
            tile._replace(
                args=(args[0][:-3] + other[order], *args[1:])
                if isinstance(tile.args, tuple)
                else args[0][:-3] + other[order]
            )
            for tile, args in zip(tiles, named, strict=True)
        ]
        again.tile = swapped
        low = np.asarray(again)
    values = np.asarray(picture).astype(np.float32) * 256 + low
    return np.moveaxis(values, 2, 0)
