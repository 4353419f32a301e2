"""A network as a drawing: a box a layer, an arrow a connection."""

from xml.etree import ElementTree as xml

from metaqnn.networks.cost import layer_costs
from metaqnn.networks.ops import OPS
from metaqnn.networks.ops.base import PLAIN
from metaqnn.task import Shape
from state_space import Architecture

BOX_WIDTH, BOX_HEIGHT = 112, 64
GAP = 26
MARGIN = 14
"""On the left and right, for text below a box may be wider than it."""

INSET = 6
"""Of an arc's ends from the sides of its boxes, for each layer that it goes on."""

LINE = 15
"""Between two lines of text."""

HEAD = 5
"""Length of an arrow's head."""

BORDER, INK = "#8c959f", "#1f2328"


def draw(architecture: Architecture, input_shape: Shape | None, reads: str = "images") -> str:
    """An element svg: from the images on the left to the classes on the right.

    Layers that do not read the one before them have arcs to those that they read. Lines and the
    text outside of boxes take the colour of the text around the drawing.

    Args:
        architecture: What to draw.
        input_shape: (channels, height, width) of the images, to write each layer's output and
            parameters below it; None where the network cannot be built.
        reads: What stands for the images.
    """
    label = f"Drawing of {architecture.text}"
    architecture = architecture.expanded
    costs = layer_costs(architecture, input_shape) if input_shape else None
    inputs = max(1, *(-source for node in architecture.nodes for source in node.inputs))
    edges = [
        (inputs + source, inputs + position)
        for position, node in enumerate(architecture.nodes)
        for source in node.inputs
    ]
    longest = max(end - start for start, end in edges)
    top = 8 + (_rise(longest) * 0.75 if longest > 1 else 0)  # a curve stays below its handles
    width = (BOX_WIDTH + GAP) * (inputs + len(architecture.nodes)) - GAP + 2 * MARGIN
    height = top + BOX_HEIGHT + (2 * LINE + 12 if costs else 4)
    root = xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height:g}",
            "width": str(width),
            "height": f"{height:g}",
            "role": "img",
            "aria-label": label,
            "font-family": "system-ui, sans-serif",
            "font-size": "11.5",
            "text-anchor": "middle",
        },
    )
    for start, end in edges:
        _draw_edge(root, start, end, top)
    for place in range(inputs):
        _draw_box(root, place, top, (reads,), PLAIN)
        if input_shape:
            _write_below(root, place, top, ["×".join(map(str, input_shape))])
    for position, node in enumerate(architecture.nodes):
        place = inputs + position
        op = OPS.get(node.op)
        if op and len(op.parameters) != len(node.args):
            op = None  # a space whose networks are only looked up may call any op so
        words = tuple(line.format(*node.args) for line in op.words) if op else (node.text,)
        _draw_box(root, place, top, words, op.fill if op else PLAIN)
        if costs:
            cost = costs[position]
            lines = ["×".join(map(str, cost.shape))]
            _write_below(
                root, place, top, lines + [f"{cost.parameters:,} parameters"] * (cost[1] > 0)
            )
    return xml.tostring(root, encoding="unicode")


def _left(place: int) -> float:
    return MARGIN + place * (BOX_WIDTH + GAP)


def _rise(length: int) -> float:
    """How high above the boxes the handles of an arc are that goes so many layers on."""
    return 18 * length + 14


def _draw_box(root: xml.Element, place: int, top: float, lines: tuple[str, ...], fill: str) -> None:
    box = {"x": f"{_left(place):g}", "y": f"{top:g}", "rx": "7", "fill": fill, "stroke": BORDER}
    xml.SubElement(root, "rect", box, width=str(BOX_WIDTH), height=str(BOX_HEIGHT))
    first = top + BOX_HEIGHT / 2 - LINE * (len(lines) - 1) / 2 + 4
    for number, line in enumerate(lines):
        text = _write(root, place, first + number * LINE, line)
        text.set("fill", INK)
        if number == 0:
            text.set("font-weight", "600")


def _write_below(root: xml.Element, place: int, top: float, lines: list[str]) -> None:
    for number, line in enumerate(lines, start=1):
        _write(root, place, top + BOX_HEIGHT + number * LINE + 2, line).set("fill", "currentColor")


def _write(root: xml.Element, place: int, y: float, line: str) -> xml.Element:
    text = xml.SubElement(root, "text", x=f"{_left(place) + BOX_WIDTH / 2:g}", y=f"{y:g}")
    text.text = line
    return text


def _draw_edge(root: xml.Element, start: int, end: int, top: float) -> None:
    """An arrow from box to box: straight to the next one, in an arc to a later one."""
    if end == start + 1:
        x, y = _left(end), top + BOX_HEIGHT / 2
        line = f"M{x - GAP:g} {y:g}H{x - HEAD:g}"
        head = f"M{x:g} {y:g}l{-HEAD} {-HEAD / 2}v{HEAD}z"
    else:
        # longer arcs begin and end further inside, so that those of one box do not cross
        inset = min(INSET * (end - start), BOX_WIDTH // 2)
        x, y = _left(end) + inset, top
        handle = top - _rise(end - start)
        begin = _left(start) + BOX_WIDTH - inset
        line = f"M{begin:g} {y:g}C{begin:g} {handle:g} {x:g} {handle:g} {x:g} {y - HEAD:g}"
        head = f"M{x:g} {y:g}l{-HEAD / 2} {-HEAD}h{HEAD}z"
    look = {"stroke": "currentColor", "stroke-width": "1.3", "fill": "none"}
    xml.SubElement(root, "path", look, d=line)
    xml.SubElement(root, "path", d=head, fill="currentColor")
