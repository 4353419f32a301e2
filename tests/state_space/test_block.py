"""Blocks of Block-QNN: the published sizes of the table, networks by hand, and by law."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn import load
from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.models.formats import FORMATS, export
from metaqnn.models.model import Facts
from metaqnn.networks.build import Network
from metaqnn.networks.cost import layer_costs, total_cost
from metaqnn.spaces import bind_space
from state_space import IllegalMove, count_architectures, enumerate_rows, random_walk
from tests.helpers.commands import refused

RESIDUAL = "conv3(0) conv3(1) add(0,2)"


def blocks(most=8, shape=(3, 32, 32), **keys):
    keys = {key.replace("_", "-"): value for key, value in keys.items()}
    return bind_space({"space": "block", "max-index": most, **keys}, shape, 10)


def drawn(space, seed):
    return random_walk(space, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("most", "ordered", "states", "pairs"),
    [
        (10, True, 1_101, 151_060),
        (12, True, 1_769, 342_688),
        (23, True, 10_305, 6_964_776),
        (10, False, 771, 71_266),
        (12, False, 1_197, 150_496),
        (23, False, 6_257, 2_465_424),
    ],
)
def test_the_table_has_as_many_states_and_pairs_as_the_codes_rules_make(
    most, ordered, states, pairs
):
    rows = blocks(most, ordered_pairs=ordered).rows()
    assert len(rows) == states
    assert sum(len(decision.options) for decision in rows.values()) == pairs


@pytest.mark.parametrize("ordered", [True, False])
def test_rows_and_size_are_those_that_walks_reach(ordered):
    space = blocks(4, ordered_pairs=ordered)
    assert space.rows() == enumerate_rows(space)
    assert space.size() == count_architectures(space)


def test_the_rules_of_the_code():
    space = blocks(3)
    start = space.initial_state()
    kinds = {space.action(token).type for token in space.decision(start).options}
    assert kinds == {"conv", "max", "avg", "identity"}  # neither pairs nor the end come first
    third = space.step(space.step(space.step(start, "conv3(0)"), "conv3(1)"), "add(0,2)")
    assert third == (3, "add", 0, 0, 2)
    assert space.decision(third).options == ("end",)
    for wrong in (("end",), ("conv3(0)", "add(1,1)", "end"), ("conv3(1)", "end")):
        with pytest.raises(IllegalMove):
            space.architecture(wrong)


def test_the_residual_block_by_hand():
    space = blocks(23)
    architecture = space.architecture(space.parse(RESIDUAL))
    assert architecture.text == (
        "[CB(32,3,3,1,1), BLOCK(32), BLOCK(32), BLOCK(32), BLOCK(32), P(2,2), RC(64,1,1,1,1), "
        "BLOCK(64), BLOCK(64), BLOCK(64), BLOCK(64), P(2,2), RC(128,1,1,1,1), BLOCK(128), "
        "BLOCK(128), BLOCK(128), BLOCK(128), RELU, AVG, SM(10)] "
        "where BLOCK(F) = [RC(F,3,3,1,1), RC(F,3,3,1,1), ADD@-1,1]"
    )
    weights = 27 * 32 + sum(4 * 2 * 9 * filters**2 for filters in (32, 64, 128))
    weights += 32 * 64 + 64 * 128
    norms = 2 * (32 + 64 + 128) + sum(4 * 2 * 2 * filters for filters in (32, 64, 128))
    assert total_cost(architecture, (3, 32, 32)).parameters == weights + norms + 128 * 10 + 10
    # of the block alone: its three layers read one, one and two
    assert architecture.density == 4 / 3


def test_what_is_loose_stands_side_by_side_at_the_end():
    # what is put side by side is brought back to F filters
    space = blocks()
    walk = space.parse("conv1(0) max3(0) concat(1,2) avg3(3) conv5(3)")
    cell = space.architecture(walk).cells["BLOCK"]
    assert cell.text == (
        "(F) = [RC(F,1,1,1,1), MP(3,3,1,1)@-1, RC(F,1,1,1,1)@0,1, AP(3,3,1,1), RC(F,5,5,1,1)@2, "
        "RC(F,1,1,1,1)@3,4]"
    )
    grown = blocks(concat="grow").architecture(walk)
    assert grown.cells["BLOCK"].text == (
        "(F) = [RC(F,1,1,1,1), MP(3,3,1,1)@-1, CAT@0,1, AP(3,3,1,1), RC(F,5,5,1,1)@2, CAT@3,4]"
    )
    # twice the filters behind the pooling and once behind the convolution; the next block has F
    channels = [cost.shape[0] for cost in layer_costs(grown, (3, 32, 32))]
    assert channels[:8] == [32, 32, 32, 64, 64, 32, 96, 32]


def test_what_is_added_is_brought_to_one_width():
    walk = ("conv1(0)", "concat(0,1)", "add(1,2)", "add(0,1)", "end")
    cell = blocks(concat="grow").architecture(walk).cells["BLOCK"]
    assert cell.text == ("(F) = [RC(F,1,1,1,1), ADD@-1,0, CAT@-1,0, PB(F), ADD@0,3, CAT@1,4]")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    most=st.integers(1, 23),
    concat=st.sampled_from(["project", "grow"]),
    ordered=st.booleans(),
)
def test_every_block_is_a_network_that_comes_back_from_its_texts(seed, most, concat, ordered):
    space = blocks(most, concat=concat, ordered_pairs=ordered)
    walk = drawn(space, seed)
    architecture = space.architecture(walk)
    shapes = [cost.shape for cost in layer_costs(architecture, (3, 32, 32))]
    assert shapes[-1] == (10,)
    assert shapes[-2] == (128,) or concat == "grow"
    assert {shape[1] for shape in shapes[:-2]} == {32, 16, 8}
    for text in (space.text(walk), architecture.text):
        assert space.architecture(space.parse(text)) == architecture


def reordered(walk, generator):
    """The same block with its rows in another order that is legal, all ties broken at random."""
    rows = [token.rstrip(")").partition("(") for token in walk[:-1]]
    reads = [[int(source) for source in sources.split(",")] for _, _, sources in rows]
    places, order = {0: 0}, []
    while len(order) < len(rows):
        free = [
            row
            for row in range(1, len(rows) + 1)
            if row not in places and all(source in places for source in reads[row - 1])
        ]
        row = int(generator.choice(free))
        places[row] = len(places)
        sources = sorted(places[source] for source in reads[row - 1])
        order.append(f"{rows[row - 1][0]}({','.join(map(str, sources))})")
    return (*order, "end")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), most=st.integers(2, 14))
def test_rows_in_another_order_make_the_same_network(seed, most):
    space, generator = blocks(most), np.random.default_rng(seed)
    walk = random_walk(space, generator)
    other = reordered(walk, generator)
    assert space.architecture(other) == space.architecture(walk)
    assert space.text(other) == space.text(walk)


def test_a_concatenation_that_would_be_made_anyway_is_none():
    space = blocks()
    explicit, implied = "conv3(0) conv5(0) concat(1,2)", "conv3(0) conv5(0)"
    assert space.text(space.parse(explicit)) == implied
    # but not of the block's input, nor of what others read
    for text in ("conv3(0) concat(0,1)", "conv3(0) conv5(0) conv1(1) concat(1,2)"):
        assert "concat" in space.text(space.parse(text))


def test_pairs_in_another_order_are_other_rows_of_one_network():
    space = blocks(3, ordered_pairs=True)
    one, other = (("conv3(0)", "conv5(0)", add, "end") for add in ("add(1,2)", "add(2,1)"))
    assert space.architecture(one) == space.architecture(other)
    assert space.parse("conv3(0) conv5(0) add(2,1)") == other
    # where they are one row, both ways to write it are read
    assert blocks(3).parse("conv3(0) conv5(0) add(2,1)") == one


def test_different_blocks_are_different_networks():
    space = blocks(2, convolutions=[1, 3], poolings=[3])
    texts = {}
    for walk in all_walks(space):
        texts.setdefault(space.architecture(walk).digest, set()).add(space.text(walk))
    assert all(len(names) == 1 for names in texts.values())
    # by hand: 5 of one row; of two, 15 sets of two that read the input, 25 chains, and an
    # addition and a concatenation of the input and each of 5
    assert len(texts) == 5 + 15 + 25 + 2 * 5


def all_walks(space, state=None, walk=()):
    state = space.initial_state() if state is None else state
    decision = space.decision(state)
    if decision is None:
        yield walk
        return
    for token in decision.options:
        yield from all_walks(space, space.step(state, token), (*walk, token))


def test_the_papers_code_is_read():
    space = blocks()
    code = "[(1,1,3,0,0), (2, 2, 3, 0, 0), (3,5,0,1,2), (4,4,0,3,0), (5,7,0,0,0)]"
    assert space.parse(code) == ("conv3(0)", "max3(0)", "add(1,2)", "identity(3)", "end")
    assert space.parse("(1,3,1,0,0)") == ("avg1(0)", "end")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("conv7(0)", r"'conv7\(0\)' is no row of this space, such as conv3\(0\)"),
        ("conv3(0) add(0,9)", r"'add\(0,9\)' is no row of this space"),
        ("conv3(1)", r"position 1: conv3\(1\) is not allowed here"),
        ("[(1,8,0,0,0)]", "row 1 must have the index 1 and a type from 1 to 7, not 1 and 8"),
        ("[(2,1,3,0,0)]", "row 1 must have the index 1"),
        ("[(1,1,3,0,0), C(8,3,1)]", "is no row"),
        ("[CB(32,3,3,1,1), SM(10)]", "is not a network of this space"),
        ("[BLOCK(8), SM(10)] where BLOCK(F) = [C(F,3,1)@-2]", "1 inputs, the cell reads 2"),
        ("", "position 1"),
    ],
)
def test_texts_that_are_no_blocks_are_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        blocks(4).parse(text)


def test_impossible_files_are_refused():
    with pytest.raises(MetaqnnError, match="max-index must be a whole number from 1 to 99, not 0"):
        blocks(0)
    with pytest.raises(MetaqnnError, match="concat must be project or grow, not 'pad'"):
        blocks(concat="pad")
    with pytest.raises(MetaqnnError, match="convolutions must be a list of distinct odd kernels"):
        blocks(convolutions=[2])
    with pytest.raises(MetaqnnError, match="stages must be fewer: 5 halve 8x8 to nothing"):
        blocks(shape=(1, 8, 8), stages=5)


def test_a_hidden_layer_comes_with_dropout():
    text = blocks(hidden_units=1024).architecture(("conv1(0)", "end")).text
    assert "RELU, AVG, FC(1024), D(4,5), SM(10)]" in text


def test_starts_are_blocks_whose_weights_all_get_gradients():
    space = bind_space(
        {"space": "block", "max-index": 3, "stages": 2, "scale": {"filters": 4, "repeats": 2}},
        (1, 8, 8),
        10,
    )
    assert [space.text(walk) for walk in space.starts()] == [
        RESIDUAL,
        "conv3(0) conv3(1)",
        "conv1(0) conv3(1) conv3(2)",
    ]
    for walk in space.starts():
        network = Network(space.architecture(walk), (1, 8, 8), torch.Generator().manual_seed(0))
        network(torch.randn(4, 1, 8, 8)).logsumexp(1).sum().backward()
        assert all(weights.grad.abs().sum() > 0 for weights in network.parameters())
    assert len(blocks(2).starts()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("concat", ["project", "grow"])
@pytest.mark.parametrize(
    "text",
    [
        "conv1(0) conv3(0) conv5(1) max1(2) max3(3) avg1(4) avg3(5) identity(6) add(7,8) "
        "concat(8,9) add(0,10) conv3(0)",
        "conv3(0) concat(0,1) add(1,2) add(2,3)",
    ],
)
def test_all_layers_come_back_from_every_format(text, concat, tmp_path):
    shape = (1, 8, 8)
    space = blocks(12, shape, concat=concat, stages=2, scale={"filters": 6, "repeats": 2})
    architecture = space.architecture(space.parse(text))
    network = Network(architecture, shape, torch.Generator().manual_seed(0)).eval()
    facts = Facts(architecture.text, shape, tuple("abcdefghij"), (0.0,), (1.0,))
    images = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    for suffix in FORMATS:
        export(network, facts, tmp_path / f"net{suffix}")
        # these run code, the others are read with care
        loaded = load(tmp_path / f"net{suffix}", trust=suffix in (".pt2", ".py"))
        assert np.abs(loaded.scores(images) - expected).max() < 1e-5


@pytest.mark.slow
def test_a_run_takes_blocks_to_start_from_and_no_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["run", "--space", "block-qnn-small", "--budget", "1", "--epochs", "1"]
    fast = ["--train-limit", "200", "--device", "cpu", "--name", "r"]
    done = CliRunner().invoke(main, [*options, *fast, "--start-from", RESIDUAL])
    assert done.exit_code == 0, done.output
    assert RESIDUAL in CliRunner().invoke(main, ["top-k", "results/r"]).output
    table = CliRunner().invoke(main, ["q-table", "results/r"]).output.splitlines()
    assert table[0].startswith("layer,type,kernel,first,second,action,action_type")
    assert len(table) == 1 + 4  # three rows and the end
    refused(
        CliRunner().invoke(main, [*options, "--start-from", "conv3(9)"]), "is no row of this space"
    )
