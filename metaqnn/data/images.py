"""Labelled images as tensors, and their normalisation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from metaqnn.data.preparation import Preparation
from metaqnn.task import Shape

if TYPE_CHECKING:
    from metaqnn.data.fingerprint import Fingerprint


@dataclass(frozen=True)
class Origin:
    """What is known of a part of a data set beside its images.

    Attributes:
        parts: Of each part of the data set that is there, how many images each class has.
        left_out: What was there and is not among the images, and why.
        warnings: What looks wrong.
        fingerprint: See `metaqnn.data.fingerprint`.
        names: Of the images, where they are files.
    """

    parts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fingerprint: "Fingerprint | None" = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Images:
    """Labelled images.

    Attributes:
        images: Shape (images, channels, height, width); uint8, values 0 to 255, or float32 where
            the scale of the preparation is values.
        labels: int64, shape (images,), values 0 to classes - 1.
        classes: Names of the classes.
        contrast: Whether `normalise` takes every image by itself.
        preparation: How they became what they are.
        origin: What else is known of them.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    contrast: bool = False
    preparation: Preparation = Preparation()
    origin: Origin = field(default=Origin(), compare=False, repr=False)

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
        moments = _moments_of_bytes if self.images.dtype == torch.uint8 else _moments
        mean, deviation = map(torch.stack, zip(*map(moments, self.images.unbind(1)), strict=True))
        deviation = deviation.clamp(min=self.preparation.floor)  # noise is not blown up
        shape, place = (1, -1, 1, 1), (self.images.device, torch.float32)
        return mean.view(shape).to(*place), deviation.view(shape).to(*place)

    def normalise(
        self, images: Tensor, layout: torch.memory_format = torch.channels_last
    ) -> Tensor:
        """Pixels of any images as floats that, for these images, have mean 0 and deviation 1."""
        values = images.to(torch.float32, memory_format=layout)
        if self.contrast:
            return equalise(values, self.preparation.floor)
        mean, deviation = self.statistics
        if images.dtype == torch.float32:  # the values may be the images themselves
            return values.sub(mean).div_(deviation)
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

    @property
    def counts(self) -> dict[str, int]:
        """How many images every class has."""
        found = self.labels.bincount(minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, found, strict=True))


def equalise(images: Tensor, floor: float = 1) -> Tensor:
    """Every image of shape (images, channels, height, width) at mean 0 and deviation 1 by itself.

    Known as global contrast normalisation. An image whose deviation is below the floor, such as one
    of one colour, is only divided by the floor.
    """
    centred = images - images.mean((1, 2, 3), keepdim=True)
    return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=floor)


def _moments_of_bytes(channel: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, float64."""
    values = torch.arange(256, dtype=torch.float64)
    # a histogram of bytes needs no copy of all images as floating-point numbers
    counts = torch.bincount(channel.flatten(), minlength=256).cpu()
    shares = counts.double() / channel.numel()
    mean = (shares * values).sum()
    return mean, (shares * (values - mean).square()).sum().sqrt()


def _moments(channel: Tensor) -> tuple[Tensor, Tensor]:
    """Likewise of floating-point numbers, a thousand images at a time."""
    parts = torch.split(channel.cpu(), 1000)
    mean = torch.stack([part.double().sum() for part in parts]).sum() / channel.numel()
    squares = torch.stack([(part.double() - mean).square().sum() for part in parts]).sum()
    return mean, (squares / channel.numel()).sqrt()
