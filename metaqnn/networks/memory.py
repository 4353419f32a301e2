"""The memory of a training, by arithmetic alone (no torch): the least that it can do with."""

import os
from collections.abc import Callable
from math import prod
from pathlib import Path

from metaqnn.networks.cost import Args, Shape, layer_costs, read_shape
from state_space import Architecture

FLOAT = 4
"""Bytes of a weight, a gradient, or an optimizer's moment."""

MOMENTS = {"adam": 2, "sgd": 1}
"""Numbers that an optimizer keeps of every weight, beside the weight and its gradient."""

INDEX = 8
"""Bytes in which a pooling keeps where the maximum was."""


def _output(args: Args, read: Shape, made: Shape, value: int) -> int:
    # a ReLU works in place; what the layer reads was kept by the layer that made it
    return value * prod(made)


def _max_pooling(args: Args, read: Shape, made: Shape, value: int) -> int:
    return (value + INDEX) * prod(made)


def _global_average_pooling(args: Args, read: Shape, made: Shape, value: int) -> int:
    return value * (made[0] * read[1] * read[2] + made[0])


def _twice(args: Args, read: Shape, made: Shape, value: int) -> int:
    return 2 * value * prod(made)


KEPT: dict[str, Callable[[Args, Shape, Shape, int], int]] = {
    "C": _output,
    "P": _max_pooling,
    "FC": _output,
    "GAP": _global_average_pooling,
    "SM": _output,
    "D": _twice,  # its output, and which values it dropped
    "BN": _output,
    "CB": _twice,  # what the batch norm reads, and what it makes of it
    "MP": _max_pooling,
    "AP": _output,
}
"""Bytes that an op keeps of one image for the backward pass; `cost.COSTS` has the same keys."""


def weight_bytes(architecture: Architecture, input_shape: Shape, optimizer: str) -> int:
    """Bytes of weights, gradients and an optimizer's moments.

    Raises:
        ShapeError: See `layer_costs`.
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
        ShapeError: See `layer_costs`.
    """
    costs = layer_costs(architecture, input_shape)
    total = value * prod(input_shape)
    for node, cost in zip(architecture.nodes, costs, strict=True):
        read = read_shape(node, costs, input_shape)
        if len(node.inputs) > 1:
            total += value * prod(read)  # side by side in a new place
        args = tuple(int(argument) for argument in node.args)
        total += KEPT[node.op](args, read, cost.shape, value)
    return total


LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how many bytes a container may take."""


def machine_memory() -> int:
    """Bytes of main memory: the machine's, or those of the container if they are fewer."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in map(Path, LIMITS):
        if path.is_file() and (limit := path.read_text().strip()).isdecimal():
            sizes.append(int(limit))
    return min(sizes)
