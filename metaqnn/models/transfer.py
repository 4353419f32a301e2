"""A network for other data than those that it was made for."""

from dataclasses import replace

import torch
from torch import Tensor

from metaqnn.networks.build import Network
from metaqnn.networks.ops import DROPOUT, find_op
from metaqnn.task import Shape
from state_space import Architecture, Node


def with_classes(architecture: Architecture, classes: int) -> Architecture:
    """The architecture with heads for so many classes."""

    def changed(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(
            replace(node, args=(classes,))
            if node.op not in architecture.cells and find_op(node.op).is_head
            else node
            for node in nodes
        )

    cells = {
        name: replace(cell, nodes=changed(cell.nodes)) for name, cell in architecture.cells.items()
    }
    return replace(architecture, nodes=changed(architecture.nodes), cells=cells)


def transferable(
    source: Network, architecture: Architecture, input_shape: Shape
) -> dict[str, Tensor]:
    """The weights of a trained network with which another one can begin: all but its heads.

    The layers of both, dropout left out, are taken in turn; one gets the weights of the other where
    they are equal and read as many values.

    Args:
        source: Trained.
        architecture: Of the other one, with its dropout.
        input_shape: (channels, height, width) of its images.

    Returns:
        The weights by their names in the other network's state.
    """
    state = source.state_dict()
    wanted = Network(architecture, input_shape, torch.Generator()).state_dict()
    taken: dict[str, Tensor] = {}
    for (old, old_place), (new, new_place) in zip(
        _layers(source.architecture), _layers(architecture), strict=False
    ):
        if old.text != new.text or find_op(new.op).is_head:
            continue
        names = {
            name.replace(f"layers.{old_place}.", f"layers.{new_place}.", 1): name
            for name in state
            if name.startswith(f"layers.{old_place}.")
        }
        if all(state[name].shape == wanted[target].shape for target, name in names.items()):
            taken |= {target: state[name] for target, name in names.items()}
    return taken


def _layers(architecture: Architecture) -> list[tuple[Node, int]]:
    """The layers that are not dropout, with their positions."""
    nodes = enumerate(architecture.expanded.nodes)
    return [(node, position) for position, node in nodes if node.op != DROPOUT]
