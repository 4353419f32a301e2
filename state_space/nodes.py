"""The nodes of networks, and cells of them that stand in a network several times."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

SIDE_BY_SIDE, IDENTITY = "CAT", "ID"
"""The ops that `Architecture.expanded` adds."""

LARGEST = 100_000
"""Most connections of a network that is written with cells."""

DEEPEST = 100
"""Most cells that stand in each other."""


class NestingError(ValueError):
    """The cells of a network cannot be written out."""


@dataclass(frozen=True)
class Node:
    """One operation of a network.

    Attributes:
        op: Name of the operation, such as "C", "P" or "SM"; or of a cell.
        args: Its parameters, in the order of the notation: C(64,3,1) has (64, 3, 1). Inside of a
            cell they may be names of the cell's parameters.
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
class Cell:
    """A part of a network that stands in it several times, under a name.

    A node whose op is the name stands for the whole cell; its inputs are -1, -2, ... inside.

    Attributes:
        parameters: Names of its parameters.
        nodes: Every node reads only nodes before it, or inputs.
        outputs: Positions of the nodes that are its outputs, side by side if there are several.
    """

    parameters: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    @property
    def inputs(self) -> int:
        """How many inputs a use must have at least."""
        return max(0, max(-source for node in self.nodes for source in node.inputs))

    @property
    def text(self) -> str:
        """Behind its name: "(F) = [C(F,3,1), C(F,3,1)@-2] -> 0,1"."""
        parameters = f"({','.join(self.parameters)})" if self.parameters else ""
        return f"{parameters} = {graph_text(self.nodes, self.outputs)}"


def check_cells(nodes: Sequence[Node], cells: Mapping[str, Cell]) -> None:
    """See that cells can be written out, of which nothing is done.

    Raises:
        NestingError: A use does not fit its cell, a cell stands in itself, or cells in each other
            too deep; or there are too many connections.
    """
    used: dict[str, set[str]] = {name: set() for name in cells}
    for name, own in [("", nodes), *((name, cells[name].nodes) for name in cells)]:
        for node in (node for node in own if node.op in cells):
            _check_use(node, cells[node.op])
            used.setdefault(name, set()).add(node.op)
    sizes: dict[str, int] = {}
    depths: dict[str, int] = {}
    try:
        for name in TopologicalSorter(used).static_order():
            cell = cells.get(name) or Cell((), tuple(nodes), ())
            depths[name] = 1 + max((depths[inner] for inner in used[name]), default=0)
            joined = len(cell.outputs) if len(cell.outputs) > 1 else 0
            sizes[name] = joined + sum(sizes.get(node.op, len(node.inputs)) for node in cell.nodes)
    except CycleError as error:
        circle = " uses ".join(reversed(error.args[1]))
        raise NestingError(f"a cell cannot stand in itself: {circle}") from None
    deepest = max(depths.values(), default=0)
    if deepest > DEEPEST:
        raise NestingError(f"cells stand in each other more than {DEEPEST} deep")
    if (size := sizes.get("", 0)) > LARGEST:
        raise NestingError(
            f"written out, the network has {size:,} connections, more than {LARGEST:,}"
        )


def _check_use(node: Node, cell: Cell) -> None:
    has, wanted = len(node.args), len(cell.parameters)
    if has != wanted:
        raise NestingError(f"{node.text} has {has} parameters, the cell {wanted}")
    has, wanted = len(node.inputs), cell.inputs
    if has < wanted:
        raise NestingError(f"{node.text} has {has} inputs, the cell reads {wanted}")


def write_out(
    nodes: Sequence[Node],
    cells: Mapping[str, Cell],
    values: Mapping[int | str, int | str],
    inputs: Sequence[int] | None,
    written: list[Node],
) -> list[int]:
    """Append nodes without cells, and return where each now stands.

    What comes twice at one node comes the second time through an identity.

    Args:
        nodes: Of a cell, or of the network.
        cells: Those that nodes stand for; see `check_cells`.
        values: Of the cell's parameters.
        inputs: What -1, -2, ... are; None where they stay what they are.
        written: Nodes without cells.
    """
    places: list[int] = []
    for node in nodes:
        args = tuple(values.get(value, value) for value in node.args)
        sources = [
            places[source] if source >= 0 else source if inputs is None else inputs[-1 - source]
            for source in node.inputs
        ]
        if node.op in cells:
            cell = cells[node.op]
            parameters: dict[int | str, int | str] = dict(zip(cell.parameters, args, strict=True))
            inner = write_out(cell.nodes, cells, parameters, sources, written)
            node, args = Node(SIDE_BY_SIDE, (), ()), ()
            sources = [inner[output] for output in cell.outputs]
            if len(sources) == 1:
                places.append(sources[0])
                continue
        for place, source in enumerate(sources):
            if source in sources[:place]:
                written.append(Node(IDENTITY, (), (source,)))
                sources[place] = len(written) - 1
        written.append(Node(node.op, args, tuple(sources)))
        places.append(len(written) - 1)
    return places


def layer_texts(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The text of every node; with what it reads, where that is not the node before it."""
    return tuple(
        node.text + ("" if node.inputs == (position - 1,) else f"@{_commas(node.inputs)}")
        for position, node in enumerate(nodes)
    )


def graph_text(nodes: Sequence[Node], outputs: tuple[int, ...]) -> str:
    """The nodes in brackets, and outputs other than the last of them."""
    text = f"[{', '.join(layer_texts(nodes))}]"
    return text if outputs == (len(nodes) - 1,) else f"{text} -> {_commas(outputs)}"


def _commas(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
