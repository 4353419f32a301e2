"""The practical space: its networks for pictures of any size, by hand and by law."""

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
from metaqnn.networks.cost import check_scores, layer_costs, total_cost
from metaqnn.spaces import bind_space, read_space
from state_space import enumerate_rows, random_walk, scaled
from state_space.practical import PracticalSpace
from state_space.practical_layers import CHOICES
from tests.helpers.commands import refused


def practical(shape=(3, 32, 32), classes=10, **keys):
    return bind_space({"space": "practical", **keys}, shape, classes)


def test_the_preset_offers_all_choices():
    space = bind_space(read_space("practical"), (3, 32, 32), 10)
    assert isinstance(space, PracticalSpace)
    assert space.vocabulary == practical().vocabulary
    # a stage has 3 x 2 x 3 x 5 x 2 x 2 choices, stem and head have 3 and 2 x 3 x 3 x 2
    assert space.size() == 3 * 360**3 * 36
    assert len(enumerate_rows(space)) < 100


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(8, 224),
    channels=st.sampled_from([1, 3]),
    classes=st.integers(2, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_network_scores_the_classes_of_pictures_of_every_size(size, channels, classes, seed):
    space = practical((channels, size, size), classes)
    walk = random_walk(space, np.random.default_rng(seed))
    architecture = space.architecture(walk)
    check_scores(architecture, classes)
    shapes = [cost.shape for cost in layer_costs(architecture, (channels, size, size))]
    # what the head reads is a small picture, and not a point already
    last = next(shape for shape in reversed(shapes) if len(shape) == 3)
    assert 2 <= last[1] <= 6
    assert space.parse(space.text(walk)) == space.parse(architecture.text) == walk


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 20))
def test_a_wider_unit_makes_the_same_network_wider(seed, width):
    space = practical()
    walk = random_walk(space, np.random.default_rng(seed))
    usual, wide = space.architecture(walk), space.architecture(walk, {"width": width})
    assert [node.op for node in usual.nodes] == [node.op for node in wide.nodes]
    assert usual.nodes[0].args[0] * width == wide.nodes[0].args[0] * 8
    assert scaled(space, {"width": width}).parse(wide.text) == walk
    more = total_cost(space.architecture(walk, {"width": width + 1}), (3, 32, 32)).multiply_adds
    assert more > total_cost(wide, (3, 32, 32)).multiply_adds


def test_the_first_start_is_the_residual_network_by_hand():
    space = practical()
    walk = space.starts()[0]
    assert space.text(walk) == (
        "3 | x2 pool 1 residual 3x3 | x2 pool 1 residual 3x3 | x2 pool 1 residual 3x3 | max mirror"
    )
    architecture = space.architecture(walk)
    assert architecture.text == (
        "[CB(24,3,3,1,1), CB(48,3,3,1,1), P(2,2), R(48,3), CB(96,3,3,1,1), P(2,2), R(96,3), "
        "CB(192,3,3,1,1), P(2,2), R(192,3), MAX, SM(10)] mirror=1.0 "
        "where R(F,K) = [CB(F,K,K,1,1), CB(F,K,K,1,1), ADD@1,-1]"
    )
    weights = 9 * (3 * 24 + 24 * 48 + 2 * 48**2 + 48 * 96 + 2 * 96**2 + 96 * 192 + 2 * 192**2)
    norms = 2 * (24 + 3 * 48 + 3 * 96 + 3 * 192)
    assert total_cost(architecture, (3, 32, 32)).parameters == weights + norms + 192 * 10 + 10


def test_blocks_by_hand():
    space = practical()
    text = (
        "4 | x1 pool 2 bottleneck 5x5 se | x1.5 stride 1 separable 3x3 | "
        "x1 stride 1 inverted 5x5 se | mean fc64 drop0.4"
    )
    assert space.architecture(space.parse(text)).text == (
        "[CB(32,3,3,1,1), CB(32,3,3,1,1), P(2,2), BSE(32,16,5), BSE(32,16,5), CB(48,3,3,2,2), "
        "S(48,3), CB(48,3,3,2,2), MB(3,5), SE(4), AVG, FC(64), D(4,5), SM(10)] "
        "where BSE(F,N,K) = [CB(N,1,1,1,1), CB(N,K,K,1,1), CB(F,1,1,1,1), SE(4), ADD@3,-1] "
        "where S(F,K) = [DB(K,1), CB(F,1,1,1,1), ADD@1,-1]"
    )


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224)])
def test_starts_are_networks_whose_weights_all_get_gradients(shape):
    space = practical(shape, 5)
    starts = space.starts()
    assert len(set(starts)) == len(starts) >= 3
    mirrored = ["mirror:mirror" in walk for walk in starts]
    # those of colour are, but for one that is else like the first
    assert mirrored == ([True] * 3 + [False] if shape[0] == 3 else [False] * 3)
    if shape[0] == 3:
        assert {
            (one, other) for one, other in zip(starts[0], starts[3], strict=True) if one != other
        } == {("mirror:mirror", "mirror:none")}
    for walk in starts:
        assert space.parse(space.text(walk)) == walk
        network = Network(space.architecture(walk), shape, torch.Generator().manual_seed(0))
        network(torch.randn(2, *shape)).logsumexp(1).sum().backward()
        assert all(weights.grad.abs().sum() > 0 for weights in network.parameters())


def test_what_has_one_value_is_no_decision():
    space = practical(attention=["se"], mirror=["mirror"], field=["3x3"], stem=["2"])
    assert "attention" not in space.vocabulary
    walk = random_walk(space, np.random.default_rng(0))
    architecture = space.architecture(walk)
    assert architecture.settings == {"mirror": 1.0}
    assert architecture.nodes[0].args[0] == 16
    assert space.parse(architecture.text) == space.parse(space.text(walk)) == walk
    # of the starts those with what there is
    assert practical(block=["plain", "separable"]).starts() == tuple(
        walk for walk in practical().starts() if "block:plain" in walk
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5 | x2 pool", "'5' is not a stem of this space: 2, 3, 4"),
        ("3 | x2 pool 1", "the end is not a block of this space"),
        ("[C(8,3,1), SM(10)]", "is not a network of this space"),
        ("[CB(24,3,3,1,1), SM(10)] learning-rate=0.1", "is not a network of this space"),
    ],
)
def test_texts_that_are_no_networks_are_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        practical().parse(text)
    walk = practical().starts()[0]
    with pytest.raises(ValueError, match="'more' is no part of a network of this space"):
        practical().parse(practical().text(walk) + " more")


def test_impossible_files_are_refused():
    with pytest.raises(MetaqnnError, match="blocks must be a list of distinct ones of 1, 2, 3"):
        practical(blocks=["4"])
    with pytest.raises(MetaqnnError, match="unknown key blocs; did you mean blocks"):
        practical(blocs=["1"])
    with pytest.raises(MetaqnnError, match="pictures must be at least 4x4, not 3x3"):
        practical((1, 3, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "4 | x1 pool 1 bottleneck 5x5 se | x1.5 stride 1 separable 3x3 se | mean fc64 drop0.4",
        "2 | x1 pool 1 inverted 5x5 se | x1.5 pool 2 plain 3x3 se | max",
        "2 | x1 stride 1 residual 3x3 se | x2 pool 1 residual 5x5 | max drop0.2",
    ],
)
def test_all_blocks_come_back_from_every_format(text, tmp_path):
    shape = (1, 8, 8)
    space = practical(shape)
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


def test_metaqnn_space_shows_it():
    done = CliRunner().invoke(main, ["space", "practical", "--input", "1x8x8"])
    assert done.exit_code == 0, done.output
    for tokens in CHOICES.values():
        for value in tokens:
            assert f":{value}" in done.output


def test_a_run_takes_the_texts_of_starts_and_no_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["run", "--space", "practical", "--budget", "1", "--epochs", "1", "--name", "r"]
    fast = ["--train-limit", "200", "--device", "cpu"]
    space = practical((1, 8, 8))
    started = space.text(space.starts()[1])
    done = CliRunner().invoke(main, [*options, *fast, "--start-from", started])
    assert done.exit_code == 0, done.output
    refused(CliRunner().invoke(main, [*options, "--start-from", "3 | x9"]), "'x9' is not a width")
