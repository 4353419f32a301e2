"""What tells of networks before they are trained, by some of the images on which they would be."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.device import use_threads
from metaqnn.networks.zero_cost import signals
from state_space import Architecture

IMAGES = 32
"""Of a batch."""


@dataclass(frozen=True)
class ZeroCost:
    """The signals of `metaqnn.networks.zero_cost`, always by the same images, on one core.

    Attributes:
        data: Which images; they are loaded when they are needed first.
        contrast: See `Images`.
    """

    data: DataOptions
    contrast: bool = False

    @cached_property
    def images(self) -> Tensor:
        """A batch of the training images."""
        training, _ = load_split(self.data)
        training = replace(training, contrast=self.contrast)
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0))
        return training.normalise(training.images[order[:IMAGES]])

    def __call__(self, architecture: Architecture) -> tuple[float, ...]:
        """Build the network and look at it."""
        with use_threads(1):  # else the last digits depend on the cores
            return signals(architecture, self.images)
