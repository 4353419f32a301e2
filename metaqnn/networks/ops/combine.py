"""Layers that only bring together what they read."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import LayerCost, Op, Part, ShapeError

if TYPE_CHECKING:
    import torch
    from torch import nn


class Identity(Op):
    """What it reads, as it is."""

    words = ("identity",)
    brief = "identity"
    passes_on = True

    def count(self) -> LayerCost:
        """Nothing."""
        return LayerCost(self.read)

    def kept(self, value: int) -> int:
        """Nothing: inputs side by side are counted where they are put there."""
        return 0

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        return nn.Identity()

    def source(self) -> Part:
        """The input."""
        return Part("{x}")


class Concatenation(Identity):
    """What it reads, side by side, as every layer reads several inputs."""

    words = ("side by side",)
    brief = "concatenation"


class Zeros(Identity):
    """What it reads times 0, so that a network that is cut off still computes, and learns nothing.

    All that it reads gets a gradient, which is 0.
    """

    words = ("zeros",)
    brief = "zeros"
    passes_on = False

    def kept(self, value: int) -> int:
        """Its output."""
        return value * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """The product with 0."""
        from metaqnn.networks.modules import Zero

        return Zero()

    def source(self) -> Part:
        """The product with 0."""
        return Part("{x} * 0.0")


class Addition(Op):
    """The sum of its inputs, value by value."""

    words = ("sum",)
    brief = "+"
    joins = False
    adds = True

    def count(self) -> LayerCost:
        """An addition is no multiply-add, here as in pooling."""
        if len(set(self.inputs)) > 1:
            shapes = " and ".join("x".join(map(str, shape)) for shape in self.inputs)
            raise ShapeError(f"it adds inputs of one shape, and reads {shapes}")
        return LayerCost(self.inputs[0])

    def kept(self, value: int) -> int:
        """The sum, for what reads it; an only input is kept already."""
        return value * prod(self.cost.shape) if len(self.inputs) > 1 else 0

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """The sum, from left to right."""
        from metaqnn.networks.modules import Sum

        return Sum()

    def source(self) -> Part:
        """The sum, from left to right."""
        return Part(" + ".join(f"{{{place}}}" for place in range(len(self.inputs))))
