"""Layers that help the training."""

from math import prod
from typing import TYPE_CHECKING

from metaqnn.networks.ops.base import Args, LayerCost, Op, Part

if TYPE_CHECKING:
    import torch
    from torch import nn


class DropOut(Op):
    """Dropout with probability i/(2n)."""

    parameters = ("i", "n")
    words = ("dropout", "{0}/(2·{1})")

    @classmethod
    def problem(cls, args: Args) -> str | None:
        """There are n dropouts in a network."""
        i, n = args
        return "D(i,n) is the i-th of n dropouts, so i is at most n" if i > n else None

    def count(self) -> LayerCost:
        """It is not there but while training."""
        return LayerCost(self.read)

    def kept(self, value: int) -> int:
        """Its output, and which values it dropped."""
        return 2 * value * prod(self.cost.shape)

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """One that draws from the generator."""
        from metaqnn.networks.modules import Dropout

        i, n = self.args
        return Dropout(i / (2 * n), generator)

    def source(self) -> Part:
        """Torch's own."""
        i, n = self.args
        return Part(f"F.dropout({{x}}, {i} / {2 * n}, self.training)")


class BatchNorm(Op):
    """Batch normalisation."""

    words = ("batch norm",)

    def count(self) -> LayerCost:
        """A factor and a shift a channel, and a multiply-add a value."""
        return LayerCost(self.read, 2 * self.image[0], prod(self.read))

    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Torch's own."""
        from torch import nn

        return nn.BatchNorm2d(self.image[0])

    def source(self) -> Part:
        """Torch's own."""
        return Part("{norm}({x})", (("norm", f"nn.BatchNorm2d({self.image[0]})", ""),))
