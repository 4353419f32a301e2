"""What is told of networks before they are trained: by hand, and for every op that a space has."""

import math

import numpy as np
import pytest
import torch

from metaqnn.networks.build import Network
from metaqnn.networks.notation import read
from metaqnn.networks.zero_cost import CONSTANT, jacov, look_at, naswot, signals, synflow
from state_space import random_walk
from tests.helpers.spaces import make_space

SHAPE = (1, 8, 8)


def network(text, shape=SHAPE):
    return Network(read(text), shape, torch.Generator().manual_seed(3)).eval()


def images(count=4, shape=SHAPE):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(1))


def test_the_flow_of_two_layers_is_twice_the_sum_over_all_paths():
    # without biases and with weights above 0 each layer's sum of w dR/dw is R itself
    made = network("[FC(4), SM(10)]")
    first, second = (
        weights.detach().double().abs() for weights in made.parameters() if weights.dim() > 1
    )
    paths = (second @ first).sum().item()
    assert synflow(made, SHAPE).item() == pytest.approx(math.log(2 * paths), rel=1e-12)


def test_batch_norms_that_have_seen_something_change_no_flow():
    text = "[CB(4,3,3,1,1), CB(4,3,3,1,1), SM(10)]"
    fresh, used = network(text), network(text)
    used.train()
    used(5 + 3 * images(16))
    used.eval()
    assert synflow(used, SHAPE) == synflow(fresh, SHAPE)


def test_codes_by_hand():
    # three ReLUs: the images agree in one, each with itself in all; |3 1; 1 3| with 1 added: 15
    codes = torch.tensor([[1.0, 0, 1], [1, 1, 0]], dtype=torch.float64)
    assert naswot(codes).item() == pytest.approx(math.log(15))
    alike = torch.ones(2, 3, dtype=torch.float64)  # |4 3; 3 4| = 7
    assert naswot(alike).item() == pytest.approx(math.log(7))
    assert naswot(torch.zeros(5, 0, dtype=torch.float64)).item() == 0


def test_gradients_by_hand():
    # correlations of 0: the eigenvalues are 1; of 1: two and nothing
    apart = torch.tensor([[1.0, -1, 0, 0], [0, 0, 1, -1]], dtype=torch.float64)
    alike = torch.tensor([[1.0, -1, 0, 0], [2, -2, 0, 0]], dtype=torch.float64)
    k = CONSTANT
    one = math.log(1 + k) + 1 / (1 + k)
    assert jacov(apart).item() == pytest.approx(-math.log(2 * one), rel=1e-9)
    both = math.log(2 + k) + 1 / (2 + k) + math.log(k) + 1 / k
    assert jacov(alike).item() == pytest.approx(-math.log(both), rel=1e-6)
    nothing = torch.tensor([[1.0, -1, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    assert jacov(nothing).item() == pytest.approx(-math.log(both), rel=1e-6)


def test_what_is_looked_at_is_what_the_layers_compute():
    made, batch = network("[FC(6), SM(10)]"), images()
    codes, gradients = look_at(made, batch)
    first, second = (weights.detach() for weights in made.parameters() if weights.dim() > 1)
    hidden = batch.flatten(1) @ first.T
    assert (codes == (hidden > 0)).all()
    expected = ((hidden > 0) * second.sum(0)) @ first
    torch.testing.assert_close(gradients, expected.double(), atol=1e-5, rtol=1e-5)


def test_looking_leaves_hooks_and_modes_as_they_were():
    made = network("[CB(4,3,3,1,1), FC(6), SM(10)]")
    look_at(made, images())
    assert not any(module.training or module._forward_hooks for module in made.modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "nas-digits", "practical", "mnist-small"])
def test_every_network_has_finite_signals_always_the_same(name):
    space = make_space(name)
    generator = np.random.default_rng(0)
    shape = (3, 32, 32) if name == "practical" else (1, 28, 28) if "mnist" in name else SHAPE
    batch = images(4, shape)
    before = torch.get_rng_state()
    for _ in range(3):
        architecture = space.architecture(random_walk(space, generator))
        found = signals(architecture, batch)
        assert len(found) == 4
        assert np.isfinite(found).all(), architecture.text
        assert found == signals(architecture, batch)
    assert (torch.get_rng_state() == before).all()


def test_a_network_without_relus_and_the_number_of_its_parameters():
    found = signals(read("[SM(10)]"), images())
    assert found[0] == pytest.approx(math.log(64 * 10 + 10))
    assert found[2] == 0  # it has no ReLUs
