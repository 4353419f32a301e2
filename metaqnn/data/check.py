"""What looks wrong about images that were read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from metaqnn.data.images import Images

FEW_LEVELS = 16
"""Grey levels between the darkest and the brightest pixel that are too few to be meant."""

MAJORITY = 0.9
"""Share of the images of one class from which on the others are easily overlooked."""

RARE = 5
"""Images of a class that are few to learn from."""

SHOWN = 3
"""Names that a warning lists."""

FEW_IMAGES = 10
"""Of so many the values say something."""

SPREAD = 1.6
"""By how many times the values of two parts of one data set may be spread differently."""

FEW_SPREAD = 10.0
"""The same of a few images, which are less alike."""

CHUNK = 1000
"""Images that are looked at at once."""


def look_for_faults(images: Images, name: str) -> Images:
    """The images with warnings of what looks wrong, which nobody thought of when they were read.

    Args:
        images: As they were read, in their order.
        name: What they are called.
    """
    low, high = _extremes(images.images)
    labels: dict[int, set[int]] = {}
    for digest, label in zip(digests(images.images), images.labels.tolist(), strict=True):
        labels.setdefault(digest, set()).add(label)
    distinct = len(labels)
    doubtful = sum(len(classes) > 1 for classes in labels.values())
    shown = "; --transparency black or keep shows what lies behind transparency"
    transparent = any("transparency" in warning for warning in images.origin.warnings)
    advice = shown if transparent else ""
    warnings = list(images.origin.warnings)
    flat = torch.nonzero(low == high).flatten().tolist()
    if flat:
        which = ", ".join(_name(images, place) for place in flat[:SHOWN])
        warnings.append(f"{len(flat):,} of {name} are of one colour, such as {which}{advice}")
    if distinct == 1 and len(images) > 1:
        warnings.append(f"{name} are all equal: there is nothing to be learnt{advice}")
    elif distinct < 0.5 * len(images):
        warnings.append(f"{name} are {len(images):,}, of which only {distinct:,} differ")
    if doubtful and distinct > 1:
        warnings.append(
            f"{doubtful:,} of {distinct:,} different pictures among {name} stand in several "
            "classes, equal in every pixel: which labels are right?"
        )
    spread = float(high.max() - low.min())
    if images.images.dtype == torch.uint8 and spread < FEW_LEVELS:
        warnings.append(
            f"{name} have few grey levels, {int(low.min())} to {int(high.max())} of 0 to 255"
        )
    warnings += [*_scale_faults(images, name, spread), *_class_faults(images, name)]
    origin = replace(images.origin, warnings=tuple(warnings), names=())
    return replace(images, origin=origin)


def differences_in_scale(training: Images, others: Images, name: str) -> Iterator[str]:
    """Whether the pixels of another part lie elsewhere than those of training.

    Args:
        training: The training images.
        others: Of the same preparation.
        name: What the others are called.
    """
    if len(others) < FEW_IMAGES:
        return
    (low, middle, high), (least, centre, most) = map(_quantiles, (training, others))
    span, width = high - low, most - least
    if not span or not 1 / SPREAD < width / span < SPREAD or abs(centre - middle) > span / 2:
        yield (
            f"98 of 100 values of {name} lie from {least:.4g} to {most:.4g}, those of the training "
            f"images from {low:.4g} to {high:.4g}: are both of one scale?"
        )


def difference_from_training(
    images: np.ndarray, mean: Sequence[float], deviation: Sequence[float], floor: float
) -> str | None:
    """Whether images to be classified lie elsewhere than those of training; None where not.

    A few images may be lighter or darker than most, so they are told of only where they are as no
    picture is.

    Args:
        images: Shape (images, channels, height, width), in the units of the training images.
        mean: Of each channel of the training images.
        deviation: Likewise.
        floor: A deviation that counts as none.
    """
    means, spreads = (found((0, 2, 3), dtype=np.float64) for found in (images.mean, images.std))
    few = len(images) < FEW_IMAGES
    most = FEW_SPREAD if few else SPREAD
    for centre, spread, known, there in zip(means, spreads, mean, deviation, strict=True):
        if there <= floor or (few and spread == 0):
            continue
        if not 1 / most < spread / there < most or abs(centre - known) > most * 2 * there:
            return (
                f"the images have mean {centre:.4g} and deviation {spread:.4g}, those that the "
                f"network was trained on {known:.4g} and {there:.4g}: are both of one scale?"
            )
    return None


def _quantiles(images: Images) -> list[float]:
    """Below which 1, 50 and 99 of 100 values lie."""
    sample = images.images[:: max(1, len(images) // CHUNK)].flatten()
    sample = sample[:: max(1, len(sample) // 1_000_000)].double()
    levels = torch.tensor([0.01, 0.5, 0.99], dtype=torch.double)
    found: list[float] = torch.quantile(sample, levels).tolist()
    return found


def _extremes(images: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest value of each image, in its channel of most variation."""
    flat = images.flatten(2)
    low, high = flat.amin(2), flat.amax(2)
    widest = (high.float() - low.float()).argmax(1, keepdim=True)
    return low.gather(1, widest).flatten(), high.gather(1, widest).flatten()


def digests(images: Tensor) -> Iterator[int]:
    """A number for each image, the same for equal ones in one process."""
    for image in images:
        yield hash(image.numpy().tobytes())


def _name(images: Images, place: int) -> str:
    return images.origin.names[place] if images.origin.names else f"number {place}"


def _scale_faults(images: Images, name: str, spread: float) -> Iterator[str]:
    """Whether single values stretch the scale so that the others are all but equal."""
    if images.images.dtype == torch.uint8 or spread == 0:
        return
    sample = images.images[:: max(1, len(images) // CHUNK)].flatten()
    sample = sample[:: max(1, len(sample) // 1_000_000)].double()
    low, high = torch.quantile(sample, torch.tensor([0.01, 0.99], dtype=torch.double)).tolist()
    if 0 < high - low < spread / 100:
        yield (
            f"{name} reach from {images.preparation.range}, but 98 of 100 values lie from "
            f"{low:.4g} to {high:.4g}: clip the others, else networks see but them"
        )


def _class_faults(images: Images, name: str) -> Iterator[str]:
    """Classes that are rare, or hide the others."""
    counts = {label: count for label, count in images.counts.items() if count}
    if not counts:
        return
    largest = max(counts, key=lambda label: counts[label])
    if counts[largest] > MAJORITY * len(images) and len(images.classes) > 1:
        share = counts[largest] / len(images)
        yield (
            f"{share:.1%} of {name} are of the class {largest!r}: who always answers it is right "
            "as often"
        )
    rare = {label: count for label, count in counts.items() if count < RARE}
    if rare and counts == images.origin.parts.get("train"):
        shown = ", ".join(f"{label!r} {count}" for label, count in list(rare.items())[:SHOWN])
        more = f" and {len(rare) - SHOWN} more" if len(rare) > SHOWN else ""
        yield f"{name} have few of some classes: {shown}{more}"
