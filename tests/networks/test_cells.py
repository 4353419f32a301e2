"""Networks with cells: they are what is written out, and bounded before anything is allocated."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import metaqnn
from metaqnn.cli import main
from metaqnn.models.formats import FORMATS, export
from metaqnn.models.model import Facts
from metaqnn.models.transfer import transferable, with_classes
from metaqnn.networks.build import Network
from metaqnn.networks.cost import ShapeError, layer_costs, size_metrics
from metaqnn.networks.memory import activation_bytes
from metaqnn.networks.notation import read
from metaqnn.training.recipe import Recipe
from state_space import Architecture, Cell, NestingError, Node
from state_space.canonical import canonical
from state_space.notation import NotationError
from tests.helpers.networks import CLASSES, through_everything

MOTIFS = (
    "[CB(4,3,3,1,1), N(4)@0,-1, N(6)@1,0, M@1,1, GAP(10)] rate=0.5 "
    "where M = [CB(6,3,3,1,1), ADD@-1,-2, AP(3,3,1,1)@0] -> 1,2 "
    "where N(F) = [CB(F,3,3,1,1), M@0,0, CB(F,1,1,1,1)@-2, CAT@1,2]"
)
"""Cells in cells, with and without parameters, with one output and with two."""

WRITTEN_OUT = (
    "[CB(4,3,3,1,1), "
    # N(4)@0,-1 with its M
    "CB(4,3,3,1,1)@0, CB(6,3,3,1,1), ID@1, ADD@1,3, AP(3,3,1,1)@2, CAT@4,5, CB(4,1,1,1,1)@-1, "
    "CAT@6,7, "
    # N(6)@1,0
    "CB(6,3,3,1,1)@8, CB(6,3,3,1,1), ID@9, ADD@9,11, AP(3,3,1,1)@10, CAT@12,13, CB(6,1,1,1,1)@0, "
    "CAT@14,15, "
    # M@1,1
    "CB(6,3,3,1,1)@8, ID@8, ADD@8,18, AP(3,3,1,1)@17, CAT@19,20, GAP(10)] rate=0.5"
)


def flat_text(text):
    """The text with @ where it need not be."""
    return read(text).text


def test_a_network_written_out_by_hand():
    assert read(MOTIFS).expanded == read(WRITTEN_OUT)
    assert read(MOTIFS).expanded.text == flat_text(WRITTEN_OUT)
    assert canonical(read(MOTIFS)) == canonical(read(WRITTEN_OUT))


OPS_OF_IMAGES = ["CB({},3,1,1,1)", "C({},3,1)", "P(1,1)", "MP(3,3,1,1)", "BN", "CAT", "ID", "ADD"]


@st.composite
def graph_of(draw, cells, values, inputs, size):
    """Nodes that read up to so many inputs."""
    nodes = []
    for position in range(draw(st.integers(1, size))):
        sources = st.integers(-inputs, position - 1)
        names = sorted(cells)
        if names and draw(st.booleans()):
            name = draw(st.sampled_from(names))
            cell = cells[name]
            args = tuple(draw(st.sampled_from(values)) for _ in cell.parameters)
            least = max(1, cell.inputs)
            read_from = draw(st.lists(sources, min_size=least, max_size=least + 1))
            nodes.append(Node(name, args, tuple(read_from)))
            continue
        name = draw(st.sampled_from(OPS_OF_IMAGES)).partition("(")[0]
        filters = draw(st.sampled_from(values))
        args = {"CB": (filters, 3, 1, 1, 1), "C": (filters, 3, 1), "P": (1, 1), "MP": (3, 3, 1, 1)}
        most = 1 if name == "ADD" else 2
        read_from = draw(st.lists(sources, min_size=1, max_size=most, unique=True))
        nodes.append(Node(name, args.get(name, ()), tuple(read_from)))
    return tuple(nodes)


@st.composite
def nested(draw):
    """Networks whose cells use those before them."""
    cells = {}
    for name in ("A", "B2", "Cell_c")[: draw(st.integers(1, 3))]:
        parameters = draw(st.sampled_from([(), ("F",), ("F", "G")]))
        nodes = draw(graph_of(cells, [2, *parameters], 2, 3))
        places = st.integers(0, len(nodes) - 1)
        outputs = draw(st.lists(places, min_size=1, max_size=2, unique=True))
        cells[name] = Cell(parameters, nodes, tuple(outputs))
    nodes = draw(graph_of(cells, [1, 3], 1, 4))
    nodes = (*nodes, Node("SM", (3,), (len(nodes) - 1,)))
    rate = draw(st.sampled_from([{}, {"rate": 0.5}]))
    return Architecture(nodes, (len(nodes) - 1,), rate, cells)


def terms(nodes, cells, inputs, values):
    """What every node computes, as nested tuples; the meaning of cells, without positions."""
    made = []
    for node in nodes:
        sources = [made[i] if i >= 0 else inputs[-1 - i] for i in node.inputs]
        args = tuple(values.get(value, value) for value in node.args)
        if node.op in cells:
            cell = cells[node.op]
            inner = terms(cell.nodes, cells, sources, dict(zip(cell.parameters, args, strict=True)))
            found = [inner[output] for output in cell.outputs]
            made.append(found[0] if len(found) == 1 else ("CAT", (), *found))
        elif node.op == "ID" and len(sources) == 1:
            made.append(sources[0])
        else:
            made.append((node.op, args, *sources))
    return made


@settings(max_examples=150, deadline=None)
@given(nested())
def test_what_is_written_out_computes_the_same(network):
    flat = network.expanded
    assert not flat.cells and flat.settings == network.settings
    assert (
        terms(flat.nodes, {}, ["images"], {})[flat.outputs[0]]
        == (terms(network.nodes, network.cells, ["images"], {})[-1])
    )


@settings(max_examples=100, deadline=None)
@given(nested())
def test_texts_come_back(network):
    assert read(network.text) == network
    assert read(network.text).text == network.text
    assert read(network.text).digest == network.digest
    assert read(network.expanded.text) == network.expanded


@settings(max_examples=40, deadline=None)
@given(nested())
def test_costs_weights_and_outputs_are_those_of_the_network_written_out(network):
    flat, shape = read(network.expanded.text), (2, 4, 4)
    assert layer_costs(network, shape) == layer_costs(flat, shape)
    # the density is that of the cells
    cells, layers = ({**size_metrics(own, shape), "density": 0} for own in (network, flat))
    assert cells == layers
    assert activation_bytes(network, shape) == activation_bytes(flat, shape)
    recipe = Recipe()
    assert recipe.dress(network).expanded == recipe.dress(flat)
    built, written = (
        Network(each, shape, torch.Generator().manual_seed(3)).eval() for each in (network, flat)
    )
    weights = written.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in built.state_dict().items())
    assert len(weights) == len(built.state_dict())
    images = torch.randn(2, *shape)
    assert torch.equal(built(images), written(images))
    assert transferable(built, flat, shape).keys() == transferable(written, network, shape).keys()
    assert with_classes(network, 7).expanded == with_classes(flat, 7)


def test_the_digest_covers_the_cells():
    network = read("[A, B, SM(2)] where A = [BN] where B = [ID]")
    variants = [
        network,
        read("[A, B, SM(2)] where B = [BN] where A = [ID]"),
        read("[A, B, SM(2)] where A = [BN, BN] where B = [ID]"),
        read("[A, B, SM(2)] where A = [BN, BN] -> 0,1 where B = [ID]"),
        network.expanded,
    ]
    assert len({variant.digest for variant in variants}) == len(variants)
    other_order = Architecture(
        network.nodes, network.outputs, {}, dict(reversed(network.cells.items()))
    )
    assert other_order == network
    assert (other_order.text, other_order.digest) == (network.text, network.digest)
    # as it was before there were cells
    assert read("[C(8,3,1), SM(10)]").digest == "241fd64025b550b4728eb93de39b453b"


def tower(depth, width):
    """Cells in cells, each of so many of the next."""
    cells = [f"where N{n} = [{', '.join([f'N{n + 1}'] * width)}]" for n in range(depth)]
    return f"[N0] {' '.join(cells)} where N{depth} = [ID]"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[A] where A = [A]", ": a cell cannot stand in itself: A uses A"),
        ("[A] where A = [BN, B] where B = [A]", ": a cell cannot stand in itself: "),
        (tower(9, 11), "written out, the network has 2,357,947,691 connections, more than 100,000"),
        (tower(101, 1), "cells stand in each other more than 100 deep"),
        ("[A] where A = [ADD@-1,-3]", "A has 1 inputs, the cell reads 3"),
        ("[A(1)] where A = [ID]", "character 3: A takes (), 0 numbers, not 1"),
        ("[A(0)] where A(F) = [FC(F)]", "character 4: F of A must be 1 or more, not '0'"),
        ("[A(F)] where A(F) = [FC(F)]", "character 4: F of A must be 1 or more, not 'F'"),
        ("[A(1)] where A(F) = [FC(G)]", "character 25: units of FC must be 1 or more, not 'G'"),
        ("[A(1,2)] where A(F,F) = [FC(F)]", "character 18: parameters of A have the same name"),
        ("[A] where A = [ID] where A = [BN]", "character 26: A stands here twice"),
        ("[BN] where BN = [ID]", "character 12: BN is a layer, and cannot be a cell"),
        ("[A] where A = [X]", "character 16: unknown layer 'X', known: C, P, "),
        ("[A] where A = [ID] rate=1.0", "character 19: nothing may follow"),
        ("[A] where A [ID]", "character 2: unknown layer 'A'"),
        ("[BN@-1,-1, SM(1)]", "character 8: -1 stands here twice"),
    ],
)
def test_cells_that_make_no_network_are_refused(text, problem):
    with pytest.raises(NotationError) as error:
        read(text)
    assert problem in str(error.value)


def test_what_no_text_was_read_of_is_refused_as_well():
    network = read("[A, SM(2)] where A = [BN]")
    in_itself = replace(network, cells={"A": Cell((), (Node("A", (), (-1,)),), (0,))})
    with pytest.raises(NestingError, match="A uses A"):
        in_itself.expanded  # noqa: B018
    with pytest.raises(ShapeError, match="A uses A"):
        layer_costs(in_itself, (1, 8, 8))


def test_a_layer_that_does_not_fit_is_named_as_it_is_written_out():
    problem = "layer 3, its cells written out, P(9,1): a field of 9 does not fit into 8x8"
    with pytest.raises(ShapeError, match=re.escape(problem)):
        layer_costs(read("[BN, A(9), SM(2)] where A(F) = [BN, P(F,1)]"), (1, 8, 8))
    problem = "layer 1, its cells written out, D(3,2): D(i,n) is the i-th of n dropouts"
    with pytest.raises(ShapeError, match=re.escape(problem)):
        layer_costs(read("[A(3), SM(2)] where A(I) = [D(I,2)]"), (1, 8, 8))


def test_show_writes_cells_out():
    done = CliRunner().invoke(main, ["show", MOTIFS.replace(" rate=0.5", ""), "--input", "3x8x8"])
    assert done.exit_code == 0, done.output
    for layer in read(WRITTEN_OUT).layers:
        assert f" {layer} " in done.output


@pytest.mark.slow
def test_a_network_of_cells_goes_through_everything(tmp_path):
    through_everything(read(MOTIFS.replace(" rate=0.5", "")).text, tmp_path)


@pytest.mark.slow
def test_exports_are_those_of_the_network_written_out_and_their_text_stays_short(tmp_path):
    shape = (1, 8, 8)
    images = np.random.default_rng(0).integers(0, 256, (7, *shape), np.uint8)
    for suffix in FORMATS:
        scores = []
        for number, network in enumerate((read(MOTIFS), read(WRITTEN_OUT))):
            built = Network(network, shape, torch.Generator().manual_seed(0)).eval()
            facts = Facts(network.text, shape, CLASSES, (99.5,), (55.25,))
            path = tmp_path / f"net{number}{suffix}"
            export(built, facts, path)
            assert metaqnn.load(path, trust=True).facts.architecture == network.text
            scores.append(metaqnn.load(path, trust=True).scores(images))
        assert np.array_equal(*scores), suffix
