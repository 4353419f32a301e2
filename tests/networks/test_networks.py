"""Networks: published and hand-computed costs, and modules that agree with them."""

import numpy as np
import pytest
import torch

from metaqnn.networks.build import Network
from metaqnn.networks.cost import ShapeError, layer_costs, total_cost
from metaqnn.networks.modules import Dropout, join
from metaqnn.networks.notation import read
from metaqnn.networks.ops import OPS
from state_space import random_walk
from tests.helpers.spaces import SHAPES, make_space

TABLE_A1 = [
    (
        "[C(512,5,1), C(256,3,1), C(256,5,1), C(256,3,1), P(5,3), C(512,3,1), C(512,5,1), P(2,2), "
        "SM(10)]",
        11.18,
    ),
    (
        "[C(128,1,1), C(512,3,1), C(64,1,1), C(128,3,1), P(2,2), C(256,3,1), P(2,2), C(512,3,1), "
        "P(3,2), SM(10)]",
        2.17,
    ),
    (
        "[C(128,3,1), C(128,1,1), C(512,5,1), P(2,2), C(128,3,1), P(2,2), C(64,3,1), C(64,5,1), "
        "SM(10)]",
        2.42,
    ),
    (
        "[C(256,3,1), C(256,3,1), P(5,3), C(256,1,1), C(128,3,1), P(2,2), C(128,3,1), SM(10)]",
        1.10,
    ),
    (
        "[C(128,5,1), C(512,3,1), P(2,2), C(128,1,1), C(128,5,1), P(3,2), C(512,3,1), SM(10)]",
        1.66,
    ),
]
"""Baker et al. 2017, table A1: millions of parameters, the classifier left out."""


def without_classifier(text):
    return sum(cost.parameters for cost in layer_costs(read(text), (3, 32, 32))[:-1])


@pytest.mark.parametrize(("text", "millions"), TABLE_A1)
def test_parameters_of_the_published_networks(text, millions):
    # the slides cut the digits off, they do not round: 2,425,216 stands there as 2.42
    assert without_classifier(text) // 10_000 / 100 == millions
    assert make_space("metaqnn-cifar10").parse(text)


def test_parameters_of_the_best_published_network_to_the_unit():
    assert without_classifier(TABLE_A1[0][0]) == 11_181_824


def test_costs_by_hand():
    costs = layer_costs(read("[C(4,3,1), BN, P(3,2), D(1,2), C(2,1,2), FC(5), SM(10)]"), (3, 8, 8))
    assert costs == [
        ((4, 8, 8), 4 * 3 * 9 + 4, 4 * 3 * 9 * 64),
        ((4, 8, 8), 8, 256),
        ((4, 3, 3), 0, 0),
        ((4, 3, 3), 0, 0),
        ((2, 2, 2), 2 * 4 + 2, 2 * 4 * 4),
        ((5,), 8 * 5 + 5, 8 * 5),
        ((10,), 5 * 10 + 10, 5 * 10),
    ]
    assert total_cost(read("[GAP(10), SM(10)]"), (3, 8, 8)) == ((10,), 150, 3 * 10 * 64 + 100)


def test_costs_of_layers_with_height_and_width_by_hand():
    costs = layer_costs(read("[CB(4,3,1,2,1), MP(5,3,1,3), AP(1,3,2,1)@0,1, SM(10)]"), (3, 7, 8))
    assert costs == [
        ((4, 4, 8), 4 * 3 * 3 + 2 * 4, 4 * 3 * 3 * 4 * 8 + 4 * 4 * 8),
        ((4, 4, 3), 0, 0),
        ((8, 2, 8), 0, 0),
        ((10,), 8 * 2 * 8 * 10 + 10, 8 * 2 * 8 * 10),
    ]
    vectors = layer_costs(read("[FC(3), FC(4)@-1, SM(10)@1,0]"), (1, 2, 2))
    assert vectors[2] == ((10,), 7 * 10 + 10, 7 * 10)


def test_pooling_does_not_count_the_padding():
    generator = torch.Generator()
    image = torch.tensor([[[[-1.0, -2.0, -3.0], [-4.0, -5.0, -6.0]]]])
    maxima = OPS["MP"]((3, 3, 1, 2), [(1, 2, 3)]).module(generator)(image)
    assert maxima.tolist() == [[[[-1, -2], [-1, -2]]]]
    means = OPS["AP"]((1, 3, 1, 2), [(1, 2, 3)]).module(generator)(image)
    assert means.tolist() == [[[[-1.5, -2.5], [-4.5, -5.5]]]]


def test_vectors_and_images_are_joined_in_the_order_of_the_inputs():
    a, b = torch.ones(1, 2), torch.zeros(1, 1)
    assert join([a, b]).tolist() == [[1, 1, 0]]
    assert join([b, a]).tolist() == [[0, 1, 1]]
    small, large = torch.ones(1, 1, 1, 2), torch.full((1, 1, 2, 1), 2.0)
    assert join([small, large]).tolist() == [[[[1, 1], [0, 0]], [[2, 0], [2, 0]]]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[CB(4,2,1,1,1), SM(10)]", "layer 1, CB(4,2,1,1,1): its height must be odd"),
        ("[AP(1,4,1,1), SM(10)]", "layer 1, AP(1,4,1,1): its width must be odd"),
        (
            "[C(4,3,1), FC(2), SM(10)@0,1]",
            "layer 3, SM(10): it cannot read images together with vectors: 4x8x8 and 2",
        ),
        ("[C(4,3,1), SM(10)] -> 0,1", "the only output must be the last layer, 1, not 0, 1"),
        ("[C(4,3,1), P(9,2), SM(10)]", "layer 2, P(9,2): a field of 9 does not fit into 8x8"),
        ("[C(4,2,1), SM(10)]", "layer 1, C(4,2,1): a field must be odd"),
        ("[FC(4), C(4,3,1), SM(10)]", "layer 2, C(4,3,1): it needs an image, and reads 4 numbers"),
        ("[GAP(10), P(2,2), SM(10)]", "layer 2, P(2,2): it needs an image"),
    ],
)
def test_layers_that_do_not_fit_are_named(text, problem):
    with pytest.raises(ShapeError) as error:
        layer_costs(read(text), (3, 8, 8))
    assert problem in str(error.value)


def build(text, shape=(3, 8, 8), seed=0):
    return Network(read(text), shape, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["digits", "mnist-small"])
def test_modules_have_the_computed_shapes_and_parameters(name):
    space = make_space(name)
    generator = np.random.default_rng(0)
    for _ in range(20):
        architecture = space.architecture(random_walk(space, generator))
        costs = layer_costs(architecture, SHAPES[name])
        network = Network(architecture, SHAPES[name], torch.Generator().manual_seed(0))
        value = torch.rand(2, *SHAPES[name])
        for layer, cost in zip(network.layers, costs, strict=True):
            value = layer(value)
            assert tuple(value.shape[1:]) == cost.shape
            assert sum(p.numel() for p in layer.parameters()) == cost.parameters


def test_weights_are_xavier_uniform_and_biases_zero():
    convolution = build("[C(64,3,1), SM(10)]").layers[0][0]
    bound = (6 / (3 * 9 + 64 * 9)) ** 0.5
    assert convolution.weight.abs().max() <= bound
    assert convolution.weight.abs().max() > 0.9 * bound
    # a uniform variable on [-b, b] has deviation b / sqrt(3); 1,728 draws give it to 5 %
    assert convolution.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    assert not convolution.bias.any()


def test_relu_follows_convolution_gap_and_fc_but_not_the_classifier():
    images = torch.randn(64, 3, 8, 8)
    for text in ["[C(4,3,1), SM(10)]", "[FC(20), SM(10)]", "[GAP(10), SM(10)]"]:
        network = build(text)
        hidden = network.layers[0](images)
        assert hidden.min() >= 0
        assert network(images).min() < 0


def test_building_and_running_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    network = build("[C(4,3,1), D(1,1), BN, FC(8), SM(10)]")
    network.train()
    network(torch.zeros(2, 3, 8, 8))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_seed_gives_the_same_weights_and_another_others():
    first, same, other = (build("[C(4,3,1), SM(10)]", seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["layers.0.0.weight"], other["layers.0.0.weight"])


def test_dropout_drops_the_share_and_keeps_the_mean():
    dropout = Dropout(0.25, torch.Generator().manual_seed(0))
    dropped = dropout(torch.ones(100_000))
    # deviation of the share: 0.0014; five of them
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.007)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    dropout.eval()
    assert torch.equal(dropout(torch.ones(10)), torch.ones(10))


def test_the_notation_i_n_is_the_probability_i_over_2n():
    network = build("[C(4,3,1), D(1,3), C(4,3,1), D(3,3), SM(10)]")
    assert [round(1 - network.layers[n].keep, 6) for n in (1, 3)] == [round(1 / 6, 6), 0.5]
