"""The short account of a data set that was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaqnn.data.check import differences_in_scale, digests
from metaqnn.data.fingerprint import fingerprint
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import PARTS, load, load_split
from metaqnn.data.preparation import Preparation
from metaqnn.errors import MetaqnnError
from metaqnn.terminal import printable

RARE = 5
"""A class that another one has so many times the images of is rare."""


@dataclass(frozen=True)
class Summary:
    """What was read of a data set, ready for JSON by `dataclasses.asdict`.

    Attributes:
        dataset: As it was asked for.
        shape: (channels, height, width) of the images.
        values: What their values are, in words.
        images: How many there are for training, validation and, where known, the test.
        classes: Of each part that was found, how many images each class has.
        left_out: What was there and is not among the images, and why.
        warnings: What looks wrong.
        problem: Why the test part cannot be used, where it is there and cannot.
        fingerprint: See `metaqnn.data.fingerprint`.
    """

    dataset: str
    shape: tuple[int, ...]
    values: str
    images: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    problem: str | None
    fingerprint: Mapping[str, Any]

    @property
    def lines(self) -> list[str]:
        """The short account, a line each."""
        channels, height, width = self.shape
        counts = self.classes["train"]
        few, most = min(counts.values()), max(counts.values())
        each = f"{few:,}" if few == most else f"{few:,} to {most:,}"
        rare = ": --metric and --class-weights are for rare ones" if most >= RARE * few else ""
        parts = [f"{count:,} for {part}" for part, count in self.images.items()]
        if "validation" in self.classes:
            parts[1] += " of its own"
        if "test" not in self.images and not self.problem:
            parts.append("none for the test")
        colours = {1: "grey", 3: "colours"}.get(channels, f"{channels} channels")
        told = [
            f"{self.dataset}: images of {height}x{width}, {colours}, values {self.values}",
            f"images: {', '.join(parts)}",
            f"classes: {len(counts)}, of {each} images each in the training part{rare}",
        ]
        told += [f"left out: {what}" for what in self.left_out]
        return told + [f"warning: {what}" for what in self.warnings]


def describe_classes(summary: Summary) -> str:
    """A table of the classes and how many images each part has of them."""
    from tabulate import tabulate

    parts = summary.classes
    rows = [
        [printable(name), *(parts[part].get(name, 0) for part in parts)] for name in parts["train"]
    ]
    return tabulate(rows, headers=["class", *parts], disable_numparse=[0])


def summarise(config: DataOptions) -> Summary:
    """What is read of a data set: all its parts.

    A test part that cannot be used is a warning; a search needs none.

    Raises:
        MetaqnnError: The training or validation images cannot be loaded.
    """
    training, validation = load_split(config)
    told = tuple(differences_in_scale(training, validation, "the validation images"))
    origin = validation.origin
    parts = {part: dict(counts) for part, counts in origin.parts.items()}
    images = {"training": len(training), "validation": len(validation)}
    warnings, problem, known = origin.warnings + told, None, origin.fingerprint
    assert known is not None  # load_split made it
    try:
        test = load(config, "test")
    except MetaqnnError as error:
        test, problem = None, str(error)
        warnings += (f"the test part cannot be used: {problem}",)
    if test is not None:
        images["test"], parts["test"] = len(test), test.counts
        known = known.model_copy(update={"test": fingerprint(test)})
        there = {*digests(training.images), *digests(validation.images)}
        again = sum(digest in there for digest in digests(test.images))
        warnings += test.origin.warnings
        warnings += tuple(differences_in_scale(training, test, "the test images"))
        if again:
            warnings += (f"{again:,} of {len(test):,} test images are training images too",)
    return Summary(
        config.dataset,
        training.shape,
        _values(training.preparation),
        images,
        {part: parts[part] for part in PARTS if part in parts},
        origin.left_out,
        tuple(dict.fromkeys(warnings)),
        problem,
        known.model_dump(exclude_none=True),
    )


def _values(preparation: Preparation) -> str:
    """What the values of pixels are, in words."""
    return {
        "bytes": "0 to 255",
        "unit": "0 to 1, read as 0 to 255",
        "values": f"{preparation.range}, as they are",
    }[preparation.scale]
