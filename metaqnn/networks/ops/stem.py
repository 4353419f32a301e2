"""Convolutions with batch normalisation and without a ReLU: with them networks of cells begin."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import BLUE, LayerCost, Op, Part, ShapeError, same_shape

if TYPE_CHECKING:
    import torch
    from torch import nn


class NormedConvolution(Op):
    """A convolution with "same" padding and without biases, and batch normalisation."""

    parameters = ("filters", "field", "stride")
    words = ("convolution", "{0} filters, norm", "{1}×{1}, stride {2}")
    fill = BLUE

    @property
    def _padding(self) -> int:
        return self.args[1] // 2

    def _pixels(self) -> tuple[int, int]:
        """Height and width of the output."""
        _, field, stride = self.args
        return same_shape(self.image, (field, field, stride, stride))[1:]

    def count(self) -> LayerCost:
        """As CB."""
        filters, field, _ = self.args
        height, width = self._pixels()
        weights = filters * self.image[0] * field * field
        return LayerCost(
            (filters, height, width),
            weights + 2 * filters,
            (weights + filters) * height * width,
        )

    def kept(self, value: int) -> int:
        """What the batch norm reads, and what it makes of it."""
        return 2 * value * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Convolution and batch norm."""
        from torch import nn

        filters, field, stride = self.args
        return nn.Sequential(
            nn.Conv2d(self.image[0], filters, field, stride, self._padding, bias=False),
            nn.BatchNorm2d(filters),
        )

    def source(self) -> Part:
        """Convolution and batch norm."""
        filters, field, stride = self.args
        size = f"{self.image[0]}, {filters}, {field}, {stride}, {self._padding}"
        modules = (
            ("conv", f"nn.Conv2d({size}, bias=False)", ".0"),
            ("norm", f"nn.BatchNorm2d({filters})", ".1"),
        )
        return Part("{norm}({conv}({x}))", modules)


class UnpaddedConvolution(NormedConvolution):
    """The same without padding."""

    @property
    def _padding(self) -> int:
        return 0

    def _pixels(self) -> tuple[int, int]:
        """Height and width of the output."""
        _, field, stride = self.args
        _, height, width = self.image
        if field > min(height, width):
            raise ShapeError(f"a field of {field} does not fit into {height}x{width}")
        return (height - field) // stride + 1, (width - field) // stride + 1
