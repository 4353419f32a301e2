"""A cell as a graph to be drawn: operations on edges, sums and concatenations as vertices."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metaqnn.networks.ops import OPS
from metaqnn.networks.ops.base import BLUE, GREEN, ORANGE, PLAIN, PURPLE
from state_space import Cell, Node

END = "end"
"""The vertex of several outputs, side by side."""

OUTPUT = "OUT"
"""Of nodes that stand for what a cell hands on, by a name that is their argument."""

SYMBOLS = {
    "ADD": ("+", PLAIN),
    "MUL": ("×", PLAIN),
    "LARGER": ("max", PLAIN),
    "MEAN": ("mean", PLAIN),
    "HIGHWAY": ("gate", PLAIN),
    "LIN": ("linear", PURPLE),
    "TANH": ("tanh", GREEN),
    "SIGMOID": ("sigmoid", BLUE),
    "RELU": ("relu", ORANGE),
    "SIN": ("sin", PURPLE),
}
"""What a drawing says of the ops of recurrent cells, and their colours."""

Vertex = int | str
"""A node of the cell, by its position; -1, -2, ... are its inputs; or END."""

SWEEPS = 8
"""Over all columns, to have few crossings."""


@dataclass(frozen=True)
class Edge:
    """A way from one vertex to another.

    Attributes:
        source: Where it begins.
        target: Where it ends.
        nodes: Positions of the cell's nodes on it, whose ops are done on the way.
    """

    source: Vertex
    target: Vertex
    nodes: tuple[int, ...]


def edges_of(cell: Cell) -> list[Edge]:
    """The edges of a cell.

    A node with one input is done on the edge to where its output is needed; where that is in
    several places, or nowhere, the edge ends in a vertex of its own.
    """
    readers: defaultdict[int, list[Vertex]] = defaultdict(list)
    for position, node in enumerate(cell.nodes):
        for source in node.inputs:
            readers[source].append(position)
    for output in cell.outputs:
        readers[output].append(END)
    is_alone = len(cell.outputs) == 1
    passed = {
        position
        for position, node in enumerate(cell.nodes)
        if len(node.inputs) == 1
        and len(readers[position]) == 1
        and not (is_alone and readers[position] == [END])
    }

    def edge(source: int, target: Vertex, nodes: tuple[int, ...]) -> Edge:
        while source in passed:
            source, nodes = cell.nodes[source].inputs[0], (source, *nodes)
        return Edge(source, target, nodes)

    found = []
    for position, node in enumerate(cell.nodes):
        if position not in passed:
            own = (position,) if len(node.inputs) == 1 and node.op != OUTPUT else ()
            found += [edge(source, position, own) for source in node.inputs]
    if not is_alone:
        found += [edge(output, END, ()) for output in cell.outputs]
    return found


def columns_of(edges: Sequence[Edge]) -> dict[Vertex, int]:
    """How many edges the longest way to each vertex has."""
    columns: dict[Vertex, int] = defaultdict(int)
    # edges come in the order of their targets, each behind those of its source
    for edge in edges:
        columns[edge.target] = max(columns[edge.target], columns[edge.source] + 1)
        columns.setdefault(edge.source, 0)
    return dict(columns)


Place = tuple[Vertex, int]
"""A vertex, or what passes a column on its way from it: the vertex, and the column."""


@dataclass(frozen=True)
class Layout:
    """Where everything of a cell stands.

    Attributes:
        columns: From left to right the places of each, from top to bottom.
        heights: By place the height of its middle.
    """

    columns: list[list[Place]]
    heights: Mapping[Place, float]


def lay_out(edges: Sequence[Edge], sizes: Mapping[Vertex, float], passing: float) -> Layout:
    """Put the vertices into columns, with few crossings and few bends.

    An edge that goes past columns has a place in each, which all edges of its source share.

    Args:
        edges: Of the cell.
        sizes: By vertex how high it is, with the room around it.
        passing: How high what passes is.
    """
    column = columns_of(edges)
    places: dict[Place, None] = {(vertex, column[vertex]): None for vertex in column}
    links: set[tuple[Place, Place]] = set()
    for edge in edges:
        way = way_of(edge, column)
        places.update(dict.fromkeys(way))
        links.update(zip(way, way[1:], strict=False))
    columns: list[list[Place]] = [[] for _ in range(max(column.values()) + 1)]
    for place in places:
        columns[place[1]].append(place)
    before, behind = defaultdict(list), defaultdict(list)
    for one, other in links:
        before[other].append(one)
        behind[one].append(other)
    ranks = {place: float(rank) for group in columns for rank, place in enumerate(group)}
    for sweep in range(SWEEPS):
        forwards = sweep % 2 == 0
        near = before if forwards else behind
        for group in columns if forwards else reversed(columns):
            wanted = {
                place: _mean((ranks[n] for n in near[place]), ranks[place]) for place in group
            }
            group.sort(key=wanted.__getitem__)
            ranks |= {place: rank for rank, place in enumerate(group)}
    size = {place: sizes[place[0]] if column[place[0]] == place[1] else passing for place in places}
    heights: dict[Place, float] = {}
    for group in columns:
        heights |= _spread([0.0] * len(group), group, size)
    for sweep in range(SWEEPS):
        for group in columns if sweep % 2 == 0 else reversed(columns):
            beside = [(*before[place], *behind[place]) for place in group]
            near_by = [
                _mean((heights[n] for n in each), heights[place])
                for place, each in zip(group, beside, strict=True)
            ]
            heights |= _spread(near_by, group, size)
    return Layout(columns, heights)


def way_of(edge: Edge, columns: Mapping[Vertex, int]) -> list[Place]:
    """The places of an edge, from its source to its target."""
    passed = range(columns[edge.source], columns[edge.target])
    return [*((edge.source, place) for place in passed), (edge.target, columns[edge.target])]


def words_of(node: Node) -> tuple[str, str]:
    """What a drawing says of a node in a cell, and its colour."""
    if node.op == OUTPUT:
        return str(node.args[0]), PLAIN
    op = OPS.get(node.op)
    if op is None or len(op.parameters) != len(node.args):
        return SYMBOLS.get(node.op, (node.text, PLAIN))
    strides = [
        value
        for name, value in zip(op.parameters, node.args, strict=True)
        if name.startswith("stride") and value != 1
    ]
    words = op.brief.format(*node.args) if op.brief else node.text
    return words + (f" /{strides[0]}" if strides and op.brief else ""), op.fill


def _mean(values: Iterable[float], otherwise: float) -> float:
    found = list(values)
    return sum(found) / len(found) if found else otherwise


def _spread(
    wanted: Sequence[float], group: Sequence[Place], size: Mapping[Place, float]
) -> dict[Place, float]:
    """Heights as near as can be to those wanted, with room for each, in the group's order.

    The sum of squares is least: without the room it is a regression that does not fall.
    """
    starts, total = [], 0.0
    for place in group:
        starts.append(total + size[place] / 2)
        total += size[place]
    blocks: list[tuple[float, int]] = []
    for want, start in zip(wanted, starts, strict=True):
        blocks.append((want - start, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (one, many), (other, more) = blocks[-2:]
            blocks[-2:] = [((one * many + other * more) / (many + more), many + more)]
    shifts = [shift for shift, many in blocks for _ in range(many)]
    return {place: shift + start for place, shift, start in zip(group, shifts, starts, strict=True)}
