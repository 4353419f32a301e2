"""Pooling."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import (
    INDEX,
    ORANGE,
    Args,
    LayerCost,
    Op,
    Part,
    ShapeError,
    same_shape,
    same_window,
)

if TYPE_CHECKING:
    import torch
    from torch import nn


class MaxPooling(Op):
    """Max pooling without padding."""

    parameters = ("field", "stride")
    words = ("max pooling", "{0}×{0}, stride {1}")
    brief = "max {0}×{0}"
    title = "pooling"
    fill = ORANGE
    counts_for_dropout = True
    takes_maxima = True

    def count(self) -> LayerCost:
        """What is left over at the right and at the bottom is not read."""
        field, stride = self.args
        channels, height, width = self.image
        if field > min(height, width):
            raise ShapeError(f"a field of {field} does not fit into {height}x{width}")
        return LayerCost((channels, (height - field) // stride + 1, (width - field) // stride + 1))

    def kept(self, value: int) -> int:
        """Its output, and where the maxima were."""
        return (value + INDEX) * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        field, stride = self.args
        return nn.MaxPool2d(field, stride)

    def source(self) -> Part:
        """Torch's own."""
        return Part(f"F.max_pool2d({{x}}, {self.args[0]}, {self.args[1]})")


class SameMaxPooling(Op):
    """Max pooling with "same" padding."""

    parameters = ("height", "width", "stride height", "stride width")
    words = ("max pooling", "{0}×{1}, stride {2}×{3}")
    brief = "max {0}×{1}"
    fill = ORANGE

    def count(self) -> LayerCost:
        """Comparing counts nothing."""
        return LayerCost(same_shape(self.image, self.args))

    def kept(self, value: int) -> int:
        """Its output, and where the maxima were."""
        return (value + INDEX) * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        return nn.MaxPool2d(*same_window(self.args))

    def source(self) -> Part:
        """Torch's own."""
        size, stride, padding = same_window(self.args)
        return Part(f"F.max_pool2d({{x}}, {size}, {stride}, {padding})")


class SameAveragePooling(Op):
    """Average pooling with "same" padding, which does not count."""

    parameters = ("height", "width", "stride height", "stride width")
    words = ("average pooling", "{0}×{1}, stride {2}×{3}")
    brief = "average {0}×{1}"
    fill = ORANGE

    def count(self) -> LayerCost:
        """Adding counts nothing."""
        return LayerCost(same_shape(self.image, self.args))

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        return nn.AvgPool2d(*same_window(self.args), count_include_pad=False)

    def source(self) -> Part:
        """Torch's own."""
        size, stride, padding = same_window(self.args)
        return Part(f"F.avg_pool2d({{x}}, {size}, {stride}, {padding}, count_include_pad=False)")


class AveragePooling(Op):
    """Average pooling without padding.

    What is left over at the right and at the bottom has windows of its own, of what there is.
    """

    parameters = ("field", "stride")
    words = ("average pooling", "{0}×{0}, stride {1}")
    brief = "average {0}×{0}"
    fill = ORANGE

    @classmethod
    def problem(cls, args: Args) -> str | None:
        """A window beyond the image would have nothing to take the mean of."""
        field, stride = args
        return f"a stride of {stride} leaves out pixels of {field}" if stride > field else None

    def count(self) -> LayerCost:
        """Adding counts nothing."""
        field, stride = self.args
        channels, height, width = self.image
        if field > min(height, width):
            raise ShapeError(f"a field of {field} does not fit into {height}x{width}")
        return LayerCost(
            (channels, -(-(height - field) // stride) + 1, -(-(width - field) // stride) + 1)
        )

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        field, stride = self.args
        return nn.AvgPool2d(field, stride, ceil_mode=True)

    def source(self) -> Part:
        """Torch's own."""
        return Part(f"F.avg_pool2d({{x}}, {self.args[0]}, {self.args[1]}, ceil_mode=True)")


class GlobalAveragePooling(Op):
    """A 1x1 convolution to the classes, a ReLU, and the mean of each image."""

    parameters = ("classes",)
    words = ("average pooling", "global", "{0} classes")
    title = "global average pooling"
    fill = ORANGE
    is_head = True

    def count(self) -> LayerCost:
        """Those of the convolution."""
        channels, height, width = self.image
        (classes,) = self.args
        weights = classes * channels
        return LayerCost((classes,), weights + classes, weights * height * width)

    def kept(self, value: int) -> int:
        """What the convolution makes, and the means."""
        _, height, width = self.image
        return value * (self.args[0] * height * width + self.args[0])

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Convolution, ReLU and mean."""
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(self.image[0], self.args[0], 1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    def source(self) -> Part:
        """Convolution, ReLU and mean."""
        made = f"nn.Conv2d({self.image[0]}, {self.args[0]}, 1)"
        return Part("F.relu({conv}({x})).mean((2, 3))", (("conv", made, ".0"),))


class GlobalMean(Op):
    """The mean of each channel: a vector, to which no classes belong yet."""

    words = ("mean", "global")
    title = "global mean"
    fill = ORANGE

    def count(self) -> LayerCost:
        """Adding counts nothing."""
        return LayerCost(self.image[:1])

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def source(self) -> Part:
        """The mean."""
        return Part("{x}.mean((2, 3))")


class GlobalMaximum(Op):
    """The largest value of each channel."""

    words = ("maximum", "global")
    title = "global maximum"
    fill = ORANGE

    def count(self) -> LayerCost:
        """Comparing counts nothing."""
        return LayerCost(self.image[:1])

    def kept(self, value: int) -> int:
        """Its output, and where the maxima were."""
        return (value + INDEX) * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        return nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())

    def source(self) -> Part:
        """The maximum."""
        return Part("F.adaptive_max_pool2d({x}, 1).flatten(1)")
