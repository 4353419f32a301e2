"""Shapes, parameters and multiply-adds of an architecture, by arithmetic alone (no torch)."""

from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape
from state_space import Architecture, Node


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


def _same_window(args: Args, shape: Shape) -> Shape:
    """The shape behind a window (height, width, stride height, stride width), "same" padding."""
    channels, rows, columns = _image(shape)
    height, width, stride_height, stride_width = args
    for name, value in (("height", height), ("width", width)):
        if value % 2 == 0:
            raise ShapeError(f'its {name} must be odd for "same" padding, not {value}')
    return channels, -(-rows // stride_height), -(-columns // stride_width)


def _convolution_batch_norm(args: Args, shape: Shape) -> LayerCost:
    filters, height, width, *_ = args
    output = (filters, *_same_window(args[1:], shape)[1:])
    weights = filters * shape[0] * height * width
    return LayerCost(output, weights + 2 * filters, weights * output[1] * output[2] + prod(output))


def _same_pooling(args: Args, shape: Shape) -> LayerCost:
    return LayerCost(_same_window(args, shape), 0, 0)


COSTS: dict[str, Callable[[Args, Shape], LayerCost]] = {
    "C": _convolution,
    "P": _max_pooling,
    "FC": _fully_connected,
    "GAP": _global_average_pooling,
    "SM": _fully_connected,
    "D": _dropout,
    "BN": _batch_norm,
    "CB": _convolution_batch_norm,
    "MP": _same_pooling,
    "AP": _same_pooling,
}
"""The arithmetic of every op; `layers.LAYERS` has the same keys."""


def joined_shape(shapes: Sequence[Shape]) -> Shape:
    """The shape of all of these side by side: channels add up, images get the largest size.

    Raises:
        ShapeError: There are images and vectors among them.
    """
    if len({len(shape) for shape in shapes}) > 1:
        together = " and ".join("x".join(map(str, shape)) for shape in shapes)
        raise ShapeError(f"it cannot read images together with vectors: {together}")
    sizes = zip(*(shape[1:] for shape in shapes), strict=True)
    return sum(shape[0] for shape in shapes), *map(max, sizes)


def read_shape(node: Node, costs: Sequence[LayerCost], input_shape: Shape) -> Shape:
    """The shape that a node reads, all its inputs joined.

    Raises:
        ShapeError: See `joined_shape`.
    """
    return joined_shape(
        [input_shape if source < 0 else costs[source].shape for source in node.inputs]
    )


def layer_costs(architecture: Architecture, input_shape: Shape) -> list[LayerCost]:
    """The cost of every node.

    Args:
        architecture: Its last node is its only output.
        input_shape: (channels, height, width) of the images.

    Raises:
        ShapeError: A layer cannot read what comes before it; the message names the layer. Or the
            outputs are others than the last layer.
    """
    last = len(architecture.nodes) - 1
    if architecture.outputs != (last,):
        outputs = ", ".join(map(str, architecture.outputs))
        raise ShapeError(f"the only output must be the last layer, {last}, not {outputs}")
    costs: list[LayerCost] = []
    for position, node in enumerate(architecture.nodes):
        args = tuple(int(value) for value in node.args)
        try:
            costs.append(COSTS[node.op](args, read_shape(node, costs, input_shape)))
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


def size_metrics(architecture: Architecture, input_shape: Shape) -> dict[str, float]:
    """What an outcome says of the network's size: parameters, multiply_adds, nodes, edges.

    Raises:
        ShapeError: See `layer_costs`.
    """
    cost = total_cost(architecture, input_shape)
    return {
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "nodes": len(architecture.nodes),
        "edges": architecture.edges,
    }


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ShapeError(f"it needs an image, and reads {shape[0]} numbers")
    channels, height, width = shape
    return channels, height, width
