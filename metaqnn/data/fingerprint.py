"""What data are known by: their classes, labels and a sample of their pixels, not their place."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from metaqnn.data.images import Images
from metaqnn.data.labels import listed

SAMPLE = 64
"""Images whose pixels are looked at."""

GRID = 2
"""The means of so many rows and columns of an image are compared, channel by channel."""

TOLERANCE = 0.02
"""In deviations of all pixels: what decoders and resizing may differ in between machines."""


def fingerprint(images: Images) -> dict[str, Any]:
    """What tells a data set from others, ready for JSON; the same on every machine.

    Args:
        images: The whole training part, before it is split, or the validation part that the data
            set has of its own.
    """
    indices = torch.linspace(0, len(images) - 1, min(SAMPLE, len(images))).round().long()
    sample = images.images[indices].double()
    corners = adaptive_avg_pool2d(sample, GRID).flatten(1)  # of each channel
    labels = images.labels.numpy().astype("<i8").tobytes()
    return {
        "images": len(images),
        "shape": list(images.shape),
        "scale": images.preparation.scale,
        "classes": dict(images.counts),
        "labels": hashlib.sha256(labels).hexdigest()[:16],
        "deviation": _rounded(images.statistics[1])[0],
        "pixels": [_rounded(means) for means in corners],
        "spreads": _rounded(sample.flatten(1).std(1, correction=0)),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of two fingerprints differs, in words; nothing where the data are the same."""
    before, now = (json.loads(json.dumps(dict(print_))) for print_ in (before, now))
    told = []
    old, new = before.get("classes", {}), now.get("classes", {})
    if gone := [name for name in old if name not in new]:
        told.append(f"the class {listed(gone)} is gone")
    if added := [name for name in new if name not in old]:
        told.append(f"the class {listed(added)} is new")
    for name in old:
        if name in new and old[name] != new[name]:
            told.append(f"the class {name!r} has {new[name]:,} images, not {old[name]:,}")
    for what in ("shape", "scale"):
        if before.get(what) != now.get(what):
            told.append(f"the {what} is {now.get(what)}, not {before.get(what)}")
    if told:
        return told
    if list(old) != list(new):
        return ["the classes have another order"]
    if before.get("labels") != now.get("labels"):
        return ["the images have other labels, or another order"]
    near = TOLERANCE * before.get("deviation", 1.0)
    looked = zip(_looks(before), _looks(now), strict=False)
    changed = sum(
        any(abs(one - other) > near for one, other in zip(*both, strict=True)) for both in looked
    )
    total = len(before.get("pixels", ()))
    if changed:
        return [f"{changed} of {total} images that were looked at are others"]
    own, other = before.get("validation"), now.get("validation")
    if own is None and other is None:
        return []
    if own is None or other is None:
        return [f"it has {'now' if own is None else 'no more'} validation images of its own"]
    return [f"of the validation images, {text}" for text in differences(own, other)]


def _looks(print_: Mapping[str, Any]) -> list[list[float]]:
    """What was seen of each image that was looked at."""
    both = zip(print_.get("pixels", ()), print_.get("spreads", ()), strict=True)
    return [[*means, spread] for means, spread in both]


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.flatten().tolist()]
