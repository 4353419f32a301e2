"""The laws of search spaces, for every registered one."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from metaqnn import testing
from metaqnn.networks.build import Network
from metaqnn.networks.cost import total_cost
from metaqnn.testing import sample_walks as walks
from state_space import legal_walk, scaled
from tests import ROOT
from tests.helpers.spaces import SHAPES, SPACE_NAMES, make_space, space_parameter

TRAINABLE = [name for name in SPACE_NAMES if make_space(name).trainable]


def test_the_laws_of_spaces(space):
    testing.check_space(space)


def has_a_walk_a_network(space):
    """In a graph, the same layers in another order are another walk; a motif may be of no use."""
    return not {"skip", "reads", "row", "level-2"} & set(space.vocabulary)


def test_a_walk_comes_back_from_its_text(space):
    if has_a_walk_a_network(space):
        for walk in walks(space):
            assert space.parse(space.text(walk)) == walk


def test_all_rows_are_enumerated(space):
    rows = space.rows()
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
        "from tests.helpers.spaces import make_space, space_parameter\n"
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


def walk_of_missing(space, missing, generator, stage):
    """A random walk of tokens that are missing, wherever there are any."""
    state, walk = space.initial_state(stage), []
    while (decision := space.decision(state)) is not None:
        options = [token for token in decision.options if token in missing] or decision.options
        walk.append(options[generator.integers(len(options))])
        state = space.step(state, walk[-1])
    return walk


@pytest.mark.parametrize("name", [*map(space_parameter, TRAINABLE)])
def test_every_token_can_be_built_run_and_trained(name):
    space = make_space(name)
    # networks as small as can be, of spaces that know a scale
    space = scaled(space, {key: max(1, value // 16) for key, value in space.scale.items()})
    shape = SHAPES.get(name, (3, 32, 32))
    missing = {token for tokens in space.vocabulary.values() for token in tokens}
    generator = np.random.default_rng(0)
    for number in range(400):
        # some are too large with another that is missing
        wanted = missing if number % 4 < 2 else set()
        walk = walk_of_missing(space, wanted, generator, 9 * (number % 2))
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
