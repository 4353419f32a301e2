"""The graph that every search space compiles to."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from state_space.nodes import (
    Cell,
    NestingError,
    Node,
    check_cells,
    graph_text,
    layer_texts,
    write_out,
)

__all__ = ["Architecture", "Cell", "NestingError", "Node", "chain"]


@dataclass(frozen=True)
class Architecture:
    """A network as a graph of nodes in topological order.

    Attributes:
        nodes: Every node reads only nodes before it.
        outputs: Positions of the nodes that are the network's outputs.
        settings: What was decided beside the layers, such as a learning rate.
        cells: By name the cells that nodes, also those of other cells, stand for.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    settings: Mapping[str, float] = field(default_factory=dict)
    cells: Mapping[str, Cell] = field(default_factory=dict)

    @cached_property
    def text(self) -> str:
        """Canonical text: "[C(64,3,1), P(2,2), SM(10)]".

        A node that reads anything but the node before it says so ("C(64,3,1)@0,1"), and so do
        outputs other than the last node and settings, behind the list; and then the cells:
        "[N(8), N(16), SM(10)] where N(F) = [C(F,3,1), C(F,3,1)@-1] -> 0,1".
        """
        text = graph_text(self.nodes, self.outputs)
        for name, value in sorted(self.settings.items()):
            text += f" {name}={value!r}"
        for name, cell in sorted(self.cells.items()):
            text += f" where {name}{cell.text}"
        return text

    @property
    def edges(self) -> int:
        """The number of connections between nodes, those from the graph's inputs included.

        Cells count written out.
        """
        return sum(len(node.inputs) for node in self.expanded.nodes)

    @property
    def density(self) -> float:
        """Connections a node, those from inputs included.

        Of a network with cells it is that of its cells, each counted once, whatever stands around
        them.
        """
        if not self.cells:
            return self.edges / len(self.nodes)
        nodes = [node for cell in self.cells.values() for node in cell.nodes]
        return sum(len(node.inputs) for node in nodes) / len(nodes)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The text of every node; with what it reads, where that is not the node before it."""
        return layer_texts(self.nodes)

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits over all of it, the same in every process."""
        content = [*_content(self.nodes, self.outputs), sorted(self.settings.items())]
        if self.cells:
            content.append(
                [
                    [name, cell.parameters, *_content(cell.nodes, cell.outputs)]
                    for name, cell in sorted(self.cells.items())
                ]
            )
        return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()

    def check(self) -> None:
        """See that the cells can be written out, of which nothing is done.

        Raises:
            NestingError: See `check_cells`.
        """
        check_cells(self.nodes, self.cells)

    @cached_property
    def expanded(self) -> "Architecture":
        """The same network without cells.

        Raises:
            NestingError: See `check_cells`.
        """
        if not self.cells:
            return self
        written, places = self._written_out
        outputs = tuple(places[output] for output in self.outputs)
        return Architecture(written, outputs, self.settings)

    @property
    def places(self) -> tuple[int, ...]:
        """Where the output of every node stands in `expanded`; each behind those before it.

        Raises:
            NestingError: See `check_cells`.
        """
        return self._written_out[1]

    @cached_property
    def _written_out(self) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        self.check()
        written: list[Node] = []
        places = write_out(self.nodes, self.cells, {}, None, written)
        return tuple(written), tuple(places)


def chain(layers: Iterable[tuple[str, tuple[int | str, ...]]]) -> Architecture:
    """The architecture in which every layer, given as (op, args), reads the one before it."""
    nodes = tuple(Node(op, args, (position - 1,)) for position, (op, args) in enumerate(layers))
    return Architecture(nodes, (len(nodes) - 1,))


def _content(nodes: Iterable[Node], outputs: tuple[int, ...]) -> list[Any]:
    return [[[node.op, node.args, node.inputs] for node in nodes], outputs]
