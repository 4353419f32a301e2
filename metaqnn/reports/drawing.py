"""A network as a drawing: a box a layer, an arrow a connection; cells beside their skeleton."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple
from xml.etree import ElementTree as xml

from metaqnn.networks.cost import layer_costs
from metaqnn.networks.ops import OPS, LayerCost
from metaqnn.networks.ops.base import PLAIN
from metaqnn.reports.cell_drawing import draw_cell
from metaqnn.reports.recurrent_drawing import draw_recurrent, is_recurrent
from metaqnn.reports.svg import HEAD, LINE, add_box, add_head, add_line, add_text, make_svg
from metaqnn.task import Shape
from state_space import Architecture, Node

BOX_WIDTH, BOX_HEIGHT = 112, 64
GAP = 26
MARGIN = 14
"""On the left and right, for text below a box may be wider than it."""

INSET = 6
"""Of an arc's ends from the sides of its boxes, for each layer that it goes on."""

BETWEEN = 28
"""Between the drawings of cells."""

WIDEST = 1100
"""Cells stand side by side up to here, or as far as their skeleton goes."""

YELLOW = "#f6eec9"
"""Of boxes that are cells."""


class Box(NamedTuple):
    """A box of a row.

    Attributes:
        words: In it, a line each.
        fill: Its colour.
        below: Lines below it.
    """

    words: Sequence[str]
    fill: str
    below: Sequence[str]


class Drawn(NamedTuple):
    """A part of a drawing, with its size."""

    part: xml.Element
    width: float
    height: float


def draw(architecture: Architecture, input_shape: Shape | None, reads: str = "images") -> str:
    """An element svg: from the images on the left to the classes on the right.

    A recurrent cell is drawn as `draw_recurrent` does.

    Layers that do not read the one before them have arcs to those that they read. Cells are boxes
    of it, equal ones in a row one box; below stands every cell as `draw_cell` draws it. Lines and
    the text outside of boxes take the colour of the text around the drawing.

    Args:
        architecture: What to draw.
        input_shape: (channels, height, width) of the images, to write each layer's output and
            parameters below it; None where the network cannot be built.
        reads: What stands for the images.
    """
    if is_recurrent(architecture):
        return draw_recurrent(architecture)
    costs = _costs(architecture, input_shape) if input_shape else None
    inputs = max(1, *(-source for node in architecture.nodes for source in node.inputs))
    size = ["×".join(map(str, input_shape))] if input_shape else []
    boxes = [Box((reads,), PLAIN, size)] * inputs
    group_of: list[int] = []
    edges: set[tuple[int, int]] = set()
    for number, group in enumerate(_groups(architecture), start=inputs):
        group_of += [number] * len(group)
        boxes.append(_box(architecture, group, costs))
        for position in group:
            for source in architecture.nodes[position].inputs:
                start = group_of[source] if source >= 0 else inputs + source
                edges |= {(start, number)} if start != number else set()
    drawn = [_draw_row(boxes, edges, has_sizes=input_shape is not None)]
    drawn += [
        Drawn(*draw_cell(name, architecture.cells[name]))
        for name in dict.fromkeys(_used(architecture.nodes, architecture))
    ]
    return xml.tostring(_arrange(drawn, f"Drawing of {architecture.text}"), encoding="unicode")


def _costs(architecture: Architecture, input_shape: Shape) -> list[LayerCost]:
    """What every node makes and costs; a cell, all of it."""
    found, start = [], 0
    every = layer_costs(architecture, input_shape)
    for place in architecture.places:
        part = every[start : place + 1]
        found.append(LayerCost(part[-1].shape, sum(cost.parameters for cost in part)))
        start = place + 1
    return found


def _groups(architecture: Architecture) -> list[list[int]]:
    """Positions of the nodes, those of equal cells one after the other together."""

    def look(position: int) -> tuple[object, ...]:
        node = architecture.nodes[position]
        if node.op not in architecture.cells:
            return (position,)
        return node.text, tuple(source - position for source in node.inputs)

    return [list(group) for _, group in groupby(range(len(architecture.nodes)), look)]


def _box(
    architecture: Architecture, group: Sequence[int], costs: Sequence[LayerCost] | None
) -> Box:
    node = architecture.nodes[group[0]]
    op = OPS.get(node.op)
    if op and len(op.parameters) != len(node.args):
        op = None  # a space whose networks are only looked up may call any op so
    cell = architecture.cells.get(node.op)
    words = tuple(line.format(*node.args) for line in op.words) if op else (node.text,)
    if cell:
        given = zip(cell.parameters, node.args, strict=True)
        words = (node.op, *(f"{name} = {value}" for name, value in given))
    if len(group) > 1:
        words = (*words, f"{len(group)} times")
    below = []
    if costs:
        below.append("×".join(map(str, costs[group[-1]].shape)))
        parameters = sum(costs[position].parameters for position in group)
        below += [f"{parameters:,} parameters"] * (parameters > 0)
    return Box(words, YELLOW if cell else op.fill if op else PLAIN, below)


def _used(nodes: Iterable[Node], architecture: Architecture) -> Iterable[str]:
    """The names of cells that nodes stand for, and then of those in these cells."""
    names = [node.op for node in nodes if node.op in architecture.cells]
    yield from names
    for name in dict.fromkeys(names):
        yield from _used(architecture.cells[name].nodes, architecture)


def _arrange(drawn: Sequence[Drawn], label: str) -> xml.Element:
    """The row, and below it the cells, side by side where there is room."""
    row, *cells = drawn
    widest = max(row.width, WIDEST)
    corners = [(0.0, 0.0)]
    left, top, tallest = 0.0, row.height + BETWEEN, 0.0
    for cell in cells:
        if left and left + cell.width > widest:
            left, top, tallest = 0.0, top + tallest + BETWEEN, 0.0
        corners.append((left, top))
        left, tallest = left + cell.width + BETWEEN, max(tallest, cell.height)
    places = list(zip(corners, drawn, strict=True))
    width = max(x + each.width for (x, _), each in places)
    root = make_svg(width, max(y + each.height for (_, y), each in places), label)
    for (x, y), each in places:
        if (x, y) == (0, 0):
            root.extend(each.part)
        else:
            each.part.set("transform", f"translate({x:g} {y:g})")
            root.append(each.part)
    return root


def _draw_row(boxes: Sequence[Box], edges: Iterable[tuple[int, int]], *, has_sizes: bool) -> Drawn:
    """Boxes from left to right, with arrows from box to box."""
    edges = sorted(edges, key=lambda edge: (edge[1], edge[0]))
    longest = max(end - start for start, end in edges)
    top = 8 + (_rise(longest) * 0.75 if longest > 1 else 0)  # a curve stays below its handles
    part = xml.Element("g")
    for start, end in edges:
        _draw_edge(part, start, end, top)
    for place, box in enumerate(boxes):
        _draw_box(part, place, top, box)
    width = (BOX_WIDTH + GAP) * len(boxes) - GAP + 2 * MARGIN
    return Drawn(part, width, top + BOX_HEIGHT + (2 * LINE + 12 if has_sizes else 4))


def _left(place: int) -> float:
    return MARGIN + place * (BOX_WIDTH + GAP)


def _rise(length: int) -> float:
    """How high above the boxes the handles of an arc are that goes so many layers on."""
    return 18 * length + 14


def _draw_box(root: xml.Element, place: int, top: float, box: Box) -> None:
    middle = _left(place) + BOX_WIDTH / 2
    add_box(root, _left(place), top, BOX_WIDTH, BOX_HEIGHT, box.fill, 7)
    first = top + BOX_HEIGHT / 2 - LINE * (len(box.words) - 1) / 2 + 4
    for number, line in enumerate(box.words):
        text = add_text(root, middle, first + number * LINE, line)
        if number == 0:
            text.set("font-weight", "600")
    for number, line in enumerate(box.below, start=1):
        add_text(root, middle, top + BOX_HEIGHT + number * LINE + 2, line, "currentColor")


def _draw_edge(root: xml.Element, start: int, end: int, top: float) -> None:
    """An arrow from box to box: straight to the next one, in an arc to a later one."""
    if end == start + 1:
        x, y = _left(end), top + BOX_HEIGHT / 2
        add_line(root, f"M{x - GAP:g} {y:g}H{x - HEAD:g}")
        add_head(root, x, y)
        return
    # longer arcs begin and end further inside, so that those of one box do not cross
    inset = min(INSET * (end - start), BOX_WIDTH // 2)
    x, y = _left(end) + inset, top
    handle = top - _rise(end - start)
    begin = _left(start) + BOX_WIDTH - inset
    add_line(root, f"M{begin:g} {y:g}C{begin:g} {handle:g} {x:g} {handle:g} {x:g} {y - HEAD:g}")
    add_head(root, x, y, down=True)
