"""Convolutions."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import BLUE, LayerCost, Op, Part, ShapeError, same_shape, same_window

if TYPE_CHECKING:
    import torch
    from torch import nn


class Convolution(Op):
    """A convolution with "same" padding, and a ReLU."""

    parameters = ("filters", "field", "stride")
    words = ("convolution", "{0} filters", "{1}×{1}, stride {2}")
    brief = "conv {1}×{1}"
    fill = BLUE
    counts_for_dropout = True
    ends_in_relu = True

    def count(self) -> LayerCost:
        """A bias a filter."""
        filters, field, stride = self.args
        channels, height, width = self.image
        if field % 2 == 0:
            raise ShapeError(f'a field must be odd for "same" padding, not {field}')
        output = (filters, -(-height // stride), -(-width // stride))
        weights = filters * channels * field * field
        return LayerCost(output, weights + filters, weights * output[1] * output[2])

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Convolution and ReLU."""
        from torch import nn

        filters, field, stride = self.args
        return nn.Sequential(
            nn.Conv2d(self.image[0], filters, field, stride, padding=field // 2),
            nn.ReLU(inplace=True),
        )

    def source(self) -> Part:
        """Convolution and ReLU."""
        filters, field, stride = self.args
        size = f"{self.image[0]}, {filters}, {field}, stride={stride}, padding={field // 2}"
        return Part("F.relu({conv}({x}))", (("conv", f"nn.Conv2d({size})", ".0"),))


class ConvolutionBatchNorm(Op):
    """A convolution with "same" padding and without biases, batch normalisation, and a ReLU."""

    parameters = ("filters", "height", "width", "stride height", "stride width")
    words = ("convolution", "{0} filters, norm", "{1}×{2}, stride {3}×{4}")
    brief = "conv {1}×{2}"
    fill = BLUE

    def count(self) -> LayerCost:
        """The batch norm has a factor and a shift a filter, and a multiply-add a value."""
        filters, height, width, *_ = self.args
        output = (filters, *same_shape(self.image, self.args[1:])[1:])
        weights = filters * self.image[0] * height * width
        multiply_adds = weights * output[1] * output[2] + prod(output)
        return LayerCost(output, weights + 2 * filters, multiply_adds)

    def kept(self, value: int) -> int:
        """What the batch norm reads, and what it makes of it."""
        return 2 * value * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Convolution, batch norm, whose shift is the bias, and ReLU."""
        from torch import nn

        filters, *window = self.args
        size, stride, padding = same_window(window)
        return nn.Sequential(
            nn.Conv2d(self.image[0], filters, size, stride, padding, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
        )

    def source(self) -> Part:
        """Convolution, batch norm and ReLU."""
        filters, *window = self.args
        size, stride, padding = same_window(window)
        made = f"nn.Conv2d({self.image[0]}, {filters}, {size}, {stride}, {padding}, bias=False)"
        modules = (("conv", made, ".0"), ("norm", f"nn.BatchNorm2d({filters})", ".1"))
        return Part("F.relu({norm}({conv}({x})))", modules)


class DepthwiseBatchNorm(Op):
    """A convolution of each channel by itself, "same" padding, batch normalisation, and a ReLU.

    With `CB(filters,1,1,1,1)` behind it, it is a separable convolution.
    """

    parameters = ("field", "stride")
    words = ("depthwise", "{0}×{0}, norm", "stride {1}")
    brief = "depthwise {0}×{0}"
    fill = BLUE

    def count(self) -> LayerCost:
        """A filter a channel; the batch norm as that of CB."""
        field, stride = self.args
        output = same_shape(self.image, (field, field, stride, stride))
        weights = output[0] * field * field
        return LayerCost(
            output, weights + 2 * output[0], weights * output[1] * output[2] + prod(output)
        )

    def kept(self, value: int) -> int:
        """What the batch norm reads, and what it makes of it."""
        return 2 * value * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Convolution, batch norm and ReLU."""
        from torch import nn

        channels, (field, stride) = self.image[0], self.args
        return nn.Sequential(
            nn.Conv2d(channels, channels, field, stride, field // 2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def source(self) -> Part:
        """Convolution, batch norm and ReLU."""
        channels, (field, stride) = self.image[0], self.args
        size = f"{channels}, {channels}, {field}, {stride}, {field // 2}, groups={channels}"
        modules = (
            ("conv", f"nn.Conv2d({size}, bias=False)", ".0"),
            ("norm", f"nn.BatchNorm2d({channels})", ".1"),
        )
        return Part("F.relu({norm}({conv}({x})))", modules)


class InvertedBottleneck(Op):
    """MobileNet's block with as many filters as it reads, whose input is added to its output.

    A 1x1 convolution widens so many times, each channel has a convolution of its own, and a 1x1
    convolution narrows (Sandler et al. 2018, https://arxiv.org/abs/1801.04381, sec. 3.3).
    """

    parameters = ("expansion", "field")
    words = ("bottleneck", "inverted, {0}-fold", "{1}×{1}")
    brief = "bottleneck {1}×{1}"
    fill = BLUE

    def count(self) -> LayerCost:
        """Three convolutions without biases, each with a batch norm; adding counts nothing."""
        expansion, field = self.args
        channels, height, width = same_shape(self.image, (field, field, 1, 1))
        wide = expansion * channels
        weights = 2 * channels * wide + wide * field * field
        normalised = 2 * wide + channels
        return LayerCost(
            self.read, weights + 2 * normalised, (weights + normalised) * height * width
        )

    def kept(self, value: int) -> int:
        """Of each wide convolution its output, before and behind batch norm and ReLU6."""
        channels, height, width = self.image
        return value * (6 * self.args[0] + 2) * channels * height * width

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """The three convolutions with what belongs to them."""
        from torch import nn

        from metaqnn.networks.modules import Residual

        expansion, field = self.args
        channels = self.image[0]
        wide = expansion * channels
        return Residual(
            nn.Conv2d(channels, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, field, padding=field // 2, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def source(self) -> Part:
        """The same layers one by one."""
        expansion, field = self.args
        channels = self.image[0]
        wide = expansion * channels
        own = f"{wide}, {wide}, {field}, padding={field // 2}, groups={wide}"
        modules = (
            ("widen", f"nn.Conv2d({channels}, {wide}, 1, bias=False)", ".0"),
            ("widen_norm", f"nn.BatchNorm2d({wide})", ".1"),
            ("depthwise", f"nn.Conv2d({own}, bias=False)", ".3"),
            ("depthwise_norm", f"nn.BatchNorm2d({wide})", ".4"),
            ("narrow", f"nn.Conv2d({wide}, {channels}, 1, bias=False)", ".6"),
            ("narrow_norm", f"nn.BatchNorm2d({channels})", ".7"),
        )
        wide_step = "F.relu6({depthwise_norm}({depthwise}(F.relu6({widen_norm}({widen}({x}))))))"
        return Part("{x} + {narrow_norm}({narrow}(" + wide_step + "))", modules)
