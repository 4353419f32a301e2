"""What data are known by: their classes, labels and a sample of their pixels, not their place."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from metaqnn.data.images import Images
from metaqnn.data.labels import listed

SAMPLE = 64
"""Images whose pixels are looked at."""

TOLERANCE = 0.02
"""In deviations of all pixels: what decoders and resizing may differ in between machines."""


def fingerprint(images: Images) -> dict[str, Any]:
    """What tells a data set from others, ready for JSON; the same on every machine.

    Args:
        images: The whole training part, before it is split.
    """
    indices = torch.linspace(0, len(images) - 1, min(SAMPLE, len(images))).round().long()
    sample = images.images[indices].double().flatten(1)
    labels = images.labels.numpy().astype("<i8").tobytes()
    return {
        "images": len(images),
        "shape": list(images.shape),
        "scale": images.preparation.scale,
        "classes": dict(images.counts),
        "labels": hashlib.sha256(labels).hexdigest()[:16],
        "deviation": _rounded(images.statistics[1])[0],
        "pixels": _rounded(sample.mean(1)),
        "spreads": _rounded(sample.std(1, correction=0)),
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
    pairs = [
        zip(before.get(what, ()), now.get(what, ()), strict=False) for what in ("pixels", "spreads")
    ]
    changed = sum(
        any(abs(one - other) > near for one, other in both) for both in zip(*pairs, strict=True)
    )
    total = len(before.get("pixels", ()))
    return [f"{changed} of {total} images that were looked at are others"] if changed else []


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.flatten().tolist()]
