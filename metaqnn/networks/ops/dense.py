"""Layers of which every unit reads everything."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import GREEN, PURPLE, LayerCost, Op, Part

if TYPE_CHECKING:
    import torch
    from torch import nn


class FullyConnected(Op):
    """A fully connected layer, and a ReLU."""

    parameters = ("units",)
    words = ("fully connected", "{0} units")
    fill = GREEN
    counts_for_dropout = True
    is_fully_connected = True

    def count(self) -> LayerCost:
        """A bias a unit."""
        weights = self.args[0] * prod(self.read)
        return LayerCost((self.args[0],), weights + self.args[0], weights)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Linear layer and ReLU."""
        from torch import nn

        linear = nn.Linear(prod(self.read), self.args[0])
        return nn.Sequential(nn.Flatten(), linear, nn.ReLU(inplace=True))

    def source(self) -> Part:
        """Linear layer and ReLU."""
        made = f"nn.Linear({prod(self.read)}, {self.args[0]})"
        return Part("F.relu({linear}({x}.flatten(1)))", (("linear", made, ".1"),))


class Softmax(Op):
    """A fully connected layer to the classes; the softmax itself is part of the loss."""

    parameters = ("classes",)
    words = ("softmax", "{0} classes")
    title = "softmax, the end"
    fill = PURPLE
    is_head = True

    def count(self) -> LayerCost:
        """A bias a class."""
        weights = self.args[0] * prod(self.read)
        return LayerCost((self.args[0],), weights + self.args[0], weights)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Linear layer."""
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(prod(self.read), self.args[0]))

    def source(self) -> Part:
        """Linear layer."""
        made = f"nn.Linear({prod(self.read)}, {self.args[0]})"
        return Part("{linear}({x}.flatten(1))", (("linear", made, ".1"),))
