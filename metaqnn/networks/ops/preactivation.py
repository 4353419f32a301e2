"""Layers of cells: a ReLU comes before the convolution, batch normalisation behind it.

Zoph et al. 2018, https://arxiv.org/abs/1707.07012, appendix A.4. All have "same" padding, and no
biases but the shift of the batch norm; what a batch norm costs is as in CB.
"""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import (
    BLUE,
    PLAIN,
    Args,
    LayerCost,
    Op,
    Part,
    same_shape,
    same_window,
)

if TYPE_CHECKING:
    import torch
    from torch import nn


class Rectifier(Op):
    """A ReLU by itself, as before the mean at the end of a network of cells."""

    words = ("ReLU",)
    brief = "ReLU"
    begins_with_relu = True

    def count(self) -> LayerCost:
        """Comparing counts nothing."""
        return LayerCost(self.read)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        return nn.ReLU()

    def source(self) -> Part:
        """Torch's own."""
        return Part("F.relu({x})")


class RectifiedConvolution(Op):
    """A ReLU, a convolution, and batch normalisation."""

    parameters = ("filters", "height", "width", "stride height", "stride width")
    words = ("ReLU, conv", "{0} filters, norm", "{1}×{2}, stride {3}×{4}")
    brief = "conv {1}×{2}"
    begins_with_relu = True
    title = "convolution"
    fill = BLUE

    def count(self) -> LayerCost:
        """As CB."""
        filters, height, width, *_ = self.args
        output = (filters, *same_shape(self.image, self.args[1:])[1:])
        weights = filters * self.image[0] * height * width
        return LayerCost(
            output, weights + 2 * filters, weights * output[1] * output[2] + prod(output)
        )

    def kept(self, value: int) -> int:
        """What the ReLU makes, what the batch norm reads, and what it makes of it."""
        return value * (prod(self.read) + 2 * prod(self.cost.shape))

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """ReLU, convolution and batch norm."""
        from torch import nn

        filters, *window = self.args
        size, stride, padding = same_window(window)
        return nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(self.image[0], filters, size, stride, padding, bias=False),
            nn.BatchNorm2d(filters),
        )

    def source(self) -> Part:
        """ReLU, convolution and batch norm."""
        filters, *window = self.args
        size, stride, padding = same_window(window)
        made = f"nn.Conv2d({self.image[0]}, {filters}, {size}, {stride}, {padding}, bias=False)"
        modules = (("conv", made, ".1"), ("norm", f"nn.BatchNorm2d({filters})", ".2"))
        return Part("{norm}({conv}(F.relu({x})))", modules)


class DilatedConvolution(Op):
    """A ReLU, a convolution that reads every second pixel, and batch normalisation."""

    parameters = ("filters", "field", "stride")
    words = ("ReLU, dilated", "{0} filters, norm", "{1}×{1}, stride {2}")
    brief = "dilated {1}×{1}"
    begins_with_relu = True
    title = "dilated convolution"
    fill = BLUE

    def count(self) -> LayerCost:
        """As without the dilation."""
        filters, field, stride = self.args
        output = (filters, *same_shape(self.image, (field, field, stride, stride))[1:])
        weights = filters * self.image[0] * field * field
        return LayerCost(
            output, weights + 2 * filters, weights * output[1] * output[2] + prod(output)
        )

    def kept(self, value: int) -> int:
        """What the ReLU makes, what the batch norm reads, and what it makes of it."""
        return value * (prod(self.read) + 2 * prod(self.cost.shape))

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """ReLU, convolution and batch norm."""
        from torch import nn

        filters, field, stride = self.args
        return nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(self.image[0], filters, field, stride, field - 1, dilation=2, bias=False),
            nn.BatchNorm2d(filters),
        )

    def source(self) -> Part:
        """ReLU, convolution and batch norm."""
        filters, field, stride = self.args
        size = f"{self.image[0]}, {filters}, {field}, {stride}, {field - 1}, dilation=2"
        modules = (
            ("conv", f"nn.Conv2d({size}, bias=False)", ".1"),
            ("norm", f"nn.BatchNorm2d({filters})", ".2"),
        )
        return Part("{norm}({conv}(F.relu({x})))", modules)


class SeparableConvolution(Op):
    """Twice: a ReLU, a convolution of each channel by itself, a 1x1 one, batch normalisation.

    The first of the two has the stride, and brings the input to so many filters.
    """

    parameters = ("filters", "field", "stride")
    words = ("separable, twice", "{0} filters, norm", "{1}×{1}, stride {2}")
    brief = "separable {1}×{1}"
    begins_with_relu = True
    title = "separable convolution"
    fill = BLUE

    def count(self) -> LayerCost:
        """Four convolutions and two batch norms, all of them of the output's size."""
        filters, field, stride = self.args
        channels, height, width = same_shape(self.image, (field, field, stride, stride))
        weights = (channels + filters) * (field * field + filters)
        pixels = height * width
        return LayerCost(
            (filters, height, width), weights + 4 * filters, (weights + 2 * filters) * pixels
        )

    def kept(self, value: int) -> int:
        """Of each half what its ReLU makes, what its convolutions make, and what it makes."""
        filters = self.args[0]
        channels = self.image[0]
        _, height, width = self.cost.shape
        return value * (prod(self.read) + (channels + filters * 5) * height * width)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """The layers of both."""
        from torch import nn

        filters, field, stride = self.args
        channels, padding = self.image[0], field // 2
        return nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, field, stride, padding, groups=channels, bias=False),
            nn.Conv2d(channels, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, field, padding=padding, groups=filters, bias=False),
            nn.Conv2d(filters, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
        )

    def source(self) -> Part:
        """The same layers one by one."""
        filters, field, stride = self.args
        channels, padding = self.image[0], field // 2
        first = f"{channels}, {channels}, {field}, {stride}, {padding}, groups={channels}"
        second = f"{filters}, {filters}, {field}, padding={padding}, groups={filters}"
        modules = (
            ("depthwise", f"nn.Conv2d({first}, bias=False)", ".1"),
            ("pointwise", f"nn.Conv2d({channels}, {filters}, 1, bias=False)", ".2"),
            ("norm", f"nn.BatchNorm2d({filters})", ".3"),
            ("again_depthwise", f"nn.Conv2d({second}, bias=False)", ".5"),
            ("again_pointwise", f"nn.Conv2d({filters}, {filters}, 1, bias=False)", ".6"),
            ("again_norm", f"nn.BatchNorm2d({filters})", ".7"),
        )
        half = "{norm}({pointwise}({depthwise}(F.relu({x}))))"
        again = "{again_norm}({again_pointwise}({again_depthwise}(F.relu(" + half + "))))"
        return Part(again, modules)


class Projection(Op):
    """A 1x1 convolution and batch normalisation: another width, and no ReLU."""

    parameters = ("filters",)
    words = ("projection", "{0} filters, norm")
    brief = "projection"
    fill = PLAIN

    def count(self) -> LayerCost:
        """As CB."""
        (filters,) = self.args
        channels, height, width = self.image
        return LayerCost(
            (filters, height, width),
            (channels + 2) * filters,
            (channels + 1) * filters * height * width,
        )

    def kept(self, value: int) -> int:
        """What the batch norm reads, and what it makes of it."""
        return 2 * value * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Convolution and batch norm."""
        from torch import nn

        (filters,) = self.args
        return nn.Sequential(
            nn.Conv2d(self.image[0], filters, 1, bias=False), nn.BatchNorm2d(filters)
        )

    def source(self) -> Part:
        """Convolution and batch norm."""
        (filters,) = self.args
        made = f"nn.Conv2d({self.image[0]}, {filters}, 1, bias=False)"
        modules = (("conv", made, ".0"), ("norm", f"nn.BatchNorm2d({filters})", ".1"))
        return Part("{norm}({conv}({x}))", modules)


class FactorisedReduction(Op):
    """Half the height and width by two 1x1 convolutions of stride 2, and batch normalisation.

    Each makes half of the filters; the second reads the image shifted by one pixel, so that it
    sees pixels that the first does not. There is no ReLU; `RELU` may stand before it.
    """

    parameters = ("filters",)
    words = ("factorised reduction", "{0} filters, norm", "1×1, stride 2")
    brief = "factorised"
    fill = PLAIN

    @classmethod
    def problem(cls, args: Args) -> str | None:
        """Each of the convolutions has a filter at least."""
        return "FR(filters) has 2 filters at least" if args[0] < 2 else None

    def count(self) -> LayerCost:
        """As one convolution with all filters."""
        (filters,) = self.args
        channels, height, width = same_shape(self.image, (1, 1, 2, 2))
        return LayerCost(
            (filters, height, width),
            (channels + 2) * filters,
            (channels + 1) * filters * height * width,
        )

    def kept(self, value: int) -> int:
        """The shifted image, what the batch norm reads, and what it makes of it."""
        return value * (prod(self.read) + 2 * prod(self.cost.shape))

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Both convolutions, and what is around them."""
        from metaqnn.networks.modules import Factorised

        return Factorised(self.image[0], self.args[0])

    def source(self) -> Part:
        """The same layers one by one."""
        (filters,) = self.args
        channels, half = self.image[0], filters // 2
        modules = (
            ("even", f"nn.Conv2d({channels}, {half}, 1, stride=2, bias=False)", ".even"),
            ("odd", f"nn.Conv2d({channels}, {filters - half}, 1, stride=2, bias=False)", ".odd"),
            ("norm", f"nn.BatchNorm2d({filters})", ".norm"),
        )
        shifted = "F.pad({x}[:, :, 1:, 1:], (0, 1, 0, 1))"
        halves = "torch.cat([{even}({x}), {odd}(" + shifted + ")], 1)"
        return Part("{norm}(" + halves + ")", modules)
