"""What data are known by: their classes, labels and a sample of their pixels, not their place."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from metaqnn.data.images import Images
from metaqnn.data.labels import listed
from metaqnn.errors import MetaqnnError

SAMPLE = 64
"""Images whose pixels are looked at."""

GRID = 2
"""The means of so many rows and columns of an image are compared, channel by channel."""

TOLERANCE = 0.02
"""In deviations of all pixels: what decoders and resizing may differ in between machines."""


class Fingerprint(BaseModel):
    """What tells a data set from others, the same on every machine.

    Attributes:
        shape: (channels, height, width).
        scale: See `metaqnn.data.preparation.Preparation`.
        classes: How many images each has.
        labels: The hash of them all.
        deviation: Of the pixels of the first channel.
        looks: Of each image that was looked at the means of GRID x GRID parts, channel by channel,
            and the deviation of its pixels.
        validation: Of the validation part that the data set has of its own, if any.
        test: Of the test part, if any.
    """

    shape: tuple[int, ...]
    scale: str
    classes: dict[str, int]
    labels: str
    deviation: float
    looks: list[list[float]]
    validation: "Fingerprint | None" = None
    test: "Fingerprint | None" = None


def fingerprint(images: Images) -> Fingerprint:
    """What tells a part of a data set from others.

    Args:
        images: The whole part; that of training before it is split.
    """
    indices = torch.linspace(0, len(images) - 1, min(SAMPLE, len(images))).round().long()
    sample = images.images[indices].double()
    corners = adaptive_avg_pool2d(sample, GRID).flatten(1)  # of each channel
    labels = images.labels.numpy().astype("<i8").tobytes()
    spreads = sample.flatten(1).std(1, correction=0)
    return Fingerprint(
        shape=images.shape,
        scale=images.preparation.scale,
        classes=images.counts,
        labels=hashlib.sha256(labels).hexdigest()[:16],
        deviation=_rounded(images.statistics[1])[0],
        looks=[_rounded(look) for look in torch.column_stack([corners, spreads])],
    )


def read_fingerprint(record: Mapping[str, Any]) -> Fingerprint:
    """The fingerprint that was written as JSON.

    Raises:
        MetaqnnError: It is none.
    """
    try:
        return Fingerprint.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise MetaqnnError(
            f"the record of the data cannot be read: {where}: {first['msg']}"
        ) from None


def differences(before: Fingerprint, now: Fingerprint) -> list[str]:
    """What of two fingerprints differs, in words; nothing where the data are the same."""
    told = _differences(before, now)
    if told:
        return told
    if (before.validation is None) != (now.validation is None):
        return [f"it has {'no more' if before.validation else 'now'} validation images of its own"]
    # test images that have come since, or can be read now, change nothing that was found
    if before.test and not now.test:
        return ["it has no more test images"]
    for part in ("validation", "test"):
        own, other = getattr(before, part), getattr(now, part)
        if own and (told := _differences(own, other)):
            return [f"of the {part} images, {text}" for text in told]
    return []


def _differences(before: Fingerprint, now: Fingerprint) -> list[str]:
    """Of one part."""
    told = []
    old, new = before.classes, now.classes
    if gone := [name for name in old if name not in new]:
        told.append(f"the class {listed(gone)} is gone")
    if added := [name for name in new if name not in old]:
        told.append(f"the class {listed(added)} is new")
    for name in old:
        if name in new and old[name] != new[name]:
            told.append(f"the class {name!r} has {new[name]:,} images, not {old[name]:,}")
    for what in ("shape", "scale"):
        if getattr(before, what) != getattr(now, what):
            told.append(f"the {what} is {getattr(now, what)}, not {getattr(before, what)}")
    if told:
        return told
    if list(old) != list(new):
        return ["the classes have another order"]
    if before.labels != now.labels:
        return ["the images have other labels, or another order"]
    near = TOLERANCE * before.deviation
    looks = zip(before.looks, now.looks, strict=False)
    changed = sum(
        len(look) != len(other)
        or any(abs(one - another) > near for one, another in zip(look, other, strict=True))
        for look, other in looks
    )
    if changed or len(before.looks) != len(now.looks):
        return [f"{changed} of {len(before.looks)} images that were looked at are others"]
    return []


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.flatten().tolist()]
