"""Recurrent cells compute what their equations say."""

import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from metaqnn.errors import MetaqnnError
from metaqnn.language.cell import RecurrentCell
from metaqnn.language.model import Dimensions, LanguageModel, TorchCell, parameters, units_for
from metaqnn.language.named import CELLS
from metaqnn.language.notation import read_cell
from metaqnn.language.ops import OPS
from metaqnn.spaces import bind_space
from state_space import Architecture, Node, random_walk
from state_space.enas_cell import highways
from state_space.recurrent import HIDDEN, INPUT, LINEAR, MEMORY, tree

UNITS, TEXTS, STEPS = 5, 3, 4


def drawn(cell, inputs=UNITS, seed=0):
    """The cell in double precision, with inputs and a state."""
    torch.manual_seed(seed)
    made = RecurrentCell(cell, inputs, UNITS).double()
    for weights in made.parameters():
        torch.nn.init.uniform_(weights, -0.5, 0.5)
    x = torch.randn(STEPS, TEXTS, inputs, dtype=torch.float64)
    state = tuple(torch.randn(TEXTS, UNITS, dtype=torch.float64) for _ in range(made.states))
    return made, x, state


def maps(made, cell, source):
    """The matrix of each linear map of a node, by the position of the map."""
    found = {}
    for position, node in enumerate(cell.nodes):
        if node.op == LINEAR and node.inputs == (source,):
            own, place = made.places[position]
            name = {INPUT: "input", HIDDEN: "hidden"}.get(own, f"node{own}")
            found[position] = made.weights[name][place * UNITS : (place + 1) * UNITS]
    return list(found.values())


def test_the_worked_example_of_zoph_and_le():
    """Section 3.4: tanh(W1 x + W2 h), W3 x * W4 h, and so on, by its five equations."""
    cell = tree([("add", "tanh"), ("mult", "relu"), ("mult", "sigmoid")], ("add", "relu"), 1, 0)
    made, x, (h, c) = drawn(cell)
    w1, w3 = maps(made, cell, INPUT)
    w2, w4 = maps(made, cell, HIDDEN)
    outputs, ends = made(x, (h, c))
    for step in range(STEPS):
        a0 = torch.tanh(x[step] @ w1.T + h @ w2.T)
        memory = (x[step] @ w3.T) * (h @ w4.T)
        a1 = torch.relu(memory)
        a0 = torch.relu(a0 + c)
        h, c = torch.sigmoid(a0 * a1), memory
        torch.testing.assert_close(outputs[step], h)
    torch.testing.assert_close(ends, (h, c))


def test_nascell_is_that_of_its_equations():
    """Of TensorFlow's NASCell: eight pairs of products, then a tree, then the memory."""
    cell = CELLS["nascell"]()
    made, x, (h, c) = drawn(cell)
    xs, hs = maps(made, cell, INPUT), maps(made, cell, HIDDEN)
    assert sum(weights.numel() for weights in made.parameters()) == 8 * UNITS * (UNITS + UNITS)
    outputs, ends = made(x, (h, c))
    sigmoid, tanh, relu = torch.sigmoid, torch.tanh, torch.relu
    for step in range(STEPS):
        of_x = [x[step] @ weights.T for weights in xs]
        of_h = [h @ weights.T for weights in hs]
        first = [
            sigmoid(of_x[0] + of_h[0]),
            relu(of_x[1] + of_h[1]),
            relu(of_x[2] + of_h[2]),
            sigmoid(of_x[3] * of_h[3]),
            tanh(of_x[4] + of_h[4]),
            sigmoid(of_x[5] + of_h[5]),
            tanh(of_x[6] + of_h[6]),
            sigmoid(of_x[7] + of_h[7]),
        ]
        second = [
            tanh(first[0] * first[1]),
            tanh(first[2] + first[3]),
            tanh(first[4] * first[5]),
            sigmoid(first[6] + first[7]),
        ]
        second[0] = tanh(second[0] + c)
        c = second[0] * second[1]
        h = tanh(c * tanh(second[2] + second[3]))
        torch.testing.assert_close(outputs[step], h, atol=1e-6, rtol=0)
    torch.testing.assert_close(ends, (h, c), atol=1e-6, rtol=0)


def test_the_cell_of_enas_is_that_of_its_equations():
    """Of Pham et al. 2018, appendix A: the node that each reads, its function, a gate; the mean."""
    cell = CELLS["enas"]()
    made, x, (h,) = drawn(cell)
    outputs, ends = made(x, (h,))
    linear = [position for position, node in enumerate(cell.nodes) if node.op == LINEAR]
    assert len(linear) == 4 + 2 * 11

    def weights(position):
        own, place = made.places[position]
        name = {INPUT: "input", HIDDEN: "hidden"}.get(own, f"node{own}")
        return made.weights[name][place * UNITS : (place + 1) * UNITS].T

    for step in range(STEPS):
        left = iter(linear)
        gate_x, gate_h, new_x, new_h = (weights(next(left)) for _ in range(4))

        def node(state, function, left=left):
            gate = torch.sigmoid(state @ weights(next(left)))
            return gate * function(state @ weights(next(left))) + (1 - gate) * state

        gate = torch.sigmoid(x[step] @ gate_x + h @ gate_h)
        s0 = gate * torch.tanh(x[step] @ new_x + h @ new_h) + (1 - gate) * h
        s1 = node(s0, torch.tanh)
        s2 = node(s1, torch.relu)
        s3 = node(s2, torch.relu)
        s4 = node(s2, torch.tanh)
        s5 = node(s2, torch.tanh)
        s6 = node(s5, torch.relu)
        s7 = node(s1, torch.tanh)
        s8 = node(s6, torch.relu)
        s9 = node(s8, torch.relu)
        s10 = node(s8, torch.relu)
        s11 = node(s8, torch.relu)
        h = (s3 + s4 + s7 + s9 + s10 + s11) / 6
        torch.testing.assert_close(outputs[step], h, atol=1e-6, rtol=0)
    torch.testing.assert_close(ends, (h,))


def plain(cell, made, x, state):
    """The cell node by node, each map a product of its own."""
    outputs = []
    for step in x:
        values = {INPUT: step, **{HIDDEN - place: value for place, value in enumerate(state)}}
        for position, node in enumerate(cell.nodes):
            sources = [values[source] for source in node.inputs]
            if node.op == LINEAR:
                own, place = made.places[position]
                name = {INPUT: "input", HIDDEN: "hidden"}.get(own, f"node{own}")
                weights = made.weights[name][place * UNITS : (place + 1) * UNITS]
                values[position] = sources[0] @ weights.T
            else:
                values[position] = OPS[node.op](*sources)
        state = tuple(values[output] for output in cell.outputs)
        outputs.append(state[0])
    return torch.stack(outputs), state


ACTIVATIONS = ["identity", "tanh", "sigmoid", "relu", "sin"]
TREES = {"space": "recurrent", "combine": ["add", "mult", "max"], "activations": ACTIVATIONS}
HIGHWAYS = {"space": "enas-cell", "activations": ACTIVATIONS}
SMALL = [
    bind_space(mapping, (1,), 10)
    for mapping in (
        *({**TREES, "leaves": 2}, {**TREES, "leaves": 4}),
        *({**HIGHWAYS, "nodes": 2}, {**HIGHWAYS, "nodes": 4}),
    )
]
SPACES = [*SMALL, bind_space({**TREES, "leaves": 8}, (1,), 10), bind_space(HIGHWAYS, (1,), 10)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPACES), st.integers(0, 2**32), st.sampled_from([UNITS, 3]))
def test_stacked_or_one_by_one_a_cell_computes_the_same(space, seed, inputs):
    cell = space.architecture(random_walk(space, np.random.default_rng(seed)))
    made, x, state = drawn(cell, inputs, seed % 1000)
    torch.testing.assert_close(made(x, state), plain(cell, made, x, state))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SMALL), st.integers(0, 2**32))
def test_gradients_agree_with_finite_differences(space, seed):
    cell = space.architecture(random_walk(space, np.random.default_rng(seed)))
    made, x, state = drawn(cell, seed=seed % 1000)
    names = list(dict(made.named_parameters()))

    def run(inputs, *weights):
        values = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(made, values, (inputs, state))[0]

    own = [weights.detach().requires_grad_() for weights in made.parameters()]
    assert gradcheck(run, (x[:2].requires_grad_(), *own))


LARGEST = Architecture(
    (
        Node("LIN", (), (HIDDEN,)),  # read twice, and handed on
        Node("LIN", (), (INPUT,)),
        Node("MUL", (), (0, 1)),
        Node("TANH", (), (2,)),
        Node("LIN", (), (3,)),
        Node("LIN", (), (3,)),
        Node("RELU", (), (4,)),
        Node("LARGER", (), (6, 0)),
        Node("LIN", (), (MEMORY,)),
        Node("SIN", (), (8,)),
        Node("SIGMOID", (), (5,)),  # which nothing reads
        Node("HIGHWAY", (), (3, 7, 9)),
        Node("MEAN", (), (11, 7, MEMORY)),
        Node("MUL", (), (12, 12)),
        Node("TANH", (), (13,)),
        Node("SIGMOID", (), (14,)),
    ),
    (15, 0, HIDDEN),
)
"""Whatever a cell may have: maps between nodes and of the memory, dead ends, three states."""


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SPACES), st.integers(0, 2**32))
def test_gradients_are_those_of_autograd_node_by_node(space, seed):
    check_gradients(space.architecture(random_walk(space, np.random.default_rng(seed))), seed)


@pytest.mark.parametrize("cell", [LARGEST, CELLS["enas"](), highways(((0, "tanh"),))])
def test_gradients_of_any_cell_are_those_of_autograd(cell):
    check_gradients(cell, 1)
    check_gradients(cell, 2, read=(0,))
    check_gradients(cell, 3, read=(-1,))


def check_gradients(cell, seed, read=None):
    """Of the outputs and of what is handed on, or of some of these alone."""
    made, x, state = drawn(cell, seed=seed % 1000)
    x = x.transpose(0, 1).contiguous().transpose(0, 1)  # it need not lie in order
    leaves = [x, *state, *made.parameters()]
    for leaf in leaves:
        leaf.requires_grad_()

    def gradients(run):
        outputs, ends = run()
        values = [outputs, *ends]
        chosen = values if read is None else [values[place] for place in read]
        factors = np.random.default_rng(seed)
        total = sum((v * torch.tensor(factors.normal(size=v.shape))).sum() for v in chosen)
        return torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)

    found, wanted = (
        gradients(lambda: made(x, state)),
        gradients(lambda: plain(cell, made, x, state)),
    )
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=1e-10)


def test_a_cell_reads_without_gradients_what_it_reads_with_them():
    made, x, state = drawn(CELLS["nascell"]())
    with torch.no_grad():
        torch.testing.assert_close(made(x, state), made(x, state))
        found = made(x, state)
    torch.testing.assert_close(found, made(x, state))


def test_what_a_cell_keeps_for_its_gradients_goes_with_them():
    """Not only once the garbage is collected: it is most of the memory of a training."""
    made, x, state = drawn(CELLS["nascell"]())

    gc.disable()
    try:
        outputs, ends = made(x, state)
        kept = weakref.ref(outputs.grad_fn)
        assert kept().saved_tensors
        del outputs, ends
        assert kept() is None
    finally:
        gc.enable()


def test_a_chain_of_one_node_is_its_own_mean():
    cell = highways(((0, "tanh"),))
    made, x, state = drawn(cell)
    torch.testing.assert_close(made(x, state), plain(cell, made, x, state))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(SPACES), st.integers(0, 2**32))
def test_a_cell_is_read_back_from_both_of_its_texts(space, seed):
    walk = random_walk(space, np.random.default_rng(seed))
    assert space.parse(space.text(walk)) == walk
    assert space.parse(space.architecture(walk).text) == walk


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[LIN, ADD]", "ADD reads 1 value, not 2"),
        ("[LIN, LIN@-2, TANH@0,1]", "TANH reads 2 values, not 1"),
        ("[LIN, LIN@-2, LIN@0,1]", "LIN reads 2 values, not 1"),
        ("[LIN, LIN@-2, HIGHWAY@0,1]", "HIGHWAY reads 2 values, not 3"),
        ("[LIN, TANH] -> 1,1,0", "which are one or two"),
        ("[LIN, ADD@0,-1]", "through maps"),
    ],
)
def test_a_text_that_is_no_cell_is_refused_where_it_is_read(text, reason):
    with pytest.raises(MetaqnnError, match=reason):
        read_cell(text)


@pytest.mark.parametrize("text", ["[LIN]", "[LIN, MEAN]"])
def test_a_cell_whose_gradients_read_no_value_learns(text):
    cell = RecurrentCell(read_cell(text), 3, 2)
    (weights,) = cell.parameters()
    torch.nn.init.ones_(weights)
    inputs = torch.arange(12.0).reshape(2, 2, 3)
    outputs, _ = cell(inputs, (torch.zeros(2, 2),))
    outputs.sum().backward()
    # the sum of all inputs, for every unit: 0 + 3 + 6 + 9, 1 + 4 + 7 + 10, 2 + 5 + 8 + 11
    assert weights.grad.tolist() == [[18, 22, 26]] * 2


def test_trees_of_base_8_are_as_many_as_published():
    """6e16 in Zoph & Le 2017, section 4.2: 8 choices for 16 nodes, and 15 of 15 indices."""
    space = bind_space({"space": "recurrent"}, (1,), 10)
    assert space.size() == 8**16 * 15**2


# sizes


def test_sizes_are_the_published_ones():
    """Zaremba's medium LSTM; NASCell at 650; ENAS's cell, tied, is of 22 million weights."""
    assert parameters("lstm", Dimensions(10_000, 650, 2)) == 19_775_200
    cell = RecurrentCell(CELLS["nascell"](), 650, 650)
    assert sum(weights.numel() for weights in cell.parameters()) == 6_760_000
    found = parameters(CELLS["enas"](), Dimensions(10_000, 748, 1, tied=True))
    assert found == 10_000 * 748 + 10_000 + 26 * 748**2


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "nascell", "enas"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_has_the_size_that_is_computed_and_units_are_found_for_it(cell, tied):
    made = CELLS[cell]() if cell in CELLS else cell
    wanted = Dimensions(11, 6, 2, tied)
    model = LanguageModel(made, wanted, torch.Generator().manual_seed(0))
    assert model.size == parameters(made, wanted)
    assert units_for(model.size, made, 11, 2, tied=tied) == 6


def test_torchs_own_cells_hand_on_their_state():
    layer = TorchCell("lstm", UNITS)
    x = torch.randn(STEPS, TEXTS, UNITS)
    state = (torch.zeros(TEXTS, UNITS), torch.zeros(TEXTS, UNITS))
    whole, ends = layer(x, state)
    first, middle = layer(x[:2], state)
    second, after = layer(x[2:], middle)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(after, ends)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "nascell", "enas"])
def test_a_model_reads_on_where_it_stopped(cell):
    made = CELLS[cell]() if cell in CELLS else cell
    model = LanguageModel(made, Dimensions(11, 6, 2), torch.Generator().manual_seed(0)).eval()
    tokens = torch.randint(0, 11, (8, TEXTS))
    whole, ends = model(tokens, model.start(TEXTS))
    first, middle = model(tokens[:3], model.start(TEXTS))
    second, after = model(tokens[3:], middle)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(after, ends)


def test_variational_dropout_is_one_for_all_steps():
    generator = torch.Generator().manual_seed(0)
    model = LanguageModel(
        "rnn", Dimensions(11, 400, 1), generator, dropout=0.5, variational=True
    ).train()
    kept = model._drop(torch.ones(STEPS, TEXTS, 400))
    assert (kept == kept[0]).all()
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert abs(kept.mean().item() - 1) < 0.2
    model.variational = False
    own = model._drop(torch.ones(STEPS, TEXTS, 400))
    assert not (own == own[0]).all()
    assert (model.eval()._drop(own) == own).all()
