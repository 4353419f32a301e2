"""Layers with skip connections: positions, repairs, counts and texts worked out by hand."""

import copy
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn.functional import relu

from metaqnn.agents.q_frame import load_frame, table_frame
from metaqnn.agents.q_table import QTable
from metaqnn.errors import MetaqnnError
from metaqnn.networks.build import Network
from metaqnn.networks.cost import layer_costs
from metaqnn.spaces import bind_space
from state_space import (
    IllegalMove,
    count_architectures,
    enumerate_rows,
    legal_walk,
    random_walk,
)
from state_space.notation import NotationError
from tests.helpers.spaces import make_space

HAND = {
    "space": "skip",
    "depth": 3,
    "heights": [1, 3],
    "widths": [1, 3, 5],
    "filters": [2, 4, 6],
}
"""Three decisions a layer: height, width, filters."""


def space_of(**changes):
    return bind_space(
        HAND | {key.replace("_", "-"): changes[key] for key in changes}, (3, 8, 8), 10
    )


def layer(height, width, filters, skips=""):
    """The tokens of a layer that reads the earlier layers at the ones among the skips."""
    attributes = (f"height:{height}", f"width:{width}", f"filters:{filters}")
    return (*attributes, *(f"skip:{bit}" for bit in skips))


def options(space, *tokens):
    state = space.initial_state()
    for token in tokens:
        state = space.step(state, token)
    return space.decision(state).options


# positions in the walk


def test_skip_decisions_refer_to_the_anchors_of_the_layers_that_they_are_about():
    space = space_of(depth=4)
    walk = random_walk(space, np.random.default_rng(0))
    decisions = [decision for _, decision, _ in legal_walk(space, walk)]
    assert {
        position: decision.refers
        for position, decision in enumerate(decisions)
        if decision.kind == "skip"
    } == {
        # layer 0 has its attributes at 0, 1 and 2; layer 1 at 3, 4 and 5, and then its skip
        6: (2,),
        # layer 2 at 7, 8 and 9
        10: (2,),
        11: (6,),
        # layer 3 at 12, 13 and 14
        15: (2,),
        16: (6,),
        17: (10,),
    }
    assert [d.kind for d in decisions[12:15]] == ["height", "width", "filters"]
    assert all(decision.refers == () for decision in decisions if decision.kind != "skip")


def test_the_observation_says_where_the_walk_is():
    space = space_of()
    seen = [
        tuple(space.observation(state))
        for state, _, _ in legal_walk(
            space, layer(1, 3, 2) + layer(3, 5, 4, "1") + layer(1, 1, 2, "01")
        )
    ]
    assert seen == [
        (0, "height", -1, "any", "start"),
        (0, "width", -1, "any", "height:1"),
        (0, "filters", -1, "any", "width:3"),
        (1, "height", -1, "any", "filters:2"),
        (1, "width", -1, "any", "height:3"),
        (1, "filters", -1, "any", "width:5"),
        (1, "skip", 0, "any", "filters:4"),
        (2, "height", -1, "any", "skip:1"),
        (2, "width", -1, "any", "height:1"),
        (2, "filters", -1, "any", "width:1"),
        (2, "skip", 0, "any", "filters:2"),
        (2, "skip", 1, "any", "skip:0"),
    ]
    assert space.action("height:3") == ("height", "3")


# the three repairs, on networks drawn by hand


def conv_norm_relu(module, x, stride, padding):
    """Convolution, batch norm with the batch's own statistics, ReLU; in plain torch."""
    convolution, norm, _ = module
    y = torch.conv2d(x, convolution.weight, None, stride, padding)
    mean = y.mean((0, 2, 3), keepdim=True)
    variance = (y - mean).square().mean((0, 2, 3), keepdim=True)
    y = (y - mean) / (variance + 1e-5).sqrt()
    return relu(y * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1))


def network_of(architecture, shape):
    """The network, with batch norms that do something."""
    generator = torch.Generator().manual_seed(0)
    network = Network(architecture, shape, generator)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(-1, 1, generator=generator)
    return network, torch.randn(5, *shape, generator=generator)


def test_no_input_reads_the_images_and_outputs_that_none_reads_are_joined():
    # 0 and 1 read the images, 2 reads 0; so 1 and 2 are left for the classifier
    walk = layer(3, 1, 2) + layer(1, 5, 4, "0") + layer(3, 3, 6, "10")
    architecture = space_of().architecture(walk)
    assert architecture.text == ("[CB(2,3,1,1,1), CB(4,1,5,1,1)@-1, CB(6,3,3,1,1)@0, SM(10)@1,2]")
    assert layer_costs(architecture, (3, 8, 8)) == [
        # weights and two numbers a filter; multiply-adds of the weights and of the batch norm
        ((2, 8, 8), 2 * 3 * 3 + 4, 2 * 3 * 3 * 64 + 2 * 64),
        ((4, 8, 8), 4 * 3 * 5 + 8, 4 * 3 * 5 * 64 + 4 * 64),
        ((6, 8, 8), 6 * 2 * 9 + 12, 6 * 2 * 9 * 64 + 6 * 64),
        ((10,), 10 * 64 * 10 + 10, 10 * 64 * 10),
    ]
    network, images = network_of(architecture, (3, 8, 8))
    a, b, c, (_, classifier) = network.layers
    first = conv_norm_relu(a, images, 1, (1, 0))
    second = conv_norm_relu(b, images, 1, (0, 2))
    third = conv_norm_relu(c, first, 1, (1, 1))
    scores = torch.cat([second, third], 1).flatten(1) @ classifier.weight.T + classifier.bias
    torch.testing.assert_close(network(images), scores)


def test_smaller_inputs_are_padded_with_zeros_at_the_right_and_the_bottom():
    space = space_of(depth=2, strides=[1, 2])
    walk = (
        *("height:1", "width:1", "stride-height:2", "stride-width:1", "filters:2"),
        *("height:1", "width:3", "stride-height:1", "stride-width:2", "filters:4", "skip:0"),
    )
    architecture = space.architecture(walk)
    assert architecture.text == "[CB(2,1,1,2,1), CB(4,1,3,1,2)@-1, SM(10)@0,1]"
    # of 7 rows every second one is 4 of them, of 5 columns 3
    costs = layer_costs(architecture, (3, 7, 5))
    assert [cost.shape for cost in costs] == [(2, 4, 5), (4, 7, 3), (10,)]
    assert costs[2].parameters == (2 + 4) * 7 * 5 * 10 + 10
    network, images = network_of(architecture, (3, 7, 5))
    a, b, (_, classifier) = network.layers
    joined = torch.zeros(5, 6, 7, 5)
    joined[:, :2, :4, :] = conv_norm_relu(a, images, (2, 1), 0)
    joined[:, 2:, :, :3] = conv_norm_relu(b, images, (1, 2), (0, 1))
    scores = joined.flatten(1) @ classifier.weight.T + classifier.bias
    torch.testing.assert_close(network(images), scores)


def test_a_layer_reads_several_in_the_order_of_its_inputs():
    walk = layer(1, 1, 2) + layer(1, 1, 4, "1") + layer(1, 1, 6, "11")
    architecture = space_of().architecture(walk)
    assert architecture.text == "[CB(2,1,1,1,1), CB(4,1,1,1,1), CB(6,1,1,1,1)@0,1, SM(10)]"
    network, images = network_of(architecture, (3, 8, 8))
    a, b, c, (_, classifier) = network.layers
    first = conv_norm_relu(a, images, 1, 0)
    second = conv_norm_relu(b, first, 1, 0)
    third = conv_norm_relu(c, torch.cat([first, second], 1), 1, 0)
    torch.testing.assert_close(
        network(images), third.flatten(1) @ classifier.weight.T + classifier.bias
    )


def test_without_skip_connections_it_is_a_chain():
    space = space_of(skip_connections=False, depth=2)
    assert "skip" not in space.vocabulary
    architecture = space.architecture(layer(1, 3, 2) + layer(3, 5, 6))
    assert architecture.text == "[CB(2,1,3,1,1), CB(6,3,5,1,1), SM(10)]"


# layer types, growth, counts


def test_pooling_layers_have_as_many_filters_as_they_read():
    space = space_of(depth=2, layer_types=["convolution", "max-pooling", "average-pooling"])
    assert space.vocabulary["filters"] == ("filters:2", "filters:4", "filters:6", "filters:same")
    assert options(space, "type:max-pooling", "height:3", "width:1") == ("filters:same",)
    convolution = ("type:convolution", "height:3", "width:1")
    assert options(space, *convolution) == ("filters:2", "filters:4", "filters:6")
    walk = (
        *("type:max-pooling", "height:3", "width:5", "filters:same"),
        *("type:average-pooling", "height:1", "width:3", "filters:same", "skip:1"),
    )
    assert space.architecture(walk).text == "[MP(3,5,1,1), AP(1,3,1,1), SM(10)]"


def test_what_has_one_value_is_not_decided():
    space = space_of(depth=1, heights=[5], filters=[4], layer_types=["convolution", "max-pooling"])
    assert list(space.vocabulary) == ["type", "width"]
    assert space.architecture(["type:convolution", "width:3"]).text == "[CB(4,5,3,1,1), SM(10)]"
    assert space.architecture(["type:max-pooling", "width:1"]).text == "[MP(5,1,1,1), SM(10)]"


def test_depth_grows_by_the_stage_up_to_its_limit():
    space = space_of(depth=2, growth=3, max_depth=7)
    assert [space.initial_state(stage).depth for stage in range(4)] == [2, 5, 7, 7]
    assert space_of(depth=2).initial_state(9).depth == 2
    generator = np.random.default_rng(0)
    for stage, depth in enumerate([2, 5, 7]):
        walk = random_walk(space, generator, stage)
        assert len(walk) == 3 * depth + depth * (depth - 1) // 2
        assert len(space.architecture(walk).nodes) == depth + 1
        with pytest.raises(IllegalMove, match=f"position {len(walk)}: .* not complete"):
            space.architecture(walk[:-1])
    with pytest.raises(IllegalMove, match=f"position {len(walk) + 1}: .* after .* complete"):
        space.architecture([*walk, "height:1"])


def test_rows_have_the_same_decision_at_every_stage():
    space = make_space("nas-cifar10")
    tables = [enumerate_rows(space, stage) for stage in range(4)]
    for smaller, larger in zip(tables, tables[1:], strict=False):
        assert smaller.items() <= larger.items()
        assert len(smaller) < len(larger)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        # two layers of two kinds, joined or not
        ({"depth": 2, "widths": [1], "filters": [2]}, 2 * 2 * 2),
        # convolutions of 2 heights and 3 filters, poolings of 2 heights
        (
            {"depth": 1, "widths": [1], "layer_types": ["convolution", "max-pooling"]},
            2 * 3 + 2,
        ),
        ({"depth": 2, "skip_connections": False}, (2 * 3 * 3) ** 2),
        ({"depth": 2, "strides": [1, 2, 3]}, (2 * 3 * 3 * 9) ** 2 * 2),
        ({"depth": 30, "widths": [1], "filters": [2]}, 2**30 * 2 ** (30 * 29 // 2)),
    ],
)
def test_counts_by_hand(changes, count):
    assert count_architectures(space_of(**changes)) == count


def test_the_presets_have_the_published_sizes():
    # Zoph & Le 2017: 6 layers of 4 x 4 x 4; Lei & Xiong: 2 layers of 3 x 3 x 3
    assert count_architectures(make_space("nas-cifar10")) == 64**6 * 2**15
    assert make_space("nas-cifar10").initial_state(4).depth == 14
    assert count_architectures(make_space("lei-xiong")) == 27**2


# one digest for one graph, and its text


def test_walks_that_list_the_same_layers_in_another_order_have_one_digest():
    space = space_of(depth=2, widths=[1], filters=[2])
    tokens = ["height:1", "height:3"], ["height:1", "height:3"], ["skip:0", "skip:1"]
    digests = {space.architecture(walk).digest for walk in product(*tokens)}
    # 4 pairs one behind the other, 3 side by side
    assert len(digests) == 7


def test_the_layers_of_a_text_may_stand_in_any_order():
    space = space_of()
    walk = layer(3, 1, 2) + layer(1, 5, 4, "0") + layer(3, 3, 6, "10")
    texts = [
        "[CB(2,3,1,1,1), CB(4,1,5,1,1)@-1, CB(6,3,3,1,1)@0, SM(10)@1,2]",
        "[CB(4,1,5,1,1), CB(2,3,1,1,1)@-1, CB(6,3,3,1,1), SM(10)@2,0]",
        "[CB(2,3,1,1,1), CB(6,3,3,1,1), CB(4,1,5,1,1)@-1, SM(10)@2,1]",
    ]
    assert [space.parse(text) for text in texts] == [walk] * 3


@pytest.mark.parametrize(
    ("text", "error", "problem"),
    [
        ("[CB(2,1,1,1,1), P(2,2), SM(10)]", NotationError, "character 17: unknown layer 'P', "),
        ("[SM(10), SM(10)]", NotationError, "SM(10) is not a layer of this space, which has CB"),
        ("[CB(2,1,1,1,1), SM(9)]", NotationError, "SM(9) has 9 classes, the data set has 10"),
        ("[CB(3,1,1,1,1), SM(10)]", IllegalMove, "position 3: filters:3 is not allowed here"),
        ("[MP(1,1,1,1), SM(10)]", IllegalMove, "position 3: filters:same is not allowed here"),
        ("[CB(2,1,1,1,1), SM(10)]", IllegalMove, "position 4: the architecture is not complete"),
        (
            "[CB(2,1,1,1,2), CB(2,1,1,1,1), SM(10)]",
            NotationError,
            "is not a network of this space; these layers make [CB(2,1,1,1,1), CB(2,1,1,1,1), ",
        ),
        ("[CB(2,1,1,1,1), CB(2,1,1,1,1), SM(10)@0,1]", NotationError, "is not a network of this"),
        ("[CB(2,1,1,1,1), CB(2,1,1,1,1)@-1,0, SM(10)]", NotationError, "is not a network of this"),
        ("[CB(2,1,1,1,1), CB(2,1,1,1,1), SM(10)] rate=0.1", NotationError, "is not a network of"),
    ],
)
def test_texts_of_other_spaces_are_refused(text, error, problem):
    with pytest.raises(error) as caught:
        space_of(depth=2).parse(text)
    assert problem in str(caught.value)


# bad TOML files


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("depth", 0, "depth must be a whole number from 1 to 100, not 0"),
        ("growth", -1, "growth must be a whole number from 0 to 100, not -1"),
        ("max-depth", 2, "max-depth must be at least depth, 3, not 2"),
        ("heights", [1, 2], "heights must be a list of distinct odd numbers from 1 to 99"),
        ("widths", [], "widths must be a list of distinct odd numbers from 1 to 99, not []"),
        ("filters", [8, 8], "filters must be a list of distinct whole numbers from 1 to 65536"),
        ("strides", [0], "strides must be a list of distinct whole numbers from 1 to 8, not [0]"),
        ("skip-connections", 1, "skip-connections must be true or false, not 1"),
        ("layer-types", ["max-pooling"], "convolution among them, not ['max-pooling']"),
        ("layer-types", ["convolution", "dense"], "a list of distinct names of convolution, max-"),
        ("filter", [8], "unknown key filter; did you mean filters?"),
    ],
)
def test_impossible_values_are_refused_by_name(key, value, problem):
    with pytest.raises(MetaqnnError) as error:
        bind_space(copy.deepcopy(HAND) | {key: value}, (3, 8, 8), 10)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_without_decisions_is_refused():
    with pytest.raises(MetaqnnError, match="there is nothing to decide"):
        space_of(heights=[3], widths=[3], filters=[8])


def test_a_q_table_of_a_grown_space_is_loaded():
    space = make_space("nas-cifar10")
    table = QTable(space, 0.5)
    walk = random_walk(space, np.random.default_rng(0), stage=2)
    trajectory = table.trajectory(walk, stage=2)
    table.visit(trajectory)
    table.sweep(trajectory, 1.0, 0.1, 1.0)
    other = QTable(space, 0.5)
    load_frame(other, table_frame(table))
    assert sorted(other.q) == sorted(table.q)
    assert len(other.rows) == len(table.rows)


def test_a_network_with_loose_layers_beside_the_classifier_is_refused():
    space = make_space("nas-digits")
    text = "[CB(8,3,3,1,1), CB(8,3,3,1,1), CB(8,3,3,1,1), SM(10)@0]"
    with pytest.raises(NotationError, match="SM must read every layer that no other layer reads"):
        space.parse(text)
