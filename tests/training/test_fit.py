"""Memory: estimates by hand, batches in parts, and what is refused."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.device import is_out_of_memory, splittings, within_memory
from metaqnn.networks.build import Network
from metaqnn.networks.memory import activation_bytes, weight_bytes
from metaqnn.networks.notation import read
from metaqnn.training.fit import DoesNotFit, check_fit
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from state_space import random_walk
from tests.helpers.pictures import images
from tests.helpers.spaces import SHAPES, make_space

CPU = torch.device("cpu")


def test_bytes_by_hand():
    network = read("[C(4,3,1), P(2,2), D(1,2), FC(5), SM(10)]")
    # weights, gradients and two moments, four bytes each
    parameters = (4 * 9 + 4) + (4 * 16 * 5 + 5) + (5 * 10 + 10)
    assert weight_bytes(network, (1, 8, 8), "adam") == 16 * parameters
    assert weight_bytes(network, (1, 8, 8), "sgd") == 12 * parameters
    # the image; C in float32; P with 8-byte indices; D with its mask; FC; SM
    kept = 4 * 64 + 4 * 4 * 64 + (4 + 8) * 4 * 16 + 2 * 4 * 4 * 16 + 4 * 5 + 4 * 10
    assert activation_bytes(network, (1, 8, 8)) == kept
    halves = 2 * 64 + 2 * 4 * 64 + (2 + 8) * 4 * 16 + 2 * 2 * 4 * 16 + 2 * 5 + 2 * 10
    assert activation_bytes(network, (1, 8, 8), 2) == halves


def test_joined_inputs_need_a_place_of_their_own():
    network = read("[C(4,1,1), C(2,1,1)@-1, SM(10)@0,1]")
    assert activation_bytes(network, (1, 2, 2)) == 4 * (4 + 16 + 8 + 24 + 10)


@contextmanager
def kept_tensors():
    """The storages that autograd keeps, by address."""
    sizes = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


@pytest.mark.parametrize("name", ["digits", "nas-digits", "mnist-small"])
def test_the_estimate_is_near_what_autograd_keeps(name):
    space, drawn = make_space(name), np.random.default_rng(0)
    for _ in range(15):
        architecture = Recipe().dress(space.architecture(random_walk(space, drawn)))
        network = Network(architecture, SHAPES[name], torch.Generator())
        with kept_tensors() as sizes:
            # a first layer keeps what a later one does only where the image wants a gradient
            scores = network(torch.randn(8, *SHAPES[name], requires_grad=True))
        weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
        measured = sum(size for address, size in sizes.items() if address not in weights)
        del scores
        estimate = 8 * activation_bytes(architecture, SHAPES[name])
        # a place may be used again for what is kept later, and a view may keep more than its part
        assert measured / 2 < estimate < 2 * measured, architecture.text


def test_splittings_double_down_to_two_images():
    assert list(splittings(128)) == [1, 2, 4, 8, 16, 32, 64]
    assert list(splittings(3)) == [1]
    assert list(splittings(1)) == [1]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_is_an_allocation_that_failed(error, expected):
    assert is_out_of_memory(error) is expected


def test_an_allocation_that_really_fails_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_other_errors_are_not_tried_again():
    tried = []

    def attempt(splits):
        tried.append(splits)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        within_memory(attempt, 128, CPU)
    assert tried == [1]


@pytest.fixture
def digits():
    return load_split(DataOptions())


@pytest.fixture
def small_memory(monkeypatch):
    """Have every forward pass of more images than this run out of memory, while training."""
    forward = Network.forward

    def limit(most):
        def limited(self, batch):
            if self.training and len(batch) > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return forward(self, batch)

        monkeypatch.setattr(Network, "forward", limited)

    return limit


def test_a_batch_in_parts_trains_the_same_network(digits, small_memory):
    network = read("[C(8,3,1), P(2,2), FC(32), SM(10)]")
    recipe = Recipe(epochs=2, batch_size=64, dropout=False, learning_rate=3e-3)
    whole = train(network, *digits, recipe, seed=1)
    small_memory(16)
    parts = train(network, *digits, recipe, seed=1)
    assert whole.metrics["batch_splits"] == 1
    assert parts.metrics["batch_splits"] == 4
    # of 287 images; rounding may turn one or two
    assert parts.curve == pytest.approx(whole.curve, abs=0.011)


def test_a_network_that_never_fits_fails_with_the_allocator_s_error(digits, small_memory):
    small_memory(1)
    with pytest.raises(torch.OutOfMemoryError):
        train(read("[SM(10)]"), *digits, Recipe(epochs=1, batch_size=8), seed=1)


def test_what_cannot_fit_is_refused_with_both_numbers():
    network = read("[FC(1000), SM(10)]")
    parameters = 64 * 1000 + 1000 + 1000 * 10 + 10
    activations = 4 * (64 + 1000 + 10)
    needed = 16 * parameters + 2 * activations
    check_fit(network, (1, 8, 8), Recipe(), 4, needed)
    check_fit(network, (1, 8, 8), Recipe(), 4, None)
    with pytest.raises(DoesNotFit, match=r"at least 0\.00121 GB .* the device has 0\.00121 GB"):
        check_fit(network, (1, 8, 8), Recipe(), 4, needed - 1)


def test_a_last_batch_of_one_image_suits_a_batch_norm():
    network = read("[CB(4,1,1,4,4), SM(10)]")  # its map is one pixel
    outcome = train(
        network, images(17), images(17), Recipe(epochs=1, batch_size=8, restart_below=0), seed=1
    )
    assert len(outcome.curve) == 1
