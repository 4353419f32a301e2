"""A recurrent cell as a drawing: from its linear maps on the left to what it hands on."""

from xml.etree import ElementTree as xml

from metaqnn.reports.cell_drawing import draw_cell
from metaqnn.reports.cell_graph import OUTPUT, SYMBOLS
from metaqnn.reports.svg import make_svg
from state_space import Architecture, Cell, Node
from state_space.recurrent import HIDDEN, INPUT, LINEAR, MEMORY

READ = {INPUT: "x", HIDDEN: "h", MEMORY: "c"}
"""What a step reads; h and c are those of the step before."""

HANDED_ON = ("next h", "next c")

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def is_recurrent(architecture: Architecture) -> bool:
    """Whether it is a cell that linear maps read a step's input for."""
    return any(node.op == LINEAR and node.inputs == (INPUT,) for node in architecture.nodes)


def draw_recurrent(architecture: Architecture) -> str:
    """An element svg: a tree is drawn as one, with the leaves on the left.

    What combines a map of x and one of h is a box, such as W₁x + V₁h; activations stand on the
    lines, and what combines two values where they meet.
    """
    cell, labels = as_cell(architecture)
    part, width, height = draw_cell("a step", cell, labels)
    root = make_svg(width, height, f"Drawing of {architecture.text}")
    root.extend(part)
    return xml.tostring(root, encoding="unicode")


def as_cell(architecture: Architecture) -> tuple[Cell, tuple[str, ...]]:
    """A cell to be drawn, and what its inputs -1, -2, ... are called."""
    nodes = architecture.nodes
    labels: list[str] = []
    place: dict[int, int] = {}  # of what is drawn, in the cell that is drawn
    drawn: list[Node] = []
    pairs = 0

    def named(source: int) -> int:
        """The place of x, h or c, which is made where something else than a map reads it."""
        if source not in place:
            labels.append(READ[source])
            place[source] = -len(labels)
        return place[source]

    for position, node in enumerate(nodes):
        sources = [nodes[source] if source >= 0 else None for source in node.inputs]
        maps = [source.inputs[0] for source in sources if source and source.op == LINEAR]
        if len(node.inputs) == 2 and sorted(maps) == [HIDDEN, INPUT]:
            pairs += 1
            symbol = SYMBOLS[node.op][0]
            index = str(pairs).translate(SUBSCRIPTS)
            sides = (f"W{index}x", f"V{index}h")
            infix = len(symbol) == 1
            text = f" {symbol} ".join(sides) if infix else f"{symbol}({', '.join(sides)})"
            labels.append(text)
            place[position] = -len(labels)
        elif node.op != LINEAR or node.inputs[0] not in (INPUT, HIDDEN):
            inputs = tuple(place[s] if s >= 0 else named(s) for s in node.inputs)
            drawn.append(Node(node.op, (), inputs))
            place[position] = len(drawn) - 1
    for output, name in zip(architecture.outputs, HANDED_ON, strict=False):
        drawn.append(Node(OUTPUT, (name,), (place[output],)))
    first = len(drawn) - len(architecture.outputs)
    return Cell((), tuple(drawn), (first,)), tuple(labels)
