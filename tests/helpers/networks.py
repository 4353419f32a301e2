"""Networks, and the way of one through everything."""

import numpy as np
import torch
from click.testing import CliRunner

import metaqnn
from metaqnn.cli import main
from metaqnn.data.images import Images
from metaqnn.models.formats import FORMATS, export, load_network
from metaqnn.models.model import Facts
from metaqnn.models.transfer import transferable, with_classes
from metaqnn.networks.build import Network
from metaqnn.networks.memory import activation_bytes
from metaqnn.networks.notation import read
from metaqnn.reports.drawing import draw
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe

DEEP = read("[C(8,3,1), P(2,2), C(8,3,1), C(8,1,1), FC(32), SM(10)]")
"""Convolutions with and without pooling behind them, and a fully-connected layer."""

CLASSES = tuple("abcdefghij")
"""Those of a network that goes through everything."""


def make_network(text: str, shape: tuple[int, ...]) -> tuple[Network, Facts]:
    """A network with random weights, and batch norms that have seen something."""
    architecture = read(text)
    generator = torch.Generator().manual_seed(0)
    network = Network(architecture, shape, generator)
    network(torch.randn(16, *shape, generator=generator))
    classes = int(architecture.nodes[-1].args[0])
    names = tuple(f'class "{number}"' for number in range(classes))
    channels = shape[0]
    return network.eval(), Facts(text, shape, names, (99.5,) * channels, (55.25,) * channels)


def through_everything(text, tmp_path):
    """Read, count, train a step, export to every format, draw and show; the drawing's lines."""
    shape = (1, 8, 8)
    architecture = read(text)
    assert architecture.text == text
    assert with_classes(architecture, 3).nodes[-1].args == (3,)
    drawn = np.random.default_rng(0)
    pixels = torch.from_numpy(drawn.integers(0, 256, (40, *shape), np.uint8))
    images = Images(pixels, torch.arange(40) % 10, CLASSES)
    recipe = Recipe(epochs=1, batch_size=40, restart_below=0)
    outcome = train(architecture, images, images, recipe, 0, keep_above=-1.0)
    network = Network(architecture, shape, torch.Generator())
    assert outcome.metrics["parameters"] == sum(weights.numel() for weights in network.parameters())
    (tmp_path / "trained.safetensors").write_bytes(outcome.weights)
    trained, facts = load_network(tmp_path / "trained.safetensors")
    assert facts.architecture == text
    assert transferable(trained, architecture, shape)
    scores = None
    for suffix in FORMATS:
        export(trained, facts, tmp_path / f"net{suffix}")
        exported = metaqnn.load(tmp_path / f"net{suffix}", trust=True).scores(pixels.numpy())
        scores = exported if scores is None else scores
        assert np.abs(exported - scores).max() < 1e-5, suffix
    assert activation_bytes(architecture, shape) > 4 * 64
    done = CliRunner().invoke(main, ["show", text, "--input", "1x8x8"])
    assert done.exit_code == 0, done.output
    for layer in architecture.expanded.layers:
        assert layer in done.output
    return draw(architecture, shape)
