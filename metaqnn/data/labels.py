"""What labels mean: names of classes, and the place of each image's class among them."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from metaqnn.errors import MetaqnnError
from metaqnn.terminal import counted
from state_space.settings import suggestion

FORMS = "whole numbers, names, true and false, or one column a class with a single 1 in each row"

SHOWN = 12
"""Names that a message lists."""


def read_labels(y: np.ndarray, name: str, images: int) -> np.ndarray:
    """Labels of any form as a list of int64, bool or str, one an image.

    One-hot rows become the numbers of their columns.

    Args:
        y: The labels.
        name: Of the array, for messages.
        images: How many images they are of.

    Raises:
        MetaqnnError: They are none that can be told apart; the message says how to mend them.
    """
    if y.dtype.kind == "S":
        try:
            y = np.char.decode(y, "utf-8")
        except UnicodeDecodeError:
            raise MetaqnnError(f"{name} has names that are no UTF-8") from None
    if y.ndim == 2 and (y.shape[1] == 1 or (y.shape == (1, images) and images > 1)):
        y = y.ravel()
    if y.ndim == 2 and y.dtype.kind in "biuf":
        return _columns(y, name)
    if y.ndim != 1 or y.dtype.kind not in "biufU":
        raise MetaqnnError(
            f"{name} has the shape {y.shape} and the type {y.dtype}; labels must be a list of "
            f"{FORMS}, one an image"
        )
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            missing = np.flatnonzero(~np.isfinite(y))
            raise MetaqnnError(
                f"{name}: {counted(len(missing), 'label is', 'labels are')} NaN or infinite, the "
                f"first of image {missing[0]}; leave these images out"
            )
        odd = y[y != np.round(y)]
        if len(odd):
            raise MetaqnnError(
                f"{name} must be a list of {FORMS}, not numbers such as {odd[0]:g}; a quantity can "
                "be cut into classes by np.digitize"
            )
    if y.dtype.kind == "U":
        # padding and two ways to write an accent do not make another class
        names = np.array([unicodedata.normalize("NFC", text.strip()) for text in y.tolist()])
        if (empty := np.flatnonzero(names == "")).size:
            raise MetaqnnError(
                f"{name}: {counted(len(empty), 'label is', 'labels are')} empty, the first of "
                f"{empty[0]}"
            )
        return names
    most = int(max(y.min(), y.max(), key=abs)) if y.dtype.kind in "uf" and y.size else 0
    if abs(most) >= 2**63:
        raise MetaqnnError(f"{name} has the label {most:g}; they must be below 2**63")
    return y if y.dtype.kind == "b" else y.astype(np.int64)


def _columns(y: np.ndarray, name: str) -> np.ndarray:
    """The column of each row's single high value.

    Raises:
        MetaqnnError: A row has none or several.
    """
    values = np.unique(y)
    high = (y == values[-1]).sum(1) if values.size else np.zeros(0)
    if len(values) > 2 or (high != 1).any():
        problem = "others than two values" if len(values) != 2 else "a row with none or several"
        raise MetaqnnError(
            f"{name} has the shape {y.shape} and {problem}; labels must be a list of {FORMS}. "
            "Images that belong to several classes at once cannot be learnt"
        )
    places: np.ndarray = y.argmax(1).astype(np.int64)
    return places


def find_classes(labels: np.ndarray, name: str) -> tuple[str, ...]:
    """The names of the classes of training labels, numbers in their order, names in theirs.

    Raises:
        MetaqnnError: There are fewer than two.
    """
    classes = tuple(map(str, np.unique(labels).tolist()))
    check_classes(classes, name)
    return classes


def check_classes(classes: Sequence[str], name: str) -> None:
    """See whether there is something to be told apart.

    Raises:
        MetaqnnError: There are fewer than two classes.
    """
    if not classes:
        raise MetaqnnError(f"{name} has no labels: there are no images")
    if len(classes) == 1:
        raise MetaqnnError(
            f"{name} has one class only, {classes[0]!r}: there is nothing to be told apart; at "
            "least two are needed"
        )


def place_labels(
    labels: np.ndarray, classes: Sequence[str], name: str, trained: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The place of each label's class among those of the training images, int64; and warnings.

    Raises:
        MetaqnnError: One is not among them.
    """
    found, inverse = np.unique(labels, return_inverse=True)
    names = list(map(str, found.tolist()))
    places, warnings = match_classes(names, classes, name, trained)
    return np.array(places, np.int64)[inverse], warnings


def match_classes(
    names: Sequence[str], classes: Sequence[str], name: str, trained: str
) -> tuple[list[int], tuple[str, ...]]:
    """The place of each name among the classes of the training images; and warnings.

    A name that is written otherwise, in capitals or with spaces, is matched and told, where only
    one class can be meant. False and true are 0 and 1.

    Args:
        names: Of the classes of a part.
        classes: Of the training images.
        name: What the part is called.
        trained: What the training images are called.

    Raises:
        MetaqnnError: A name is not among the classes.
    """
    exact = {known: place for place, known in enumerate(classes)}
    loose: dict[str, list[int]] = {}
    for place, known in enumerate(classes):
        loose.setdefault(folded(known), []).append(place)
    places, unknown, warnings = [], [], []
    for other in names:
        alike = loose.get(folded(other), [])
        if other in exact:
            places.append(exact[other])
        elif len(alike) == 1 and classes[alike[0]] not in names:
            places.append(alike[0])
            if other not in BOOLEANS and classes[alike[0]] not in BOOLEANS:
                warnings.append(f"{name} writes the class {classes[alike[0]]!r} as {other!r}")
        else:
            unknown.append(other)
    if unknown:
        raise MetaqnnError(
            f"{name} has the class {listed(unknown)}, which {trained} has not"
            f"{suggestion(unknown[0], list(classes)[:SHOWN])}"
        )
    missing = [known for place, known in enumerate(classes) if place not in places]
    if missing:
        warnings.append(f"{name} has no image of the class {listed(missing)}")
    return places, tuple(warnings)


BOOLEANS = ("False", "True")


def folded(name: str) -> str:
    """A name without what people write now so, now otherwise."""
    if name in BOOLEANS:
        return str(BOOLEANS.index(name))
    plain = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(plain.replace("_", " ").replace("-", " ").split()) if plain[:1] != "-" else name


def listed(names: Sequence[str]) -> str:
    """The first names, and how many there are more."""
    shown = ", ".join(map(repr, names[:SHOWN]))
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
