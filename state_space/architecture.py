"""The graph that every search space compiles to."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Node:
    """One operation of a network.

    Attributes:
        op: Name of the operation, a key of the table of layers ("C", "P", "SM", ...).
        args: Its parameters, in the order of the notation: C(64,3,1) has (64, 3, 1).
        inputs: Positions of the nodes that it reads; -1, -2, ... are the graph's inputs.
    """

    op: str
    args: tuple[int | str, ...]
    inputs: tuple[int, ...]

    @property
    def text(self) -> str:
        """The node without its inputs: "C(64,3,1)"; "BN" where there are no parameters."""
        return f"{self.op}({','.join(map(str, self.args))})" if self.args else self.op


@dataclass(frozen=True)
class Architecture:
    """A network as a graph of nodes in topological order.

    Attributes:
        nodes: Every node reads only nodes before it.
        outputs: Positions of the nodes that are the network's outputs.
        settings: What was decided beside the layers, such as a learning rate.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    settings: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def text(self) -> str:
        """Canonical text: "[C(64,3,1), P(2,2), SM(10)]".

        A node that reads anything but the node before it says so ("C(64,3,1)@0,1"), and so do
        outputs other than the last node and settings, behind the list.
        """
        text = f"[{', '.join(self.layers)}]"
        if self.outputs != (len(self.nodes) - 1,):
            text += f" -> {_commas(self.outputs)}"
        for name, value in sorted(self.settings.items()):
            text += f" {name}={value!r}"
        return text

    @property
    def edges(self) -> int:
        """The number of connections between nodes, those from the graph's inputs included."""
        return sum(len(node.inputs) for node in self.nodes)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The text of every node; with what it reads, where that is not the node before it."""
        return tuple(
            node.text + ("" if node.inputs == (position - 1,) else f"@{_commas(node.inputs)}")
            for position, node in enumerate(self.nodes)
        )

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits over nodes, outputs and settings, the same in every process."""
        content = [
            [[node.op, node.args, node.inputs] for node in self.nodes],
            self.outputs,
            sorted(self.settings.items()),
        ]
        return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


def chain(layers: Iterable[tuple[str, tuple[int | str, ...]]]) -> Architecture:
    """The architecture in which every layer, given as (op, args), reads the one before it."""
    nodes = tuple(Node(op, args, (position - 1,)) for position, (op, args) in enumerate(layers))
    return Architecture(nodes, (len(nodes) - 1,))


def _commas(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
