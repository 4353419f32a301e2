"""The data set of arrays in files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from metaqnn.data.arrays import Array, Arrays, open_arrays
from metaqnn.data.images import Images, Origin
from metaqnn.data.labels import find_classes, place_labels, read_labels
from metaqnn.data.layout import channels_first
from metaqnn.data.options import DataOptions
from metaqnn.data.preparation import grey_levels, resized
from metaqnn.data.scale import as_trained, find_scale
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape


def npz(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """Arrays in files, as Keras and MedMNIST write them, or with names of one's own.

    All parts have the classes and the scale of the training images.
    """
    arrays = open_arrays(str(path), config.arrays)
    if part not in arrays.parts:
        return None
    x, y = arrays.parts["train"]
    labels = _labels(arrays, "train")
    classes = find_classes(labels, y.name)
    raw = x.read()
    images = channels_first(raw, len(labels), x.name)
    first = images is raw
    preparation = find_scale(images, x.name)
    shape, size = images.shape[1:], config.image_size
    if size and shape[1:] != (size, size):
        preparation = replace(preparation, size=shape[1:])
    places, warnings = place_labels(labels, classes, y.name, y.name)
    counts = {"train": _counts(places, classes)}
    counts, told = _look_at_others(arrays, counts, classes)
    if part != "train":
        x, y = arrays.parts[part]
        labels = _labels(arrays, part)
        places, _ = place_labels(labels, classes, y.name, arrays.parts["train"][1].name)
        images = channels_first(x.read(), len(labels), x.name)
        _check_shape(images.shape[1:], shape, arrays, part, config)
        images = as_trained(images, preparation, x.name, arrays.parts["train"][0].name)
    pixels = grey_levels(images, preparation)
    tensor = resized(pixels, (size, size) if size else pixels.shape[2:])
    if first and part == "train":
        told += (f"{x.name} is read with channels first: {shape[0]} of {shape[1]}x{shape[2]}",)
    origin = Origin(counts, arrays.left_out, (*warnings, *told))
    return Images(tensor, torch.from_numpy(places), classes, False, preparation, origin)


def _labels(arrays: Arrays, part: str) -> np.ndarray:
    """The labels of a part.

    Raises:
        MetaqnnError: They cannot be read, or have other columns than those of training.
    """
    x, y = arrays.parts[part]
    labels = read_labels(y.read(), y.name, x.shape[0] if x.shape else 0)
    found, known = _columns(x, y), _columns(*arrays.parts["train"])
    if found != known and 1 not in (found, known):
        raise MetaqnnError(
            f"{y.name} has {found} columns, {arrays.parts['train'][1].name} has {known}: nobody "
            "knows which classes they are; write one column a class in both, or names"
        )
    return labels


def _columns(x: Array, y: Array) -> int:
    """How many columns labels have; 1 where they are a list."""
    return y.shape[1] if len(y.shape) == 2 and y.shape[0] == x.shape[0] else 1


def _look_at_others(
    arrays: Arrays,
    counts: Mapping[str, dict[str, int]],
    classes: tuple[str, ...],
) -> tuple[dict[str, dict[str, int]], tuple[str, ...]]:
    """The counts of all parts, and what is wrong with the labels of the others."""
    counts = dict(counts)
    warnings: tuple[str, ...] = ()
    _, y_train = arrays.parts["train"]
    for part, (_, y) in arrays.parts.items():
        if part == "train":
            continue
        try:
            labels = _labels(arrays, part)
            places, told = place_labels(labels, classes, y.name, y_train.name)
            counts[part] = _counts(places, classes)
            warnings += told
        except MetaqnnError as error:
            warnings += (f"the {part} part cannot be used: {error}",)
    return counts, warnings


def _check_shape(
    shape: Shape, trained: Shape, arrays: Arrays, part: str, config: DataOptions
) -> None:
    """See whether the images of a part are like those of training.

    Raises:
        MetaqnnError: They have another shape, and nothing resizes them.
    """
    if shape == trained or (config.image_size and len(shape) == 3 and shape[0] == trained[0]):
        return
    name, train = (arrays.parts[which][0].name for which in (part, "train"))
    raise MetaqnnError(
        f"{name} has images of shape {shape}, {train} of {trained}: both must be alike; "
        "--image-size resizes height and width"
    )


def _counts(places: np.ndarray, classes: tuple[str, ...]) -> dict[str, int]:
    found = np.bincount(places, minlength=len(classes)).tolist()
    return dict(zip(classes, found, strict=True))
