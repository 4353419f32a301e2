"""The auxiliary head: a second classifier, which only the training has."""

import torch
from torch import Tensor, nn

from metaqnn.networks.build import Network, draw_weights
from metaqnn.training.scaffold import Branch

WINDOW, STRIDE = 5, 3
"""Of the pooling."""

NARROW, WIDE = 128, 768
"""Filters of the two convolutions."""


class AuxiliaryHead(nn.Sequential):
    """Classifies what a network has half way (Szegedy et al. 2015; Zoph et al. 2018).

    ReLU; average pooling of 5x5, stride 3, without padding, where a side is less than 5 pixels of
    all of it; a 1x1 convolution to 128, and one over all that is left to 768, each with batch norm
    and ReLU; a fully connected layer to the classes.
    """

    def __init__(
        self, branch: Branch, classes: int, generator: torch.Generator, *, xavier: bool = True
    ) -> None:
        """Draw the weights, on the generator's device; see `Network`.

        Args:
            branch: What it reads.
            classes: Of the data.
            generator: Draws.
            xavier: How.
        """
        channels, *sides = branch.shape
        height, width = (min(WINDOW, side) for side in sides)
        rows, columns = (max(0, side - WINDOW) // STRIDE + 1 for side in sides)
        with torch.device("meta"):
            super().__init__(
                nn.ReLU(),
                nn.AvgPool2d((height, width), STRIDE),
                nn.Conv2d(channels, NARROW, 1, bias=False),
                nn.BatchNorm2d(NARROW),
                nn.ReLU(inplace=True),
                nn.Conv2d(NARROW, WIDE, (rows, columns), bias=False),
                nn.BatchNorm2d(WIDE),
                nn.ReLU(inplace=True),
                nn.Flatten(),
                nn.Linear(WIDE, classes),
            )
        self.to_empty(device=generator.device)
        for module in self:
            draw_weights(module, generator, xavier=xavier)
        self._position = branch.position
        self._read: Tensor | None = None

    def listen(self, network: Network) -> None:
        """Read, from now on, what the network has where the head branches off."""
        network.layers[self._position].register_forward_hook(self._hear)

    def scores(self) -> Tensor:
        """Of the images that the network has read last, while it is trained."""
        assert self._read is not None, "the network has read images"
        read, self._read = self._read, None
        scores: Tensor = self(read)
        return scores

    def _hear(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if layer.training:
            self._read = output
