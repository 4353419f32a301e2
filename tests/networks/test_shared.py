"""Layers that begin with the ReLU of one value: it is computed once."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.networks import build
from metaqnn.networks.build import Network
from metaqnn.networks.cost import place_ops, shared_relus
from metaqnn.networks.memory import activation_bytes
from metaqnn.networks.modules import Factorised
from metaqnn.networks.notation import read

# the images, layer 0 and layer 3 have several readers that begin with a ReLU
TEXT = (
    "[RC(6,3,3,1,1), RELU@-1, SC(6,3,1)@0, RC(6,1,1,1,1)@0, ADD@2,3, DC(4,3,1)@3, RC(4,3,3,1,1)@3, "
    "AP(3,3,1,1)@3, RELU@4, SC(4,3,1)@3,5, CAT@1,6,7,8,9, FR(6), AVG, SM(3)]"
)
SHAPE = (3, 7, 8)


def test_which_layers_share_by_hand():
    network = read(TEXT)
    assert shared_relus(network.nodes, place_ops(network, SHAPE)) == {
        -1: [0, 1],
        0: [2, 3],
        3: [5, 6],
    }


def gradients(network, images):
    torch.nn.functional.cross_entropy(network(images), torch.arange(len(images)) % 3).backward()
    return [weights.grad for weights in network.parameters()]


def test_it_changes_no_value_and_no_gradient(monkeypatch):
    def make():
        return Network(read(TEXT), SHAPE, torch.Generator().manual_seed(1))

    shared = make()
    monkeypatch.setattr(build, "shared_relus", lambda *_: {})
    alone = make()
    assert shared.rectified == {0, 1, 2, 3, 5, 6} and not alone.rectified
    assert shared.state_dict().keys() == alone.state_dict().keys()
    images = torch.randn(6, *SHAPE)
    assert torch.equal(shared(images), alone(images))
    for one, other in zip(gradients(shared, images), gradients(alone, images), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_relu_runs_once_a_value(monkeypatch):
    network = Network(read(TEXT), SHAPE, torch.Generator().manual_seed(1))
    counted = []
    relu, function = torch.Tensor.relu, torch.nn.functional.relu
    monkeypatch.setattr(torch.Tensor, "relu", lambda x: (counted.append("shared"), relu(x))[1])
    monkeypatch.setattr(
        torch.nn.functional,
        "relu",
        lambda x, inplace=False: (counted.append(inplace), function(x, inplace))[1],
    )
    network(torch.randn(2, *SHAPE))
    # layers 8 and 9 have ReLUs of their own, and separable convolutions one within
    assert counted.count("shared") == 3 and counted.count(False) == 2


def test_memory_counts_it_once():
    network = read("[BN, RC(2,1,1,1,1)@0, RC(2,3,3,1,1)@0, ADD@1,2, SM(3)]")
    # images, norm, ReLU, two convolutions and what their norms make of them, sum, scores
    assert activation_bytes(network, (1, 2, 2)) == 4 * (4 + 4 + 4 + 2 * (8 + 8) + 8 + 3)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5), st.integers(2, 7), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99)
)
def test_a_factorised_reduction_is_the_same_while_it_is_trained(
    channels, filters, height, width, seed
):
    torch.manual_seed(seed)
    reduction = Factorised(channels, filters)
    reduction.norm = torch.nn.Identity()
    images = torch.randn(3, channels, height, width)
    trained = reduction(images)
    assert trained.shape[2:] == (-(-height // 2), -(-width // 2))
    assert torch.allclose(trained, reduction.eval()(images), atol=1e-5)
    odd = reduction.odd(
        torch.from_numpy(np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)))[:, :, 1:, 1:])
    )
    assert torch.allclose(trained, torch.cat([reduction.even(images), odd], 1), atol=1e-5)
