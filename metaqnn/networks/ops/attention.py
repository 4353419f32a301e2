"""Layers that weigh what they read by what they read."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import GREEN, LayerCost, Op, Part

if TYPE_CHECKING:
    import torch
    from torch import nn


class SqueezeExcitation(Op):
    """Each channel times a factor from 0 to 1 that the means of all channels decide.

    Two fully connected layers, the first of them so many times narrower than there are channels,
    compute the factors (Hu et al. 2018, https://arxiv.org/abs/1709.01507, sec. 3).
    """

    parameters = ("reduction",)
    words = ("squeeze and excite", "1/{0}")
    title = "squeeze and excite"
    fill = GREEN

    @property
    def _narrow(self) -> int:
        return max(1, self.image[0] // self.args[0])

    def count(self) -> LayerCost:
        """Both layers with biases; the means and the factors count nothing."""
        channels, narrow = self.image[0], self._narrow
        weights = 2 * channels * narrow
        return LayerCost(self.read, weights + narrow + channels, weights)

    def kept(self, value: int) -> int:
        """Its output, the means, what the narrow layer makes, and the factors."""
        return value * (prod(self.read) + 2 * self.image[0] + self._narrow)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Both layers, and what is around them."""
        from torch import nn

        from metaqnn.networks.modules import Scaled

        channels, narrow = self.image[0], self._narrow
        return Scaled(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, narrow),
            nn.ReLU(inplace=True),
            nn.Linear(narrow, channels),
            nn.Sigmoid(),
        )

    def source(self) -> Part:
        """The same layers one by one."""
        channels, narrow = self.image[0], self._narrow
        modules = (
            ("squeeze", f"nn.Linear({channels}, {narrow})", ".2"),
            ("excite", f"nn.Linear({narrow}, {channels})", ".4"),
        )
        factors = "{excite}(F.relu({squeeze}({x}.mean((2, 3))))).sigmoid()"
        return Part("{x} * " + factors + "[:, :, None, None]", modules)
