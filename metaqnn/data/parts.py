"""The parts of a data set: training, validation and test images."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol, overload

import torch

from metaqnn.data.check import look_for_faults
from metaqnn.data.datasets import IMAGES, at_home, find_dataset, find_source
from metaqnn.data.fingerprint import fingerprint
from metaqnn.data.images import Images
from metaqnn.data.labels import listed
from metaqnn.data.options import DataOptions
from metaqnn.data.split import limited, split
from metaqnn.errors import MetaqnnError
from metaqnn.terminal import counted

Part = Literal["train", "validation", "test"]


class Source(Protocol):
    """Loads one part of a data set; None where there is no such part.

    Images are all of one shape, resized to the configuration's image_size where it is given. The
    images of the other parts are not looked at, but for what of the training part's decides how all
    are read.
    """

    def __call__(self, part: Part, path: Path | None, config: DataOptions) -> Images | None:
        """Load from path, and raise MetaqnnError where that cannot be done."""


@overload
def load(config: DataOptions, part: Literal["train"]) -> Images: ...
@overload
def load(config: DataOptions, part: Part) -> Images | None: ...
def load(config: DataOptions, part: Part) -> Images | None:
    """One part of a data set, of square images; None where it has no such part.

    Raises:
        MetaqnnError: It is unknown, missing, malformed, or its images are not square.
    """
    entry, path = find_dataset(config.dataset)
    if entry.holds != IMAGES:
        raise MetaqnnError(f"{config.dataset} is a text, and images are wanted")
    path = path or config.data_dir
    source: Source = find_source(entry)
    images = source(part, at_home(path) if path else None, config)
    if images is None:
        if part == "train":
            raise MetaqnnError(f"{config.dataset} has no training images")
        return None
    height, width = images.images.shape[2:]
    if height != width:
        raise MetaqnnError(
            f"the images of {config.dataset} are {height}x{width}, not square; "
            "say with --image-size to which height and width to resize them"
        )
    if not images.origin.parts:
        images = replace(images, origin=replace(images.origin, parts={part: images.counts}))
    return look_for_faults(images, f"the {PARTS[part]} of {config.dataset}")


PARTS: Mapping[Part, str] = {
    "train": "training images",
    "validation": "validation images",
    "test": "test images",
}
"""What the parts are called."""


def load_split(config: DataOptions) -> tuple[Images, Images]:
    """The training part of a data set as (training images, validation images).

    Read once in a process, and again when its files have changed.

    Where the data set has validation images of its own, these are taken. Otherwise the split is
    stratified, and a function of the data set, its sizes and the split seed alone; every class is
    in both parts.

    Raises:
        MetaqnnError: The data set cannot be loaded, or there are too few images.
    """
    return _load_split(config, _state_of(config))


def reads() -> int:
    """How often `load_split` has read in this process: what is made of it is made anew then."""
    return _load_split.cache_info().misses


def _state_of(config: DataOptions) -> int:
    """A hash of the names, sizes and dates of the files; data sets with a name do not change."""
    _, path = find_dataset(config.dataset)
    files: list[Path] = []
    for place in map(at_home, path.split(",") if path else ()):
        files += place.rglob("*") if place.is_dir() else [place, *place.parent.glob("*.npy")]
    known = [(file, file.stat()) for file in sorted(files) if file.is_file()]
    return hash(tuple((file, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for file, at in known))


@lru_cache(maxsize=1)
def _load_split(config: DataOptions, state: int) -> tuple[Images, Images]:
    images = load(config, "train")
    limit = len(images) if config.train_limit is None else config.train_limit
    if limit > len(images):
        raise MetaqnnError(
            f"train-limit is {limit}, but {config.dataset} has {counted(len(images), 'image')}"
        )
    own = load(config, "validation") if "validation" in images.origin.parts else None
    known = fingerprint(images).model_copy(update={"validation": own and fingerprint(own)})
    images = replace(images, origin=replace(images.origin, fingerprint=known))
    labels, classes, seed = images.labels.numpy(), images.classes, config.split_seed
    if own is not None:
        chosen = limited(labels, classes, limit, 1, seed)
        return images.take(torch.from_numpy(chosen)), _as_validation(own, images)
    used = limited(labels, classes, limit, 2, seed)
    share = config.validation < 1
    validation = round(config.validation * limit) if share else int(config.validation)
    if not len(classes) <= validation <= limit - len(classes):
        if limit < 2 * len(classes):
            raise MetaqnnError(
                f"{limit} images are too few to be trained on and validated: both parts need at "
                f"least one image of each of the {len(classes)} classes"
            )
        raise MetaqnnError(
            f"{validation} of {limit} images for validation: both parts need at least one image "
            f"of each of the {len(classes)} classes; --validation {len(classes)} to "
            f"{limit - len(classes)}"
        )
    chosen, rest = split(used, labels, classes, validation, seed)
    return images.take(torch.from_numpy(rest)), images.take(torch.from_numpy(chosen))


def _as_validation(own: Images, training: Images) -> Images:
    """Validation images of the data set's own, and what is known of the whole training part."""
    missing = [name for name, count in own.counts.items() if not count]
    warnings = training.origin.warnings + tuple(
        warning for warning in own.origin.warnings if warning not in training.origin.warnings
    )
    if missing:
        warnings += (f"no validation image is of the class {listed(missing)}",)
    return replace(own, origin=replace(training.origin, warnings=warnings))
