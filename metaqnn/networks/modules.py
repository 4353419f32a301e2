"""Modules that torch does not have, and how several tensors become one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad


class Dropout(nn.Module):
    """Dropout that draws from a given generator, where torch's own draws from the global one."""

    def __init__(self, probability: float, generator: torch.Generator) -> None:
        """Set a value to 0 with this probability."""
        super().__init__()
        self.keep = 1 - probability
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Drop while training, else pass on."""
        if not self.training:
            return x
        # on CPUs uniform_ is three times as fast as bernoulli_, and lt_ in place than lt and a cast
        draws = torch.empty_like(x).uniform_(generator=self.generator)
        return x * draws.lt_(self.keep).div_(self.keep)


class Sum(nn.Module):
    """The sum of its inputs."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        """From left to right."""
        for other in others:
            first = first + other
        return first


class Zero(nn.Module):
    """Zeros of the shape of what it reads, which gets a gradient of zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Of the input's shape."""
        return x * 0.0


class Residual(nn.Sequential):
    """Modules one after the other, and their input added to the output of the last."""

    def forward(self, x: Tensor) -> Tensor:
        """Of the input's shape."""
        change = x
        for module in self:
            change = module(change)
        return x + change


class Scaled(nn.Sequential):
    """Modules one after the other, by whose output, a number a channel, their input is scaled."""

    def forward(self, x: Tensor) -> Tensor:
        """Of the input's shape."""
        factors = x
        for module in self:
            factors = module(factors)
        return x * factors[:, :, None, None]


class Factorised(nn.Module):
    """Half the height and width by two 1x1 convolutions, each of which sees other pixels."""

    def __init__(self, channels: int, filters: int) -> None:
        """Half of the filters each."""
        super().__init__()
        half = filters // 2
        self.even = nn.Conv2d(channels, half, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels, filters - half, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        """Of half the height and width, rounded up; what is read beyond the image is 0."""
        if self.training:
            # one convolution with a field of 2x2 takes a third of the time of two on parts of it
            corners = pad(self.even.weight, (0, 1, 0, 1)), pad(self.odd.weight, (1, 0, 1, 0))
            rows, columns = x.shape[2] % 2, x.shape[3] % 2
            even_sized = pad(x, (0, columns, 0, rows)) if rows or columns else x
            both = conv2d(even_sized, torch.cat(corners), stride=2)
        else:
            both = torch.cat([self.even(x), self.odd(pad(x, (-1, 1, -1, 1)))], 1)
        value: Tensor = self.norm(both)
        return value


def join(inputs: Sequence[Tensor]) -> Tensor:
    """Side by side along channels; smaller images get zeros at the right and at the bottom.

    Args:
        inputs: Of shape (images, channels, height, width) all, or (images, units) all.
    """
    if len(inputs) == 1:
        return inputs[0]
    if inputs[0].dim() == 4:
        height = max(value.shape[2] for value in inputs)
        width = max(value.shape[3] for value in inputs)
        inputs = [
            pad(value, (0, width - value.shape[3], 0, height - value.shape[2])) for value in inputs
        ]
    return torch.cat(list(inputs), 1)
