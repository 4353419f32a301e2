"""Every op against torch's own counter and the shapes that its module makes; an op from outside."""

import re
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import metaqnn
from metaqnn.cli import main
from metaqnn.data.images import Images
from metaqnn.errors import MetaqnnError
from metaqnn.models.formats import export, load_network
from metaqnn.models.model import Facts
from metaqnn.networks.build import Network
from metaqnn.networks.cost import ShapeError, check_scores, layer_costs, total_cost
from metaqnn.networks.memory import activation_bytes
from metaqnn.networks.notation import read
from metaqnn.networks.ops import OPS, LayerCost, Op, Part
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from state_space import Architecture, Node
from tests.helpers.networks import CLASSES, through_everything

IMAGE, VECTOR = (4, 9, 7), (12,)

CASES = {
    "C": [((5, 3, 1), [IMAGE]), ((2, 5, 2), [IMAGE]), ((3, 1, 3), [IMAGE, (2, 9, 7)])],
    "P": [((2, 2), [IMAGE]), ((3, 2), [IMAGE]), ((5, 3), [IMAGE, (1, 3, 3)])],
    "FC": [((6,), [IMAGE]), ((7,), [VECTOR]), ((2,), [VECTOR, (3,)])],
    "GAP": [((10,), [IMAGE]), ((3,), [IMAGE, (2, 9, 9)])],
    "SM": [((10,), [IMAGE]), ((2,), [VECTOR])],
    "D": [((1, 2), [IMAGE]), ((2, 2), [VECTOR])],
    "BN": [((), [IMAGE]), ((), [IMAGE, IMAGE])],
    "CB": [((5, 3, 1, 2, 1), [IMAGE]), ((2, 1, 5, 1, 3), [IMAGE, IMAGE])],
    "MP": [((3, 3, 2, 2), [IMAGE]), ((1, 5, 1, 2), [IMAGE])],
    "AP": [((3, 3, 2, 2), [IMAGE]), ((5, 1, 3, 1), [IMAGE])],
    "MB": [((3, 3), [IMAGE]), ((6, 5), [IMAGE]), ((1, 1), [IMAGE, IMAGE])],
    "DB": [((3, 1), [IMAGE]), ((5, 2), [IMAGE]), ((1, 3), [IMAGE, IMAGE])],
    "SE": [((4,), [IMAGE]), ((16,), [IMAGE]), ((2,), [IMAGE, IMAGE])],
    "AVG": [((), [IMAGE]), ((), [IMAGE, IMAGE])],
    "MAX": [((), [IMAGE]), ((), [IMAGE, (2, 5, 9)])],
    "ADD": [((), [IMAGE]), ((), [IMAGE, IMAGE]), ((), [VECTOR, VECTOR, VECTOR])],
    "CAT": [((), [IMAGE, (2, 9, 7)]), ((), [IMAGE, (2, 5, 9)]), ((), [VECTOR, (3,)])],
    "ID": [((), [IMAGE]), ((), [VECTOR])],
    "RELU": [((), [IMAGE]), ((), [VECTOR])],
    "RC": [((5, 3, 1, 2, 1), [IMAGE]), ((2, 1, 7, 1, 3), [IMAGE, IMAGE])],
    "SC": [((6, 3, 1), [IMAGE]), ((3, 5, 2), [IMAGE]), ((2, 7, 3), [IMAGE, IMAGE])],
    "DC": [((5, 3, 1), [IMAGE]), ((3, 5, 2), [IMAGE]), ((2, 1, 3), [IMAGE, IMAGE])],
    "PB": [((5,), [IMAGE]), ((3,), [IMAGE, IMAGE])],
    "FR": [((6,), [IMAGE]), ((5,), [(3, 8, 6)]), ((2,), [IMAGE, (1, 1, 1)])],
    "LB": [((5, 3, 1), [IMAGE]), ((2, 5, 2), [IMAGE]), ((3, 1, 3), [IMAGE, (2, 9, 7)])],
    "VB": [((5, 3, 1), [IMAGE]), ((2, 4, 2), [IMAGE]), ((3, 3, 2), [IMAGE, (2, 9, 7)])],
    "Z": [((), [IMAGE]), ((), [VECTOR])],
    "PA": [((2, 2), [IMAGE]), ((3, 2), [IMAGE]), ((3, 3), [IMAGE, (1, 3, 3)])],
    "LC": [((5, 3, 2), [IMAGE]), ((3, 1, 1), [IMAGE, IMAGE])],
    "SB": [((6, 3, 2), [IMAGE]), ((3, 5, 1), [IMAGE, IMAGE])],
}
"""Arguments of every op, and shapes that it reads."""


def test_every_op_has_cases():
    assert CASES.keys() == OPS.keys()


def place(name, args, inputs):
    """The op behind layers with these outputs, and its module."""
    op = OPS[name](args, inputs)
    with torch.device("meta"):
        module = op.module(torch.Generator())
    return op, module


@pytest.mark.parametrize(
    ("name", "args", "inputs"),
    [(name, args, inputs) for name, cases in CASES.items() for args, inputs in cases],
)
def test_costs_are_those_that_torch_counts(name, args, inputs):
    op, module = place(name, args, inputs)
    module.eval()  # what takes a shorter way in training may count more there
    normalised = []
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.register_forward_hook(lambda _, __, made: normalised.append(made.numel()))
    shapes = [op.read] if op.joins else inputs
    values = [torch.zeros(1, *shape, device="meta") for shape in shapes]
    with FlopCounterMode(display=False) as counter:
        made = module(*values)
    assert tuple(made.shape[1:]) == op.cost.shape
    assert sum(weights.numel() for weights in module.parameters()) == op.cost.parameters
    # torch counts two for a multiply-add of convolutions and products, and nothing else
    assert op.cost.multiply_adds == counter.get_total_flops() / 2 + sum(normalised)


@pytest.mark.parametrize(
    ("name", "args", "inputs"),
    [(name, args, inputs) for name, cases in CASES.items() for args, inputs in cases],
)
def test_modules_leave_what_they_read_as_it_is(name, args, inputs):
    op, module = place(name, args, inputs)
    module.to_empty(device="cpu")
    for weights in module.parameters():
        nn.init.constant_(weights, -0.5)
    shapes = [op.read] if op.joins else inputs
    values = [torch.randn(2, *shape) for shape in shapes]
    before = [value.clone() for value in values]
    module(*values)
    assert all(torch.equal(value, old) for value, old in zip(values, before, strict=True))


@st.composite
def graphs(draw):
    """Graphs of images, with a head behind them."""
    nodes = []
    for position in range(draw(st.integers(1, 7))):
        text = draw(
            st.sampled_from(
                [
                    "C(3,3,1)",
                    "CB(4,3,1,2,1)",
                    "MB(2,3)",
                    "DB(3,1)",
                    "DB(5,2)",
                    "SE(2)",
                    "P(1,1)",
                    "P(2,1)",
                    "MP(3,3,1,2)",
                    "AP(1,3,1,1)",
                    "BN",
                    "D(1,2)",
                    "ADD",
                    "CAT",
                    "ID",
                    "RELU",
                    "RC(3,3,1,2,1)",
                    "SC(4,3,1)",
                    "SC(3,5,2)",
                    "DC(3,3,1)",
                    "PB(4)",
                    "FR(3)",
                    "LB(3,3,2)",
                    "VB(3,1,1)",
                    "Z",
                    "PA(1,1)",
                    "LC(3,3,2)",
                    "SB(3,3,2)",
                ]
            )
        )
        layer = read(f"[{text}]").nodes[0]
        sources = st.lists(st.integers(-1, position - 1), min_size=1, max_size=3, unique=True)
        inputs = tuple(draw(sources))
        if layer.op == "ADD" and draw(st.booleans()):
            inputs = inputs[:1]
        nodes.append(Node(layer.op, layer.args, inputs))
    inputs = tuple(draw(st.sets(st.integers(0, len(nodes) - 1), min_size=1, max_size=2)))
    pooled = draw(st.sampled_from([None, "AVG", "MAX"]))
    if pooled:
        nodes.append(Node(pooled, (), inputs))
        inputs = (len(nodes) - 1,)
    head = "SM" if pooled else draw(st.sampled_from(["SM", "GAP"]))
    return Architecture((*nodes, Node(head, (3,), inputs)), (len(nodes),))


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_the_layers_of_graphs_make_the_computed_shapes(graph):
    try:
        costs = layer_costs(graph, (2, 6, 5))
    except ShapeError as error:
        assert re.search(r"it adds inputs of one shape, and reads \d", str(error))
        return
    network = Network(graph, (2, 6, 5), torch.Generator().manual_seed(0))
    made = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _, __, value: made.append(tuple(value.shape[1:])))
    network(torch.randn(2, 2, 6, 5)).sum().backward()
    assert made == [cost.shape for cost in costs]
    assert all(weights.grad is not None for weights in network.layers[-1].parameters())
    parameters = sum(weights.numel() for weights in network.parameters())
    assert parameters == total_cost(graph, (2, 6, 5)).parameters


@settings(max_examples=40, deadline=None)
@given(graphs())
@example(read("[C(3,3,1), P(2,1)@0,-1, SM(3)]"))
def test_the_source_of_graphs_computes_the_same(graph):
    shape, classes = (2, 6, 5), ("a", "b", "c")
    try:
        network = Network(graph, shape, torch.Generator().manual_seed(0)).eval()
    except ShapeError:
        return
    facts = Facts(graph.text, shape, classes, (0.0, 0.0), (1.0, 1.0))
    images = np.random.default_rng(0).uniform(0, 255, (3, *shape)).astype(np.float32)
    with TemporaryDirectory() as folder:
        export(network, facts, Path(folder) / "net.py")
        scores = metaqnn.load(Path(folder) / "net.py", trust=True).scores(images)
    with torch.inference_mode():
        assert np.abs(network(torch.from_numpy(images)).numpy() - scores).max() < 1e-5


def test_sums_are_by_value_and_shapes_must_be_equal():
    network = Network(read("[ADD@-1, ID@-1, ADD@-1,0,1]"), (1, 1, 2), torch.Generator())
    assert network(torch.tensor([[[[1.0, -2.0]]]])).tolist() == [[[[3.0, -6.0]]]]
    with pytest.raises(ShapeError) as error:
        layer_costs(read("[C(2,3,1), ADD@0,-1, SM(10)]"), (3, 8, 8))
    assert "layer 2, ADD: it adds inputs of one shape, and reads 2x8x8 and 3x8x8" in str(
        error.value
    )


def test_a_bottleneck_adds_what_it_reads():
    network = Network(read("[MB(2,3)]"), (3, 5, 5), torch.Generator().manual_seed(0)).eval()
    image = torch.randn(1, 3, 5, 5)
    last_norm = network.layers[0][-1]
    nn.init.zeros_(last_norm.weight)
    assert torch.equal(network(image), image)


def test_channels_are_scaled_by_half_where_nothing_is_learnt():
    network = Network(read("[SE(2)]"), (4, 3, 3), torch.Generator().manual_seed(0))
    nn.init.zeros_(network.layers[0][-2].weight)
    image = torch.randn(2, 4, 3, 3)
    assert torch.equal(network(image), image / 2)


def test_global_mean_and_maximum_by_hand():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[-1.0, -1.0], [-1.0, -5.0]]]])
    made = {
        name: Network(read(f"[{name}]"), (2, 2, 2), torch.Generator())(image).tolist()
        for name in ("AVG", "MAX")
    }
    assert made == {"AVG": [[3.0, -2.0]], "MAX": [[6.0, -1.0]]}


def test_costs_of_a_separable_convolution_by_hand():
    # 9 weights, a factor and a shift for 4 channels; 4 x 8 weights, and those of 8 filters
    costs = layer_costs(read("[DB(3,2), CB(8,1,1,1,1), SE(4), AVG, SM(10)]"), (4, 6, 6))
    assert costs[0] == ((4, 3, 3), 4 * 9 + 8, 36 * 9 + 36)
    assert costs[1] == ((8, 3, 3), 32 + 16, 32 * 9 + 72)
    # 8 to 2 to 8, with biases
    assert costs[2] == ((8, 3, 3), 8 * 2 + 2 + 2 * 8 + 8, 32)
    assert costs[3:] == [((8,), 0, 0), ((10,), 90, 80)]


def test_costs_of_the_layers_of_cells_by_hand():
    text = "[RC(8,1,3,1,2), SC(6,5,2), DC(4,3,2), PB(10), FR(5), RELU, AVG, SM(10)]"
    costs = layer_costs(read(text), (4, 8, 8))
    # 3 weights, 4 channels, 8 filters, of which each has a factor and a shift; 8 x 4 pixels
    assert costs[0] == ((8, 8, 4), 96 + 16, (96 + 8) * 32)
    # 25 weights for 8 channels, 8 x 6; then 25 for 6, 6 x 6; two norms of 6; 4 x 2 pixels
    separable = 25 * 8 + 8 * 6 + 25 * 6 + 6 * 6
    assert costs[1] == ((6, 4, 2), separable + 24, (separable + 12) * 8)
    assert costs[2] == ((4, 2, 1), 9 * 6 * 4 + 8, (9 * 6 * 4 + 4) * 2)
    assert costs[3] == ((10, 2, 1), 40 + 20, (40 + 10) * 2)
    # 10 x 2 and 10 x 3, and 5 norms; of two pixels one is left
    assert costs[4] == ((5, 1, 1), 50 + 10, 50 + 5)
    assert costs[5:] == [((5, 1, 1), 0, 0), ((5,), 0, 0), ((10,), 60, 50)]


def test_costs_of_stems_by_hand():
    costs = layer_costs(read("[VB(32,3,2), LB(6,3,2), AVG, SM(10)]"), (3, 224, 224))
    # 27 weights a filter, and two of its norm; of 224 pixels 111 are in the middle of three
    assert costs[0] == ((32, 111, 111), 32 * 27 + 64, (32 * 27 + 32) * 111**2)
    assert costs[1] == ((6, 56, 56), 32 * 54 + 12, (32 * 54 + 6) * 56**2)
    with pytest.raises(
        ShapeError, match=r"layer 1, VB\(4,3,1\): a field of 3 does not fit into 2x5"
    ):
        layer_costs(read("[VB(4,3,1)]"), (1, 2, 5))


def test_a_factorised_reduction_sees_even_and_odd_pixels_by_hand():
    op = OPS["FR"]((3,), [(1, 3, 4)])
    module = op.module(torch.Generator()).eval()
    for conv in (module.even, module.odd):
        nn.init.ones_(conv.weight)
    module.norm.eps = 0.0
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    even, odd = [[0.0, 2.0], [8.0, 10.0]], [[5.0, 7.0], [0.0, 0.0]]
    assert module(image).tolist() == [[even, odd, odd]]
    assert module(image[:, :, :1, :1]).tolist() == [[[[0.0]]] * 3]
    with pytest.raises(ShapeError, match=r"layer 1, FR\(1\): FR\(filters\) has 2 filters at least"):
        layer_costs(Architecture((Node("FR", (1,), (-1,)),), (0,)), (1, 3, 4))


def test_a_dilated_convolution_reads_every_second_pixel_by_hand():
    module = OPS["DC"]((1, 3, 1), [(1, 1, 5)]).module(torch.Generator()).eval()
    nn.init.ones_(module[1].weight)
    module[2].eps = 0.0
    image = torch.tensor([[[[1.0, 10.0, -9.0, 100.0, 1000.0]]]])
    assert module(image).tolist() == [[[[1.0, 110.0, 1001.0, 110.0, 1000.0]]]]


def test_memory_of_the_layers_of_cells_by_hand():
    network = "[RC(2,1,1,2,2), SC(4,3,1), DC(2,3,1), PB(3), FR(2), RELU, SM(10)]"
    # an image of 4x4, what the ReLU makes of it, and 2 x 2 pixels from there on
    kept = 16 + (16 + 2 * 8)  # the ReLU's, the convolution's, the norm's
    kept += 8 + (8 + 16 + 16) + (16 + 16 + 16)  # the second ReLU works in place
    kept += (16 + 2 * 8) + 2 * 12 + (12 + 2 * 2) + 2 + 10
    assert activation_bytes(read(network), (1, 4, 4)) == 4 * kept


def test_costs_of_the_layers_of_motifs_and_of_nas_bench_201_by_hand():
    costs = layer_costs(read("[SB(8,3,2), LC(6,3,1), PA(2,2), Z, AVG, SM(10)]"), (4, 6, 6))
    # 9 weights for 4 channels, 4 x 8, a factor and a shift a filter; 3 x 3 pixels
    assert costs[0] == ((8, 3, 3), 36 + 32 + 16, (36 + 32 + 8) * 9)
    assert costs[1] == ((6, 3, 3), 9 * 8 * 6, 9 * 8 * 6 * 9)
    assert costs[2:4] == [((6, 2, 2), 0, 0)] * 2
    assert costs[4:] == [((6,), 0, 0), ((10,), 70, 60)]


def test_what_average_pooling_has_left_over_is_averaged_by_itself():
    network = Network(read("[PA(2,2)]"), (1, 3, 3), torch.Generator())
    image = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    assert network(image).tolist() == [[[[3.0, 4.5], [7.5, 9.0]]]]
    with pytest.raises(ShapeError, match="a stride of 3 leaves out pixels of 2"):
        layer_costs(Architecture((Node("PA", (2, 3), (-1,)),), (0,)), (1, 6, 6))
    with pytest.raises(ShapeError, match="a field of 3 does not fit into 2x6"):
        layer_costs(Architecture((Node("PA", (3, 2), (-1,)),), (0,)), (1, 2, 6))


def test_what_is_cut_off_by_zeros_gets_a_gradient_of_zeros():
    network = Network(read("[LC(2,1,1), Z, ADD@1,-1]"), (2, 3, 3), torch.Generator().manual_seed(0))
    image = torch.randn(1, 2, 3, 3)
    made = network(image)
    assert torch.equal(made, image)
    made.sum().backward()
    assert not network.layers[0].weight.grad.any()


def test_memory_of_sums_and_identities_by_hand():
    # the image, two convolutions and their sum; the identity keeps nothing; SM
    network = read("[C(4,1,1), C(4,1,1)@-1, ADD@0,1, ID, SM(10)]")
    assert activation_bytes(network, (1, 2, 2)) == 4 * (4 + 16 + 16 + 16 + 10)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[C(4,3,1)]", "the last layer must be GAP(classes) or SM(classes), not C(4,3,1)"),
        ("[FC(10)]", "the last layer must be GAP(classes) or SM(classes), not FC(10)"),
        ("[C(4,3,1), GAP(9)]", "the last layer, GAP(9), has 9 classes, the data has 10"),
    ],
)
def test_networks_that_give_no_class_scores_are_refused(text, problem, tmp_path):
    network = read(text)
    with pytest.raises(ShapeError, match=re.escape(problem)):
        check_scores(network, 10)
    images = Images(torch.zeros(20, 1, 8, 8, dtype=torch.uint8), torch.arange(20) % 10, CLASSES)
    with pytest.raises(ShapeError, match=re.escape(problem)):
        train(network, images, images, Recipe(), 0)
    facts = Facts(text, (1, 8, 8), CLASSES, (0.0,), (1.0,))
    export(Network(network, (1, 8, 8), torch.Generator()), facts, tmp_path / "net.safetensors")
    with pytest.raises(MetaqnnError, match=f"cannot be read: {re.escape(problem)}"):
        load_network(tmp_path / "net.safetensors")
    for command in ("show", "train"):
        if "GAP" not in text:
            done = CliRunner().invoke(main, [command, text])
            assert done.exit_code != 0
            assert done.output == f"Error: {problem}\n"


def test_a_network_may_end_in_global_average_pooling():
    done = CliRunner().invoke(main, ["show", "[C(4,3,1), GAP(10)]", "--input", "1x8x8"])
    assert done.exit_code == 0, done.output


RESIDUAL = "[CB(8,3,3,1,1), CB(8,3,3,1,1), ADD@0,1, MB(2,3), CAT@2,3, GAP(10), SM(10)]"


class Scaling(Op):
    """What an outsider writes: the sigmoid of a convolution, with the other inputs added."""

    parameters = ("filters", "field")
    words = ("gate", "{0} filters", "{1}×{1}")
    fill = "#123456"
    joins = False

    def count(self):
        channels, height, width = self.inputs[0]
        filters, field = self.args
        weights = filters * channels * field**2
        return LayerCost(
            (filters, height, width), weights + 2 * filters, (weights + filters) * height * width
        )

    def kept(self, value):
        return 3 * value * prod(self.cost.shape)

    def module(self, generator):
        return Gate(self.inputs[0][0], *self.args)

    def source(self):
        filters, field = self.args
        made = f"nn.Conv2d({self.inputs[0][0]}, {filters}, {field}, padding={field // 2}"
        modules = (
            ("gate", made + ", bias=False)", ".conv"),
            ("norm", f"nn.BatchNorm2d({filters})", ".norm"),
        )
        rest = "".join(f" + {{{place}}}" for place in range(1, len(self.inputs)))
        return Part("{norm}({gate}({0})).sigmoid()" + rest, modules)


class Gate(nn.Module):
    def __init__(self, channels, filters, field):
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, field, padding=field // 2, bias=False)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, first, *others):
        value = self.norm(self.conv(first)).sigmoid()
        for other in others:
            value = value + other
        return value


@pytest.fixture
def outside(monkeypatch):
    """An op that is added at run time, by its class alone."""
    monkeypatch.setitem(OPS, "GATE3", Scaling)
    return "[C(4,3,1), GATE3(4,3)@-1, GATE3(4,5)@1,0, SM(10)]"


@pytest.mark.slow
def test_an_op_that_is_added_at_run_time_goes_through_everything(outside, tmp_path):
    drawing = through_everything(outside, tmp_path)
    assert ">gate<" in drawing and ">5×5<" in drawing and "#123456" in drawing
    with pytest.raises(ValueError, match="GATE3 takes \\(filters, field\\), 2 numbers, not 1"):
        read("[GATE3(4)]")


def test_an_unknown_op_is_refused_where_it_is_built():
    with pytest.raises(MetaqnnError, match="unknown layer 'GATE3', known: C, P, "):
        layer_costs(Architecture((Node("GATE3", (1,), (-1,)),), (0,)), (1, 8, 8))


def test_weights_that_nobody_can_draw_are_refused(monkeypatch):
    class Table(OPS["ID"]):
        def module(self, generator):
            return nn.Embedding(3, 4)

    monkeypatch.setitem(OPS, "EMB", Table)
    with pytest.raises(MetaqnnError, match="EMB: it is not known how to begin .* its Embedding; "):
        Network(read("[EMB]"), (1, 8, 8), torch.Generator())


@pytest.mark.slow
@pytest.mark.parametrize("pooled", ["AVG", "MAX"])
def test_scaled_and_separable_layers_go_through_everything(pooled, tmp_path):
    text = f"[CB(8,3,3,1,1), DB(5,2), CB(8,1,1,1,1), SE(4), {pooled}, FC(8), D(2,5), SM(10)]"
    drawing = through_everything(text, tmp_path)
    assert ">depthwise<" in drawing and ">squeeze and excite<" in drawing


@pytest.mark.slow
def test_a_residual_network_goes_through_everything(tmp_path):
    assert ">sum<" in through_everything(RESIDUAL, tmp_path)


@pytest.mark.slow
def test_the_layers_of_cells_go_through_everything(tmp_path):
    text = (
        "[VB(6,3,1), LB(6,3,1), RC(8,3,3,1,1), SC(8,3,2), DC(8,3,1)@2, RELU, FR(8), PB(8)@3, "
        "ADD@6,7, AVG, SM(10)]"
    )
    drawing = through_everything(text, tmp_path)
    assert ">separable, twice<" in drawing and ">factorised reduction<" in drawing
