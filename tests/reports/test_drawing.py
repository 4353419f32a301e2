"""Drawings of networks: cells as graphs, beside how they are stacked."""

from collections import Counter, defaultdict
from xml.etree import ElementTree as xml

from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.cli import main
from metaqnn.networks.notation import read
from metaqnn.reports.cell_graph import END, columns_of, edges_of, lay_out, way_of
from metaqnn.reports.drawing import draw
from state_space import Cell, Node
from tests.helpers.commands import refused

NETWORK = (
    "[CB(8,3,3,1,1), Normal(8)@0,-1, Normal(8)@1,0, Normal(8)@2,1, Halves(16)@3,2, Motif, SM(10)] "
    "where Normal(F) = [RC(F,1,1,1,1), RC(F,1,1,1,1)@-2, SC(F,5,1)@0, SC(F,3,1)@1, ADD@2,3, "
    "AP(3,3,1,1)@0, ID@4, ADD@5,6] -> 4,7 "
    "where Halves(F) = [MP(3,3,2,2), RC(F,1,7,1,1), RC(F,7,1,1,1), FR(F)@-2, ADD@2,3] "
    "where Motif = [Inner, Inner@-1, CAT@0,1] where Inner = [BN, RELU]"
)


def drawn(text, shape=(3, 8, 8)):
    return xml.fromstring(draw(read(text), shape))


def words(element):
    return [text.text for text in element.iter("{http://www.w3.org/2000/svg}text")]


def test_edges_of_a_cell_by_hand():
    cell = read(NETWORK).cells["Normal"]
    assert [(edge.source, edge.target, edge.nodes) for edge in edges_of(cell)] == [
        (-1, 0, (0,)),
        (0, 4, (2,)),
        (-2, 4, (1, 3)),
        (0, 7, (5,)),
        (4, 7, (6,)),
        (4, END, ()),
        (7, END, ()),
    ]
    halves = read(NETWORK).cells["Halves"]
    assert [(edge.source, edge.target, edge.nodes) for edge in edges_of(halves)] == [
        (-1, 4, (0, 1, 2)),
        (-2, 4, (3,)),
    ]


@st.composite
def cells(draw):
    """Any nodes that read up to two inputs, or each other."""
    nodes = []
    for position in range(draw(st.integers(1, 14))):
        read_from = draw(st.lists(st.integers(-2, position - 1), min_size=1, max_size=3))
        nodes.append(Node("ADD" if len(read_from) > 1 else "BN", (), tuple(read_from)))
    outputs = draw(st.lists(st.integers(0, len(nodes) - 1), min_size=1, max_size=3, unique=True))
    return Cell((), tuple(nodes), tuple(outputs))


@settings(max_examples=200, deadline=None)
@given(cells())
def test_the_edges_are_the_connections_of_the_cell(cell):
    found = Counter()
    for edge in edges_of(cell):
        inner = edge.nodes[:-1] if edge.nodes and edge.nodes[-1] == edge.target else edge.nodes
        found.update(zip((edge.source, *inner), (*inner, edge.target), strict=True))
    expected = Counter((source, at) for at, node in enumerate(cell.nodes) for source in node.inputs)
    if len(cell.outputs) > 1:
        expected.update((output, END) for output in cell.outputs)
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(cells())
def test_nothing_stands_on_something_else_and_edges_go_to_the_right(cell):
    edges = edges_of(cell)
    columns = columns_of(edges)
    assert all(columns[edge.source] < columns[edge.target] for edge in edges)
    sizes = {vertex: 20.0 + 3 * len(str(vertex)) for vertex in columns}
    layout = lay_out(edges, sizes, 7.0)
    assert {way for edge in edges for way in way_of(edge, columns)} == layout.heights.keys()
    by_column = defaultdict(list)
    for (vertex, column), height in layout.heights.items():
        size = sizes[vertex] if columns[vertex] == column else 7.0
        by_column[column].append((height, size))
    for places in by_column.values():
        places.sort()
        for (one, size), (other, more) in zip(places, places[1:], strict=False):
            assert other - one >= (size + more) / 2 - 1e-6


def test_a_drawing_has_the_skeleton_and_every_cell_once():
    found = words(drawn(NETWORK))
    skeleton = found[: found.index("Normal(F)")]
    assert [skeleton.count(word) for word in ("Normal", "Halves", "Motif", "images")] == [1] * 4
    assert "3 times" in skeleton and "F = 8" in skeleton and "F = 16" in skeleton
    assert [found.count(title) for title in ("Normal(F)", "Halves(F)")] == [1, 1]
    # once as a title, and twice on the edges of the cell in which it stands
    assert (found.count("Motif"), found.count("Inner")) == (2, 3)
    for text, times in {
        "separable 5×5": 1,
        "separable 3×3": 1,
        "conv 1×1": 2,
        "average 3×3": 1,
        "identity": 1,
        "max 3×3 /2": 1,
        "conv 1×7": 1,
        "conv 7×1": 1,
        "factorised": 1,
        "+": 3,
        "concatenation": 2,
        "input 1": 2,
        "input 2": 2,
    }.items():
        assert found.count(text) == times, text


def test_shapes_and_parameters_of_a_box_are_those_of_all_its_cells():
    found = words(drawn(NETWORK))
    # 1x1 convolutions of 8 and 3 channels, and two separable ones of two rounds; then of 16
    first = (64 + 16) + (24 + 16) + 2 * (25 * 8 + 64 + 16) + 2 * (9 * 8 + 64 + 16)
    second = (128 + 16) + (64 + 16) + 2 * (25 * 8 + 64 + 16) + 2 * (9 * 8 + 64 + 16)
    third = second + 64
    assert f"{first + second + third:,} parameters" in found
    assert found.count("16×8×8") == 1 and "16×4×4" in found


def test_a_network_without_cells_has_a_box_a_layer():
    found = words(drawn("[C(8,3,1), C(8,3,1), ADD@0,1, SM(10)]"))
    assert [found.count(word) for word in ("convolution", "sum", "softmax", "2 times")] == [
        2,
        1,
        1,
        0,
    ]


def test_what_is_drawn_lies_within_the_drawing():
    root = drawn(NETWORK)
    width, height = (float(root.get(side)) for side in ("width", "height"))

    def check(element, x, y):
        if shift := element.get("transform"):
            across, down = shift.removeprefix("translate(").removesuffix(")").split()
            x, y = x + float(across), y + float(down)
        if element.tag.endswith("rect"):
            left, top = x + float(element.get("x")), y + float(element.get("y"))
            assert left >= 0 and left + float(element.get("width")) <= width
            assert top >= 0 and top + float(element.get("height")) <= height
        for child in element:
            check(child, x, y)

    check(root, 0.0, 0.0)


def test_show_draws(tmp_path):
    path = tmp_path / "nasnet.svg"
    done = CliRunner().invoke(main, ["show", "nasnet-a", "--svg", str(path)])
    assert done.exit_code == 0, done.output
    found = words(xml.fromstring(path.read_text()))
    assert {"Normal(F)", "NormalLarger(F)", "Reduction(F)", "5 times", "separable 5×5"} <= {*found}
    refused(
        CliRunner().invoke(main, ["show", NETWORK, "--svg", str(tmp_path / "no" / "net.svg")]),
        "cannot be written",
    )
