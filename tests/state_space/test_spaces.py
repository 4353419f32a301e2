"""The laws of search spaces, for every registered one."""

import os
import subprocess
import sys

import pytest
import torch

from metaqnn import testing
from metaqnn.networks.build import Network
from metaqnn.networks.cost import total_cost
from metaqnn.testing import sample_walks as walks
from state_space import enumerate_rows, legal_walk
from tests import ROOT
from tests.helpers.spaces import SHAPES, SPACE_NAMES, make_space

TRAINABLE = [name for name in SPACE_NAMES if make_space(name).trainable]


def test_the_laws_of_spaces(space):
    testing.check_space(space)


def has_a_walk_a_network(space):
    """In a graph, the same layers in another order are another walk; a motif may be of no use."""
    return not {"skip", "reads", "level-2"} & set(space.vocabulary)


def test_a_walk_comes_back_from_its_text(space):
    if has_a_walk_a_network(space):
        for walk in walks(space):
            assert space.parse(space.text(walk)) == walk


def test_all_rows_are_enumerated(space):
    rows = enumerate_rows(space)
    for walk in walks(space):
        for state, decision, _ in legal_walk(space, walk):
            assert rows[space.observation(state)] == decision


def test_different_networks_have_different_digests(space):
    known = {walk: space.architecture(walk) for walk in walks(space, 200)}
    digests = {architecture.digest for architecture in known.values()}
    assert len(digests) == len({architecture.text for architecture in known.values()})
    if has_a_walk_a_network(space):
        assert len(digests) == len(known)


@pytest.mark.slow
@pytest.mark.parametrize("space_name", SPACE_NAMES)
def test_digests_are_the_same_in_every_process(space_name):
    space = make_space(space_name)
    walk = walks(space, 1)[0]
    text, digest = space.architecture(walk).text, space.architecture(walk).digest
    code = (
        "from tests.helpers.spaces import make_space\n"
        f"space = make_space({space_name!r})\n"
        f"print(space.architecture(space.parse({text!r})).digest)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == digest


@pytest.mark.parametrize("name", TRAINABLE)
def test_every_token_can_be_built_run_and_trained(name):
    space = make_space(name)
    shape = SHAPES.get(name, (3, 32, 32))
    missing = {token for tokens in space.vocabulary.values() for token in tokens}
    for walk in walks(space, 400):
        if not missing & set(walk):
            continue
        architecture = space.architecture(walk)
        if total_cost(architecture, shape).multiply_adds > 10**9:
            continue
        missing -= set(walk)
        network = Network(architecture, shape, torch.Generator().manual_seed(0))
        scores = network(torch.rand(2, *shape))
        assert scores.shape == (2, 10)
        scores.square().mean().backward()
        for parameter in network.parameters():
            assert parameter.grad is not None
    assert not missing
