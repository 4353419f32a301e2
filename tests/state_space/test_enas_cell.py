"""ENAS's recurrent cells as a space."""

from itertools import product
from math import factorial

import numpy as np
import pytest

from metaqnn.errors import MetaqnnError
from metaqnn.language.named import CELLS
from metaqnn.language.notation import find_cell
from metaqnn.spaces import bind_space, read_space
from state_space import random_walk
from state_space.notation import NotationError

PUBLISHED = "0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"
"""The arguments of the authors' script for their best cell: the first function, then of each node
the one that it reads and its function."""

FUNCTIONS = ("tanh", "relu", "identity", "sigmoid")


def cells(nodes):
    return bind_space({"space": "enas-cell", "nodes": nodes}, (1,), 10)


def test_cells_are_as_many_as_published():
    """Section 2.1 has 4^N N!, 10^15: it lets the first node choose what it reads, too, of N."""
    space = bind_space(read_space("enas-ptb"), (1,), 10)
    assert space.size() == 4**12 * factorial(11)
    assert 12 * space.size() == 4**12 * factorial(12)
    assert f"{space.size():.0e}" == "7e+14"


def test_the_published_cell_is_that_of_its_authors():
    first, *others = map(int, PUBLISHED.split())
    pairs = [(others[place], others[place + 1]) for place in range(0, len(others), 2)]
    text = ", ".join(
        [FUNCTIONS[first], *(f"{FUNCTIONS[function]}@{source}" for source, function in pairs)]
    )
    space = bind_space(read_space("enas-ptb"), (1,), 10)
    found = space.architecture(space.parse(text))
    assert found == CELLS["enas"]() == find_cell(text)
    assert space.text(space.parse(found.text)) == text


def test_a_cell_is_the_graph_of_its_equations():
    """Two nodes read the first: their mean is the next state."""
    space = cells(3)
    assert space.architecture(space.parse("tanh, relu@0, identity@0")).text == (
        "[LIN, LIN@-2, ADD@0,1, SIGMOID, LIN@-1, LIN@-2, ADD@4,5, TANH, HIGHWAY@3,7,-2, "
        "LIN, SIGMOID, LIN@8, RELU, HIGHWAY@10,12,8, "
        "LIN@8, SIGMOID, LIN@8, HIGHWAY@15,16,8, MEAN@13,17]"
    )


def test_all_cells_of_three_nodes_are_different():
    space = cells(3)
    texts = [
        f"{first}, {second}@0, {third}@{source}"
        for first, second, third, source in product(FUNCTIONS, FUNCTIONS, FUNCTIONS, (0, 1))
    ]
    digests = {space.architecture(space.parse(text)).digest for text in texts}
    assert len(digests) == len(texts) == space.size()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["enas-ptb", "nas-ptb"])
def test_random_cells_come_back_from_their_texts(name, count):
    space = bind_space(read_space(name), (1,), 10)
    generator = np.random.default_rng(0)
    for _ in range(count):
        walk = random_walk(space, generator)
        text = space.text(walk)
        assert space.parse(text) == walk
        cell = space.architecture(walk)
        assert space.parse(cell.text) == walk
        assert find_cell(text) == cell


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tanh, relu@0", "position 4: the architecture is not complete"),
        ("tanh, relu@0, relu@1, relu@2", "position 6"),
        ("tanh, relu@1, relu@0", "position 2: read:1 is not allowed here; allowed: read:0"),
        ("tanh, relu, relu@0", "position 2"),
        ("tanh, swish@0, relu@0", "activation:swish"),
        ("", "position 1"),
        (CELLS["nascell"]().text, "-3 is not from -2"),
        ("[LIN, HIGHWAY@0,-2]", "is not a cell of this space"),
        ("[LIN, HIGHWAY@0,-1,-2]", "is not a cell of this space"),
    ],
)
def test_what_is_no_cell_is_told(text, named):
    with pytest.raises(NotationError, match=named):
        cells(3).parse(text)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"nodes": 1}, "nodes"),
        ({"nodes": 65}, "nodes"),
        ({"activations": []}, "activations"),
        ({"activations": ["swish"]}, "activations"),
        ({"leaves": 4}, "leaves"),
    ],
)
def test_impossible_keys_are_told(keys, named):
    with pytest.raises(MetaqnnError, match=named):
        bind_space({"space": "enas-cell", **keys}, (1,), 10)
