"""What data are known by: their classes, labels and a sample of their pixels, not their place."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch

from metaqnn.data.images import Images
from metaqnn.data.labels import listed

SAMPLE = 64
"""Images whose pixels are looked at."""

DIGITS = 3
"""Of the mean of an image in deviations of all pixels; machines decode and resize alike to that."""


def fingerprint(images: Images) -> dict[str, Any]:
    """What tells a data set from others, ready for JSON; the same on every machine.

    Args:
        images: The whole training part, before it is split.
    """
    indices = torch.linspace(0, len(images) - 1, min(SAMPLE, len(images))).round().long()
    mean, deviation = images.statistics
    sample = ((images.images[indices].float() - mean) / deviation).flatten(1)
    labels = images.labels.numpy().astype("<i8").tobytes()
    return {
        "images": len(images),
        "shape": list(images.shape),
        "scale": images.preparation.scale,
        "classes": dict(images.counts),
        "labels": hashlib.sha256(labels).hexdigest()[:16],
        "means": [round(float(value), DIGITS) for value in mean.flatten()],
        "pixels": [round(float(value), DIGITS) for value in sample.mean(1)],
        "spreads": [round(float(value), DIGITS) for value in sample.std(1, correction=0)],
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
    for what in ("pixels", "spreads"):
        pairs = zip(before.get(what, ()), now.get(what, ()), strict=False)
        changed = sum(abs(one - other) > TOLERANCE for one, other in pairs)
        if changed:
            return [f"{changed} of {len(before[what])} images that were looked at are others"]
    return []


TOLERANCE = 0.02
"""In deviations of all pixels: what decoders and resizing may differ in."""
