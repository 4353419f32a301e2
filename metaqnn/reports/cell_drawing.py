"""A cell as a drawing: operations on edges, sums and concatenations where they end."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree as xml

from metaqnn.networks.ops.base import PLAIN
from metaqnn.reports.cell_graph import (
    END,
    OUTPUT,
    Edge,
    Place,
    Vertex,
    columns_of,
    edges_of,
    lay_out,
    way_of,
    words_of,
)
from metaqnn.reports.svg import HEAD, add_box, add_head, add_line, add_text
from state_space import Cell, Node
from state_space.nodes import SIDE_BY_SIDE

MARGIN = 14

TITLE = 26
"""Height of the cell's name."""

CHARACTER = 6.6
"""Width of a character, about."""

PILL = 19
"""Height of an op on an edge."""

PORT = 25
"""Between two edges that end in one vertex."""

APART = 16
"""Between two vertices of a column."""

BEND = 46
"""In which edges go from one height to another, before each column."""

ENDING = 20
"""Between the op on an edge, and where the edge ends."""

RADIUS, DOT = 12, 4
"""Of sums, and of other outputs that several read."""

BESIDE = 6
"""Between two ops on one edge."""


class _Look(NamedTuple):
    """How a vertex looks: a circle of a radius, or a box where it is 0."""

    words: str
    width: float
    radius: float
    fill: str


def draw_cell(
    name: str, cell: Cell, labels: Sequence[str] = ()
) -> tuple[xml.Element, float, float]:
    """A group of svg elements, with its width and height: from the inputs to the output.

    Args:
        name: Of the cell.
        cell: What to draw.
        labels: What its inputs are called, if they are not just counted.
    """
    edges = edges_of(cell)
    looks = {vertex: _look(cell, vertex, labels) for vertex in columns_of(edges)}
    ends: defaultdict[Vertex, int] = defaultdict(int)
    for edge in edges:
        ends[edge.target] += 1
    sizes: dict[Vertex, float] = {
        vertex: max(2 * RADIUS, PORT * ends[vertex]) + APART for vertex in looks
    }
    column = columns_of(edges)
    layout = lay_out(edges, sizes, PILL)
    top = min(layout.heights[place] - _room(place, column, sizes) for place in layout.heights)
    bottom = max(layout.heights[place] + _room(place, column, sizes) for place in layout.heights)
    heights = {place: y - top + TITLE for place, y in layout.heights.items()}
    lefts, middles, rights = _columns(cell, edges, looks, column)
    part = xml.Element("g")
    title = f"{name}({', '.join(cell.parameters)})" if cell.parameters else name
    text = add_text(part, MARGIN, 16, title, "currentColor")
    text.set("font-weight", "600")
    text.set("text-anchor", "start")
    above = xml.Element("g")
    by_target: defaultdict[Vertex, list[Edge]] = defaultdict(list)
    for edge in edges:
        by_target[edge.target].append(edge)
    for target, ending in by_target.items():
        ending.sort(key=lambda edge: heights[way_of(edge, column)[-2]])
        for number, edge in enumerate(ending):
            shift = PORT * (number - (len(ending) - 1) / 2)
            way = way_of(edge, column)
            x, y = _draw_way(part, way, heights, lefts, middles, rights, looks, shift)
            right = middles[column[target]] - looks[target].width / 2
            _draw_end(above, cell, edge, (x, y), (right, heights[way[-1]]), looks[target])
    for vertex, look in looks.items():
        x, y = middles[column[vertex]], heights[(vertex, column[vertex])]
        _draw_vertex(above, look, x, y, max(1, ends[vertex]))
    last = END if END in looks else cell.outputs[0]
    width = rights[-1] + MARGIN
    if last == END or cell.nodes[int(last)].op != OUTPUT:
        x, y = middles[column[last]] + looks[last].width / 2, heights[(last, column[last])]
        width += ENDING
        add_line(part, f"M{x:g} {y:g}H{width - MARGIN - HEAD:g}")
        add_head(part, width - MARGIN, y)
    part.extend(above)
    return part, max(width, 2 * MARGIN + CHARACTER * len(title)), bottom - top + TITLE


def _look(cell: Cell, vertex: Vertex, labels: Sequence[str]) -> _Look:
    if vertex == END:
        words, fill = words_of(Node(SIDE_BY_SIDE, (), ()))
    elif int(vertex) < 0:
        words, fill = f"input {-int(vertex)}" if cell.inputs > 1 else "input", PLAIN
        words = labels[-1 - int(vertex)] if labels else words
    else:
        node = cell.nodes[int(vertex)]
        if len(node.inputs) == 1 and node.op != OUTPUT:
            return _Look("", 2 * DOT, DOT, "currentColor")
        words, fill = words_of(node)
        if len(words) == 1:
            return _Look(words, 2 * RADIUS, RADIUS, PLAIN)
    return _Look(words, CHARACTER * len(words) + 16, 0, fill)


def _room(place: Place, column: dict[Vertex, int], sizes: dict[Vertex, float]) -> float:
    vertex, at = place
    return (sizes[vertex] if column[vertex] == at else PILL) / 2


def _pill_width(words: str) -> float:
    return CHARACTER * len(words) + 12


def _pills(cell: Cell, edge: Edge) -> list[tuple[str, str]]:
    """What stands on an edge, with its colours."""
    return [words_of(cell.nodes[position]) for position in edge.nodes]


def _columns(
    cell: Cell, edges: Sequence[Edge], looks: dict[Vertex, _Look], column: dict[Vertex, int]
) -> tuple[list[float], list[float], list[float]]:
    """Of every column where it begins, where the middle of its vertices is, and where it ends."""
    lefts, middles, rights = [], [], []
    x: float = MARGIN - BEND
    for number in range(max(column.values()) + 1):
        widest = 0.0
        for edge in edges:
            if column[edge.target] == number and edge.nodes:
                pills = [_pill_width(words) + BESIDE for words, _ in _pills(cell, edge)]
                widest = max(widest, sum(pills) - BESIDE + ENDING)
        width = max(looks[vertex].width for vertex in looks if column[vertex] == number)
        lefts.append(x + BEND)
        middles.append(x + BEND + (widest or 2 * HEAD) * (number > 0) + width / 2)
        x = middles[-1] + width / 2
        rights.append(x)
    return lefts, middles, rights


def _draw_way(
    root: xml.Element,
    way: Sequence[Place],
    heights: dict[Place, float],
    lefts: Sequence[float],
    middles: Sequence[float],
    rights: Sequence[float],
    looks: dict[Vertex, _Look],
    shift: float,
) -> tuple[float, float]:
    """The line up to the column where it ends; returns its end."""
    (source, first), *passed, (_, last) = way
    x, y = middles[first] + looks[source].width / 2, heights[way[0]]
    path = f"M{x:g} {y:g}H{rights[first]:g}"
    x = rights[first]
    for place in (*passed, way[-1]):
        left = lefts[place[1]]
        below = heights[place] + (shift if place[1] == last else 0)
        handle = (left - x) / 2
        path += f"C{x + handle:g} {y:g} {left - handle:g} {below:g} {left:g} {below:g}"
        x, y = left, below
        if place[1] != last:
            x = rights[place[1]]
            path += f"H{x:g}"
    add_line(root, path)
    return x, y


def _draw_end(
    root: xml.Element,
    cell: Cell,
    edge: Edge,
    start: tuple[float, float],
    end: tuple[float, float],
    look: _Look,
) -> None:
    """The ops of an edge, and the arrow into its vertex."""
    pills = _pills(cell, edge)
    (x, y), (right, middle) = start, end
    height = middle if look.radius else y
    if pills:
        widths = [_pill_width(words) for words, _ in pills]
        left = right - ENDING - sum(widths) - BESIDE * (len(pills) - 1)
        add_line(root, f"M{x:g} {y:g}H{right - ENDING:g}")
        for (words, fill), width in zip(pills, widths, strict=True):
            add_box(root, left, y - PILL / 2, width, PILL, fill, PILL / 2)
            add_text(root, left + width / 2, y + 4, words)
            left += width + BESIDE
        x = right - ENDING
    elif right - ENDING > x:
        add_line(root, f"M{x:g} {y:g}H{right - ENDING:g}")
        x = right - ENDING
    add_line(root, f"M{x:g} {y:g}L{right - HEAD:g} {height:g}")
    add_head(root, right, height)


def _draw_vertex(root: xml.Element, look: _Look, x: float, y: float, ends: int) -> None:
    if look.radius:
        circle = {"cx": f"{x:g}", "cy": f"{y:g}", "r": f"{look.radius:g}", "fill": look.fill}
        circle |= {"stroke": "currentColor"}
        xml.SubElement(root, "circle", circle)
    else:
        height = max(2 * RADIUS, PORT * ends)
        add_box(root, x - look.width / 2, y - height / 2, look.width, height, look.fill, 7)
    if look.words:
        add_text(root, x, y + 4, look.words).set("font-weight", "600")
