"""The memory of a training, by arithmetic alone (no torch): the least that it can do with."""

from math import prod

from metaqnn.networks.cost import layer_costs, place_ops
from metaqnn.task import Shape
from state_space import Architecture

FLOAT = 4
"""Bytes of a weight, a gradient, or an optimizer's moment."""

MOMENTS = {"adam": 2, "sgd": 1}
"""Numbers that an optimizer keeps of every weight, beside the weight and its gradient."""


def weight_bytes(architecture: Architecture, input_shape: Shape, optimizer: str) -> int:
    """Bytes of weights, gradients and an optimizer's moments.

    Raises:
        ShapeError: See `place_ops`.
    """
    parameters = sum(cost.parameters for cost in layer_costs(architecture, input_shape))
    return (2 + MOMENTS[optimizer]) * FLOAT * parameters


def activation_bytes(architecture: Architecture, input_shape: Shape, value: int = FLOAT) -> int:
    """Bytes that the forward pass keeps of one image for the backward pass.

    Args:
        architecture: With its dropout.
        input_shape: (channels, height, width) of the image.
        value: Bytes of a value: 4, or 2 in bfloat16.

    Raises:
        ShapeError: See `place_ops`.
    """
    total = value * prod(input_shape)
    for op in place_ops(architecture, input_shape):
        if op.joins and len(op.inputs) > 1:
            total += value * prod(op.read)  # side by side in a new place
        total += op.kept(value)
    return total
