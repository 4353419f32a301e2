"""Recurrent cells are drawn as what they compute."""

from xml.etree import ElementTree as xml

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.cli import main
from metaqnn.language.named import CELLS
from metaqnn.reports.cell_graph import OUTPUT, columns_of, edges_of
from metaqnn.reports.drawing import draw
from metaqnn.reports.recurrent_drawing import as_cell, is_recurrent
from metaqnn.spaces import bind_space
from state_space import random_walk
from state_space.recurrent import tree
from tests.helpers.commands import refused

SPACES = [bind_space({"space": "recurrent", "leaves": leaves}, (1,), 10) for leaves in (2, 4, 8)]

EXAMPLE = tree([("add", "tanh"), ("mult", "relu"), ("mult", "sigmoid")], ("add", "relu"), 1, 0)
"""Of Zoph & Le 2017, section 3.4."""


def words(svg):
    """All texts of a drawing."""
    return sorted(
        text.text for text in xml.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    )


def test_the_worked_example_is_drawn_as_its_equations():
    """Tanh of a leaf and c are added, both sides get a ReLU, h is the sigmoid of the product."""
    found = words(draw(EXAMPLE, None))
    maps = ["W₁x + V₁h", "W₂x × V₂h"]
    assert found == sorted(
        ["a step", "c", "next c", "next h", *maps, "+", "×", "tanh", "ReLU", "ReLU", "sigmoid"]
    )


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SPACES), st.integers(0, 2**32))
def test_every_leaf_and_every_node_of_a_tree_is_there_once(space, seed):
    cell = space.architecture(random_walk(space, np.random.default_rng(seed)))
    drawn, labels = as_cell(cell)
    assert sum("h" in label for label in labels) == space.leaves
    ends = [node for node in drawn.nodes if node.op == OUTPUT]
    assert [node.args[0] for node in ends] == ["next h", "next c"]
    combined = [node for node in drawn.nodes if len(node.inputs) == 2]
    assert len(combined) == space.leaves - 1 + 1  # and the injection
    activations = sum(len(node.inputs) == 1 and node.op != OUTPUT for node in drawn.nodes)
    assert activations == sum(len(node.inputs) == 1 and node.op != "LIN" for node in cell.nodes)
    columns = columns_of(edges_of(drawn))
    assert all(columns[edge.source] < columns[edge.target] for edge in edges_of(drawn))
    assert "next h" in words(draw(cell, None))


@pytest.mark.parametrize("name", CELLS)
def test_cells_with_a_name_are_drawn(name):
    assert is_recurrent(CELLS[name]())
    assert "next h" in words(draw(CELLS[name](), None))


def test_show_says_the_equations_and_draws(tmp_path):
    def show(*arguments):
        return CliRunner().invoke(main, ["show", *map(str, arguments)])

    text = "add tanh, mult relu | mult sigmoid | inject add relu at 0, memory 1"
    done = show(text, "--svg", tmp_path / "cell.svg")
    lines = done.output.splitlines()
    assert "v7 = relu(v5 + c)" in lines and "next c = v8" in lines
    assert lines[-1] == "160,000 weights where input and state have 200 values each"
    assert words((tmp_path / "cell.svg").read_text()) == words(draw(EXAMPLE, None))
    assert "640,000 weights" in show("nascell").output  # 8 u (x + u)
    assert "nn.LSTM" in show("lstm").output
    refused(show("lstm", "--svg", tmp_path / "x.svg"), "there is no drawing")
    refused(show("add tanh, mult relu | mult sigmoid | inject add"), "must end like")
