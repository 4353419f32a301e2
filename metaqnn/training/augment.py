"""New images from old ones, a batch at a time, on the device where they lie.

All take normalised images of shape (images, channels, height, width), and all but `shrink` keep
that shape; where nothing is left of an image stands 0, the mean of the training images.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from metaqnn.training.recipe import Recipe


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The images shifted, mirrored and cut out as the recipe says."""
    if recipe.shift:
        images = shift(images, recipe.shift, generator)
    if recipe.mirror:
        images = mirror(images, generator)
    if recipe.cutout:
        images = cutout(images, recipe.cutout, generator)
    return images


def mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images, left to right."""
    flipped = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(flipped, images.flip(3), images)


def shift(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Move every image by up to so many pixels down or up, and right or left.

    All displacements are equally likely: it is a crop, at a random place, of the image with a
    border of zeros.
    """
    count, _, height, width = images.shape
    corners = torch.randint(2 * most + 1, (2, count, 1), generator=generator, device=images.device)
    rows = corners[0] + torch.arange(height, device=images.device)
    columns = corners[1] + torch.arange(width, device=images.device)
    each = torch.arange(count, device=images.device)
    # with channels last, all channels of a pixel are fetched at once
    padded = pad(images, (most, most, most, most)).permute(0, 2, 3, 1)
    moved = padded[each[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def shrink(images: Tensor, size: Sequence[int]) -> Tensor:
    """The images at another height and width, smoothed, so that nothing is skipped."""
    return interpolate(images, list(size), mode="bilinear", antialias=True)


def cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Set a square of every image to 0 (DeVries & Taylor 2017).

    Its centre is any of the image's pixels, so that part of the square may lie outside.
    """
    count, _, height, width = images.shape

    def outside(size: int) -> Tensor:
        """Which of so many rows or columns the square of each image leaves alone."""
        centres = torch.randint(size, (count, 1), generator=generator, device=images.device)
        distance = torch.arange(size, device=images.device) - (centres - side // 2)
        return (distance < 0) | (distance >= side)

    kept = outside(height)[:, None, :, None] | outside(width)[:, None, None, :]
    return images * kept
