"""Separable convolutions."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import BLUE, LayerCost, Op, Part, same_shape

if TYPE_CHECKING:
    import torch
    from torch import nn


class SeparableBatchNorm(Op):
    """A convolution of each channel by itself, a 1x1 one, batch normalisation, and a ReLU.

    Nothing stands between the two convolutions, and they have no biases.
    """

    parameters = ("filters", "field", "stride")
    words = ("separable", "{0} filters, norm", "{1}×{1}, stride {2}")
    brief = "separable {1}×{1}"
    title = "separable convolution"
    fill = BLUE

    def count(self) -> LayerCost:
        """A filter a channel and one of 1x1 a filter; the batch norm as that of CB."""
        filters, field, stride = self.args
        channels, height, width = same_shape(self.image, (field, field, stride, stride))
        output = (filters, height, width)
        weights = channels * field * field + channels * filters
        return LayerCost(output, weights + 2 * filters, weights * height * width + prod(output))

    def kept(self, value: int) -> int:
        """What the first convolution makes, what the batch norm reads, and what it makes of it."""
        filters, height, width = self.cost.shape
        return value * (self.image[0] + 2 * filters) * height * width

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Both convolutions, batch norm and ReLU."""
        from torch import nn

        channels, (filters, field, stride) = self.image[0], self.args
        return nn.Sequential(
            nn.Conv2d(channels, channels, field, stride, field // 2, groups=channels, bias=False),
            nn.Conv2d(channels, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
        )

    def source(self) -> Part:
        """Both convolutions, batch norm and ReLU."""
        channels, (filters, field, stride) = self.image[0], self.args
        size = f"{channels}, {channels}, {field}, {stride}, {field // 2}, groups={channels}"
        modules = (
            ("depthwise", f"nn.Conv2d({size}, bias=False)", ".0"),
            ("pointwise", f"nn.Conv2d({channels}, {filters}, 1, bias=False)", ".1"),
            ("norm", f"nn.BatchNorm2d({filters})", ".2"),
        )
        return Part("F.relu({norm}({pointwise}({depthwise}({x}))))", modules)


class LinearConvolution(Op):
    """A convolution with "same" padding and without biases, and nothing behind it."""

    parameters = ("filters", "field", "stride")
    words = ("convolution", "{0} filters, linear", "{1}×{1}, stride {2}")
    brief = "conv {1}×{1}"
    title = "linear convolution"
    fill = BLUE

    def count(self) -> LayerCost:
        """Its weights."""
        filters, field, stride = self.args
        channels, height, width = same_shape(self.image, (field, field, stride, stride))
        weights = filters * channels * field * field
        return LayerCost((filters, height, width), weights, weights * height * width)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        filters, field, stride = self.args
        return nn.Conv2d(self.image[0], filters, field, stride, field // 2, bias=False)

    def source(self) -> Part:
        """Torch's own."""
        filters, field, stride = self.args
        made = f"nn.Conv2d({self.image[0]}, {filters}, {field}, {stride}, {field // 2}, bias=False)"
        return Part("{conv}({x})", (("conv", made, ""),))
