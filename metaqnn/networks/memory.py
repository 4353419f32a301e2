"""The memory of a training, by arithmetic alone (no torch): the least that it can do with."""

import os
from math import prod
from pathlib import Path

from metaqnn.networks.cost import layer_costs, place_ops, shared_relus
from metaqnn.task import Shape
from state_space import Architecture

FLOAT = 4
"""Bytes of a weight, a gradient, or an optimizer's moment."""

MOMENTS = {"adam": 2, "adamw": 2, "muon": 1, "sgd": 1}
"""Numbers that an optimizer keeps of every weight at least, beside the weight and its gradient."""


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
    ops = place_ops(architecture, input_shape)
    for op in ops:
        if op.joins and len(op.inputs) > 1:
            total += value * prod(op.read)  # side by side in a new place
        total += op.kept(value)
    for readers in shared_relus(architecture.expanded.nodes, ops).values():
        total -= (len(readers) - 1) * value * prod(ops[readers[0]].read)
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
