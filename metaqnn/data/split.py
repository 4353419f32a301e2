"""Indices of images in two parts that both have every class."""

from collections.abc import Sequence

import numpy as np

from metaqnn.data.labels import listed
from metaqnn.errors import MetaqnnError


def limited(
    labels: np.ndarray, classes: Sequence[str], limit: int, least: int, seed: int
) -> np.ndarray:
    """Sorted indices of so many images, every class with its share and no fewer than it needs.

    Args:
        labels: Of all images.
        classes: Names of the classes.
        limit: How many images.
        least: How many of each class there have to be, as far as it has them.
        seed: Of the choice.

    Raises:
        MetaqnnError: That cannot be.
    """
    counts = np.bincount(labels, minlength=len(classes))
    need = np.minimum(counts, least)
    if need.sum() > limit:
        raise MetaqnnError(
            f"train-limit is {limit}, but {len(classes)} classes need at least {need.sum()} "
            "images, so that each is trained on and validated"
        )
    return _stratified(np.arange(len(labels)), labels, limit, seed, need, counts)[0]


def split(
    indices: np.ndarray, labels: np.ndarray, classes: Sequence[str], size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices in two parts, the first of a size, every class with its share in both.

    Args:
        indices: Of the images to split.
        labels: Of all images.
        classes: Names of the classes.
        size: Of the first part.
        seed: Of the choice.

    Raises:
        MetaqnnError: Not every class can be in both parts.
    """
    counts = np.bincount(labels[indices], minlength=len(classes))
    single = [name for name, count in zip(classes, counts, strict=True) if count < 2]
    if single:
        raise MetaqnnError(
            f"the class {listed(single)} has but one image, and is to be trained on and validated: "
            "add images, leave the class out, or bring validation images of your own (val/, x_val)"
        )
    ones = np.ones(len(classes), np.int64)
    return _stratified(indices, labels, size, seed, ones, counts - 1)


def _stratified(
    indices: np.ndarray,
    labels: np.ndarray,
    size: int,
    seed: int,
    least: np.ndarray,
    most: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Indices in two parts, of whose first each class has its share between least and most."""
    from sklearn.model_selection import train_test_split

    if size == len(indices):
        return indices, indices[:0]
    try:
        first, second = train_test_split(
            indices, train_size=size, stratify=labels[indices], random_state=seed
        )
        taken = np.bincount(labels[first], minlength=len(least))
        if (taken >= least).all() and (taken <= most).all():
            return np.sort(first), np.sort(second)
    except ValueError:  # a class is too rare for shares that are only rounded
        pass
    return _allotted(indices, labels, size, seed, least, most)


def _allotted(
    indices: np.ndarray,
    labels: np.ndarray,
    size: int,
    seed: int,
    least: np.ndarray,
    most: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Likewise, by largest remainders within the bounds."""
    counts = np.bincount(labels[indices], minlength=len(least))
    shares = counts * (size / len(indices))
    taken = np.clip(np.floor(shares).astype(np.int64), least, most)
    while taken.sum() != size:
        step = 1 if taken.sum() < size else -1
        free = taken < most if step > 0 else taken > least
        # the class that is furthest from its share comes next
        distance = np.where(free, step * (shares - taken), -np.inf)
        taken[int(distance.argmax())] += step
    random = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    for place, number in enumerate(taken):
        chosen[random.permutation(indices[labels[indices] == place])[:number]] = True
    return indices[chosen[indices]], indices[~chosen[indices]]
