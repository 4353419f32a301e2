"""Images and labels as tensors, and their split into training and validation."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from metaqnn.data.datasets import find_dataset, find_source
from metaqnn.data.options import DataOptions
from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape

Part = Literal["train", "test"]


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        images: uint8, shape (images, channels, height, width), values 0 to 255.
        labels: int64, shape (images,), values 0 to classes - 1.
        classes: Names of the classes.
        contrast: Whether `normalise` takes every image by itself.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    contrast: bool = False

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def shape(self) -> Shape:
        """(channels, height, width) of an image."""
        return tuple(self.images.shape[1:])

    @cached_property
    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel, shapes (1, channels, 1, 1)."""
        values = torch.arange(256, dtype=torch.float64)
        means, deviations = [], []
        for channel in self.images.unbind(1):
            # a histogram of bytes needs no copy of all images as floating-point numbers
            counts = torch.bincount(channel.flatten(), minlength=256).cpu()
            shares = counts.double() / channel.numel()
            mean = (shares * values).sum()
            means.append(mean)
            deviations.append((shares * (values - mean).square()).sum().sqrt())
        mean, deviation = torch.stack(means), torch.stack(deviations).clamp(min=1)
        shape, place = (1, -1, 1, 1), (self.images.device, torch.float32)
        return mean.view(shape).to(*place), deviation.view(shape).to(*place)

    def normalise(
        self, images: Tensor, layout: torch.memory_format = torch.channels_last
    ) -> Tensor:
        """Bytes of any images as floats that, for these images, have mean 0 and deviation 1."""
        values = images.to(torch.float32, memory_format=layout)
        if self.contrast:
            return equalise(values)
        mean, deviation = self.statistics
        return values.sub_(mean).div_(deviation)

    def take(self, indices: Tensor) -> "Images":
        """The images at the indices."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def join(self, others: "Images") -> "Images":
        """These images and others of the same classes."""
        images = torch.cat([self.images, others.images])
        return replace(self, images=images, labels=torch.cat([self.labels, others.labels]))

    def to(self, device: torch.device) -> "Images":
        """The images on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


def equalise(images: Tensor) -> Tensor:
    """Every image of shape (images, channels, height, width) at mean 0 and deviation 1 by itself.

    Known as global contrast normalisation. An image of one colour becomes 0.
    """
    centred = images - images.mean((1, 2, 3), keepdim=True)
    return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1)


class Source(Protocol):
    """Loads one part of a data set.

    Images come as uint8, all of one shape, resized to image_size where it is given. The other part
    is not looked at.
    """

    def __call__(
        self, part: Part, path: Path | None, image_size: int | None, download: bool
    ) -> Images:
        """Load from path, and raise MetaqnnError where that cannot be done."""


def load(config: DataOptions, part: Part) -> Images:
    """One part of a data set, of square images.

    Raises:
        MetaqnnError: It is unknown, missing, malformed, or its images are not square.
    """
    entry, path = find_dataset(config.dataset)
    path = path or config.data_dir
    source: Source = find_source(entry)
    images = source(part, Path(path) if path else None, config.image_size, config.download)
    height, width = images.images.shape[2:]
    if height != width:
        raise MetaqnnError(
            f"the images of {config.dataset} are {height}x{width}, not square; "
            "say with --image-size to which height and width to resize them"
        )
    return images


@lru_cache(maxsize=1)
def load_split(config: DataOptions) -> tuple[Images, Images]:
    """The training part of a data set as (training images, validation images).

    The split is stratified, and a function of the data set, its sizes and the split seed alone.

    Raises:
        MetaqnnError: The data set cannot be loaded, or there are too few images.
    """
    images = load(config, "train")
    limit = len(images) if config.train_limit is None else config.train_limit
    if limit > len(images):
        raise MetaqnnError(f"train-limit is {limit}, but {config.dataset} has {len(images)} images")
    share = config.validation < 1
    validation = round(config.validation * limit) if share else int(config.validation)
    classes = len(images.classes)
    if not classes <= validation <= limit - classes:
        raise MetaqnnError(
            f"{validation} of {limit} images for validation: both parts need at least one image "
            f"of each of the {classes} classes"
        )
    used = _stratified(np.arange(len(images)), images.labels.numpy(), limit, config)[0]
    chosen, rest = _stratified(used, images.labels.numpy(), validation, config)
    return images.take(torch.from_numpy(rest)), images.take(torch.from_numpy(chosen))


def _stratified(
    indices: np.ndarray, labels: np.ndarray, size: int, config: DataOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Indices in two parts, the first of the given size, every class with its share in both."""
    from sklearn.model_selection import train_test_split

    if size == len(indices):
        return indices, indices[:0]
    try:
        first, second = train_test_split(
            indices, train_size=size, stratify=labels[indices], random_state=config.split_seed
        )
    except ValueError as error:
        raise MetaqnnError(f"{config.dataset} cannot be split: {error}") from None
    return np.sort(first), np.sort(second)
