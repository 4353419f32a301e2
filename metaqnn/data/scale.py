"""What the numbers of an array of pixels mean: found for training, and kept to ever after."""

import numpy as np

from metaqnn.data.preparation import Preparation
from metaqnn.errors import MetaqnnError

FEW_LEVELS = 32
"""Grey levels below which rounding to bytes would lose what the floating-point numbers show."""

OVERSHOT = 0.5
"""By how much resizing may leave a scale; what lies outside is brought to its ends."""

DARKEST = 16
"""Up to which fractions of a grey level are more likely to be of another scale."""

SAMPLE = 10_000_000
"""Values that are looked at to count grey levels."""

FORMS = "bytes, other whole numbers, or floating-point numbers such as 0 to 1"


def find_scale(x: np.ndarray, name: str) -> Preparation:
    """The scale of a training array of any shape.

    Raises:
        MetaqnnError: It has no numbers, or some that are none.
    """
    low, high = find_range(x, name)
    if x.dtype.kind == "b":
        return Preparation("unit", 0.0, 1.0, 1.0)
    whole = x.dtype.kind in "iu"
    if not whole and low >= 0 and high <= 1:
        if not _loses_levels(x):
            return Preparation("unit", low, high, 1.0)
        check_span(low, high, name)
        return Preparation("values", low, high, 1.0)
    if low >= 0 and high <= 255 and (whole or _is_whole(x)):
        return Preparation("bytes", low, high, 255.0)
    check_span(low, high, name)
    return Preparation("values", low, high, 255.0 if low >= 0 and 1 < high <= 255 else None)


def check_span(low: float, high: float, name: str) -> None:
    """See whether float32 tells numbers of a range apart.

    Raises:
        MetaqnnError: It does not, or they are all the same.
    """
    if low == high:
        raise MetaqnnError(f"{name} is {low:g} everywhere: there is nothing to be learnt")
    span = high - low
    most = max(abs(low), abs(high))
    if most > 1e30 or 0 < span < max(1e-30, most * 2.0**-14):
        raise MetaqnnError(
            f"{name} reaches from {low!r} to {high!r}, which is more than float32 tells apart; "
            f"subtract {low:g}, or multiply"
        )


def as_trained(x: np.ndarray, preparation: Preparation, name: str, trained: str) -> np.ndarray:
    """Numbers of an array in the units of the training array.

    Those of the usual two scales are told apart: floating-point numbers from 0 to 1 belong to bytes
    divided by 255.

    Args:
        x: Of any shape.
        preparation: Of the training array.
        name: What the array is called.
        trained: What the training array is called.

    Raises:
        MetaqnnError: They are of another scale.
    """
    low, high = find_range(x, name)
    least, most = preparation.low, preparation.high
    if preparation.scale == "values":
        far = 10 * (most - least)
        shrunk = x.dtype.kind == "f" and max(abs(low), abs(high)) <= 1 and most - least > 50
        narrow = x.dtype.kind in "iu" and np.iinfo(x.dtype).max < most
        if least - far <= low and high <= most + far and not shrunk and not narrow:
            return x
    elif preparation.scale == "bytes" and 1 < most <= DARKEST and (high <= 1 or high > DARKEST):
        pass  # the training numbers are 0 to 16, say; nobody knows of which scale these are
    elif low >= -OVERSHOT and high <= 1 + OVERSHOT and (most <= 1 or x.dtype.kind in "fb"):
        x = x.astype(np.uint8) if x.dtype.kind == "b" else x
        return x if most <= 1 else x * 255
    elif low >= -OVERSHOT and high <= 255 + OVERSHOT and (high > DARKEST or _is_whole(x)):
        if preparation.scale == "bytes" and most <= 1:
            raise _other_scale(low, high, preparation, name, trained)
        return x / 255 if preparation.scale == "unit" else x
    raise _other_scale(low, high, preparation, name, trained)


def _other_scale(
    low: float, high: float, preparation: Preparation, name: str, trained: str
) -> MetaqnnError:
    return MetaqnnError(
        f"{name} reaches from {low:g} to {high:g}, but {trained} from {preparation.range}; both "
        "must have the same scale"
    )


def find_range(x: np.ndarray, name: str) -> tuple[float, float]:
    """The lowest and the highest value.

    Raises:
        MetaqnnError: There is none, or some are no numbers.
    """
    if x.dtype.kind not in "biuf":
        raise MetaqnnError(f"{name} must be numbers, not {x.dtype}: {FORMS}")
    if x.size == 0:
        raise MetaqnnError(f"{name} has no pixels: its shape is {x.shape}")
    low, high = x.min(), x.max()
    if x.dtype.kind == "f" and not (np.isfinite(low) and np.isfinite(high)):
        broken = ~np.isfinite(x)
        first = np.argwhere(broken.reshape(len(x), -1).any(1))[0, 0]
        raise MetaqnnError(
            f"{name} has {broken.sum():,} pixels that are NaN or infinite, the first in image "
            f"{first}; fill them, as by np.nan_to_num"
        )
    return float(low), float(high)


def _is_whole(x: np.ndarray) -> bool:
    return all(bool((part == np.round(part)).all()) for part in np.array_split(x, _parts(x)))


def _loses_levels(x: np.ndarray) -> bool:
    """Whether rounding numbers from 0 to 1 to bytes leaves few grey levels of many.

    Numbers that are bytes divided by 255 lose nothing, nor does a background of one value.
    """
    levels = x[:: max(1, x.size // SAMPLE)].ravel() * 255.0
    nearest = np.round(levels)
    if nearest.min() == nearest.max():
        return bool(x.min() < x.max())
    rounded = np.abs(levels - nearest) > max(1e-3, 255 * float(np.finfo(x.dtype).eps))
    counts = np.bincount(nearest.astype(np.uint8), minlength=256)
    exact = np.bincount(nearest[~rounded].astype(np.uint8), minlength=256)
    background = int(exact.argmax())
    counts[background] -= exact[background]
    if 2 * rounded.sum() <= counts.sum():
        return False
    shares = np.sort(counts)[::-1].cumsum() / counts.sum()
    return bool((shares < 0.99).sum() + 1 < FEW_LEVELS)


def _parts(x: np.ndarray) -> int:
    return max(1, min(len(x), x.size // SAMPLE))
