"""The table of layers: op name to PyTorch module."""

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn

from metaqnn.networks.cost import Args
from metaqnn.task import Shape


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


def _convolution(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    filters, field, stride = args
    return nn.Sequential(
        nn.Conv2d(shape[0], filters, field, stride, padding=field // 2), nn.ReLU(inplace=True)
    )


def _max_pooling(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    field, stride = args
    return nn.MaxPool2d(field, stride)


def _fully_connected(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), args[0]), nn.ReLU(inplace=True))


def _global_average_pooling(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(shape[0], args[0], 1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def _softmax(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    # the softmax itself is part of the loss
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), args[0]))


def _dropout(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    i, n = args
    return Dropout(i / (2 * n), generator)


def _batch_norm(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    return nn.BatchNorm2d(shape[0])


def _convolution_batch_norm(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    filters, *window = args
    size, stride, padding = _same_window(window)
    return nn.Sequential(
        # the batch norm's shift is the bias
        nn.Conv2d(shape[0], filters, size, stride, padding, bias=False),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
    )


def _same_max_pooling(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    return nn.MaxPool2d(*_same_window(args))


def _same_average_pooling(args: Args, shape: Shape, generator: torch.Generator) -> nn.Module:
    return nn.AvgPool2d(*_same_window(args), count_include_pad=False)


def _same_window(args: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Size, stride and padding of a window (height, width, stride height, stride width)."""
    height, width, stride_height, stride_width = args
    return (height, width), (stride_height, stride_width), (height // 2, width // 2)


LAYERS: dict[str, Callable[[Args, Shape, torch.Generator], nn.Module]] = {
    "C": _convolution,
    "P": _max_pooling,
    "FC": _fully_connected,
    "GAP": _global_average_pooling,
    "SM": _softmax,
    "D": _dropout,
    "BN": _batch_norm,
    "CB": _convolution_batch_norm,
    "MP": _same_max_pooling,
    "AP": _same_average_pooling,
}
"""A module of every op, from its parameters and the shape that it reads."""
