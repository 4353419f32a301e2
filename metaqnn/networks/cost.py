"""Shapes, parameters and multiply-adds of an architecture, by arithmetic alone (no torch)."""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

from metaqnn.errors import MetaqnnError
from state_space import Architecture

Shape = tuple[int, ...]
"""Of one image's representation: (channels, height, width), or (units,) after FC and SM."""


class ShapeError(MetaqnnError):
    """A layer cannot read what comes before it."""


class LayerCost(NamedTuple):
    """What a layer makes of its input, and what that costs.

    Attributes:
        shape: Of its output.
        parameters: Weights and biases.
        multiply_adds: Multiplications with addition, for one image, forward.
    """

    shape: Shape
    parameters: int
    multiply_adds: int


Args = tuple[int, ...]


def _convolution(args: Args, shape: Shape) -> LayerCost:
    filters, field, stride = args
    channels, height, width = _image(shape)
    if field % 2 == 0:
        raise ShapeError(f'a field must be odd for "same" padding, not {field}')
    output = (filters, -(-height // stride), -(-width // stride))
    weights = filters * channels * field * field
    return LayerCost(output, weights + filters, weights * output[1] * output[2])


def _max_pooling(args: Args, shape: Shape) -> LayerCost:
    field, stride = args
    channels, height, width = _image(shape)
    if field > min(height, width):
        raise ShapeError(f"a field of {field} does not fit into {height}x{width}")
    return LayerCost(
        (channels, (height - field) // stride + 1, (width - field) // stride + 1), 0, 0
    )


def _fully_connected(args: Args, shape: Shape) -> LayerCost:
    weights = args[0] * prod(shape)
    return LayerCost((args[0],), weights + args[0], weights)


def _global_average_pooling(args: Args, shape: Shape) -> LayerCost:
    _, parameters, multiply_adds = _convolution((args[0], 1, 1), shape)
    return LayerCost((args[0],), parameters, multiply_adds)


def _dropout(args: Args, shape: Shape) -> LayerCost:
    return LayerCost(shape, 0, 0)


def _batch_norm(args: Args, shape: Shape) -> LayerCost:
    return LayerCost(shape, 2 * _image(shape)[0], prod(shape))


COSTS: dict[str, Callable[[Args, Shape], LayerCost]] = {
    "C": _convolution,
    "P": _max_pooling,
    "FC": _fully_connected,
    "GAP": _global_average_pooling,
    "SM": _fully_connected,
    "D": _dropout,
    "BN": _batch_norm,
}
"""The arithmetic of every op; `layers.LAYERS` has the same keys."""


def layer_costs(architecture: Architecture, input_shape: Shape) -> list[LayerCost]:
    """The cost of every node.

    Args:
        architecture: Each of its nodes reads one other.
        input_shape: (channels, height, width) of the images.

    Raises:
        ShapeError: A layer cannot read what comes before it; the message names the layer.
    """
    costs: list[LayerCost] = []
    for position, node in enumerate(architecture.nodes):
        (source,) = node.inputs
        shape = input_shape if source < 0 else costs[source].shape
        args = tuple(int(value) for value in node.args)
        try:
            costs.append(COSTS[node.op](args, shape))
        except ShapeError as error:
            raise ShapeError(f"layer {position + 1}, {node.text}: {error}") from None
    return costs


def total_cost(architecture: Architecture, input_shape: Shape) -> LayerCost:
    """The network's output shape, parameters and multiply-adds an image.

    Raises:
        ShapeError: See `layer_costs`.
    """
    costs = layer_costs(architecture, input_shape)
    return LayerCost(
        costs[-1].shape,
        sum(cost.parameters for cost in costs),
        sum(cost.multiply_adds for cost in costs),
    )


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ShapeError(f"it needs an image, and reads {shape[0]} numbers")
    channels, height, width = shape
    return channels, height, width
