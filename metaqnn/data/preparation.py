"""How pictures and arrays become what a network reads: in training, tests and predictions alike."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from metaqnn.errors import MetaqnnError
from metaqnn.networks.memory import machine_memory

SCALES = ("bytes", "unit", "values")
RESAMPLINGS = ("bilinear", "bicubic", "pillow-bilinear")
TRANSPARENCIES = ("white", "black", "keep", "drop")

LARGEST = 1e38
"""What float32 can hold, about."""


@dataclass(frozen=True)
class Preparation:
    """What is done to pictures and arrays before the normalisation by mean and deviation.

    A network reads arrays in the units of those that it was trained on, whatever they are.

    Attributes:
        scale: bytes: 0 to 255, as they are. unit: 0 to 1, times 255 and rounded. values: anything
            else, as it is, in float32.
        low: The lowest value of the training arrays, in their own units.
        high: The highest.
        white: What white is in these units; None where pictures of 8 bits have no place in them.
        resampling: How images are resized. bilinear: torch's, with antialiasing. bicubic: Pillow's.
            pillow-bilinear: Pillow's, as networks were used that do not say.
        transparency: What becomes of it in pictures: laid on white or black, kept as a channel, or
            dropped.
        size: (height, width) of the training arrays, where these were resized.
    """

    scale: str = "bytes"
    low: float = 0.0
    high: float = 255.0
    white: float | None = 255.0
    resampling: str = "bilinear"
    transparency: str = "white"
    size: tuple[int, int] | None = None

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The preparation that `text` wrote.

        Raises:
            ValueError: It makes no sense.
            TypeError: Likewise.
        """
        found = cls(**json.loads(text))
        numbers = [found.low, found.high, *([] if found.white is None else [found.white])]
        if (
            found.scale not in SCALES
            or found.resampling not in RESAMPLINGS
            or found.transparency not in TRANSPARENCIES
            or not all(type(n) in (int, float) and -LARGEST < n < LARGEST for n in numbers)
            or found.low > found.high
            or (found.white is not None and found.white <= 0)
        ):
            raise ValueError(f"no preparation of images: {text[:200]}")
        if found.size is None:
            return found
        height, width = found.size
        if not all(type(side) is int and 0 < side < 2**20 for side in (height, width)):
            raise ValueError(f"no size of images: {text[:200]}")
        return cls(**{**asdict(found), "size": (height, width)})

    @property
    def text(self) -> str:
        """All of it, for the metadata of a file."""
        return json.dumps(asdict(self))

    @property
    def factor(self) -> int:
        """By what an array is multiplied, and then rounded, to have grey levels; 1 is: neither."""
        return 255 if self.scale == "unit" else 1

    @property
    def floor(self) -> float:
        """A deviation that counts as none, in what `pixels` returns."""
        if self.scale != "values":
            return 1.0
        return (self.high - self.low) * 1e-6 or 1.0

    @property
    def range(self) -> str:
        """The values of the training arrays, for people."""
        return f"{self.low:.6g} to {self.high:.6g}"


UNTOLD = Preparation(resampling="pillow-bilinear", transparency="drop")
"""Of networks whose files do not say how their images were prepared."""


def grey_levels(x: np.ndarray, preparation: Preparation) -> np.ndarray:
    """Values in the units of a preparation as pixels: uint8, or float32 where the scale is values.

    Values that lie outside of a scale's range are brought to its ends.
    """
    if preparation.scale == "values":
        return x.astype(np.float32)
    if x.dtype == np.uint8 and preparation.factor == 1:
        return x
    if np.issubdtype(x.dtype, np.floating) or preparation.factor != 1:
        x = np.round(x * preparation.factor)
    levels: np.ndarray = np.clip(x, 0, 255).astype(np.uint8)
    return levels


def units(pixels: np.ndarray, preparation: Preparation) -> np.ndarray:
    """Pixels of `grey_levels` in the units of the preparation, float32."""
    if preparation.factor == 1:
        return pixels.astype(np.float32, copy=False)
    return pixels.astype(np.float32) / preparation.factor


def channels_first(x: np.ndarray, axis: int = 3) -> np.ndarray:
    """Arrays (images, height, width[, channels]) as (images, channels, height, width)."""
    if x.ndim == 3:
        return x[:, None]
    return np.moveaxis(x, axis, 1)


def check_room(shape: tuple[int, ...], size: int) -> None:
    """See whether arrays of this shape, of values of so many bytes, have room in memory.

    Raises:
        MetaqnnError: They have not.
    """
    wanted, there = math.prod(shape) * size, machine_memory()
    if wanted > there:
        raise MetaqnnError(
            f"{shape[0]:,} images of {shape[2]}x{shape[3]} need {wanted / 1e9:,.3g} GB, this "
            f"machine has {there / 1e9:,.3g} GB; a smaller --image-size needs less"
        )


def resized(pixels: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Pixels of shape (images, channels, height, width) of another (height, width).

    Bilinear with antialiasing; whole grey levels stay whole.
    """
    check_room((*pixels.shape[:2], *size), 4)
    images = torch.from_numpy(np.ascontiguousarray(pixels))
    if tuple(images.shape[2:]) == size:
        return images
    made = torch.nn.functional.interpolate(
        images.float(), size, mode="bilinear", antialias=True, align_corners=False
    )
    if images.dtype == torch.uint8:
        return made.round_().clamp_(0, 255).to(torch.uint8)
    return made
