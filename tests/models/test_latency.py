"""How long networks take is measured, of what they will be exported as."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from metaqnn.errors import NoLatency
from metaqnn.models import latency
from metaqnn.models.formats import export
from metaqnn.models.latency import median_latency, network_latency
from metaqnn.models.model import Facts
from metaqnn.models.network import Normalised
from metaqnn.networks.build import Network
from metaqnn.networks.notation import read
from state_space import random_walk
from tests.helpers.networks import make_network
from tests.helpers.spaces import SHAPES, make_space


def exported(text, tmp_path):
    """The ONNX file of a network with random weights, which reads 16x16 images."""
    network = Network(read(text), (3, 16, 16), torch.Generator().manual_seed(0)).eval()
    names = tuple(map(str, range(10)))
    export(network, Facts(text, (3, 16, 16), names, (0.0,) * 3, (1.0,) * 3), tmp_path / "n.onnx")
    return (tmp_path / "n.onnx").read_bytes()


@pytest.mark.slow
def test_a_network_of_a_hundred_times_the_work_takes_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(latency, "MEASURED", 0.02)
    small = median_latency(exported("[C(4,3,1), SM(10)]", tmp_path), (3, 16, 16))
    large = median_latency(exported("[C(64,3,1), C(64,3,1), SM(10)]", tmp_path), (3, 16, 16))
    assert 0 < small < large < 1


@pytest.mark.slow
def test_what_a_busy_machine_does_now_and_then_is_left_out(tmp_path, monkeypatch):
    """A clock on which every third run takes ten seconds, the others 3 ms, and for a while 2 ms."""
    clock, calls = [0.0], [0]

    def tell():
        calls[0] += 1
        usual = 0.002 if 16 < calls[0] < 28 else 0.003
        clock[0] += 0.0 if calls[0] % 2 else (10.0 if calls[0] % 6 == 0 else usual)
        return clock[0]

    monkeypatch.setattr(latency, "clock", tell)
    model = exported("[C(4,3,1), SM(10)]", tmp_path)
    assert abs(median_latency(model, (3, 16, 16)) - 0.002) < 1e-9


WALKS = {name: make_space(name) for name in ("digits", "practical", "cell-201-small", "nas-digits")}


@pytest.mark.slow
@pytest.mark.parametrize("contrast", [False, True])
@pytest.mark.parametrize("name", WALKS)
def test_what_is_timed_computes_what_the_network_does(name, contrast):
    shape = SHAPES.get(name, (3, 32, 32))
    walk = random_walk(WALKS[name], np.random.default_rng(5))
    text = WALKS[name].architecture(walk).text
    network, facts = make_network(text, shape)
    facts = replace(facts, contrast=contrast)
    image = np.random.default_rng(0).uniform(0, 255, (1, *shape)).astype(np.float32)
    with torch.inference_mode():
        expected = Normalised(network, facts)(torch.from_numpy(image)).numpy()
    session = onnxruntime.InferenceSession(
        latency._export(network, facts), providers=["CPUExecutionProvider"]
    )
    (scores,) = session.run(None, {"images": image})
    assert np.abs(scores - expected).max() < 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", ["digits", "practical"])
def test_a_network_is_measured_before_it_is_trained(name, monkeypatch):
    monkeypatch.setattr(latency, "MEASURED", 0.01)
    space, shape = WALKS[name], SHAPES.get(name, (3, 32, 32))
    architecture = space.architecture(random_walk(space, np.random.default_rng(1)))
    _, facts = make_network(architecture.text, shape)
    assert 0 < network_latency(architecture, facts) < 1


def test_a_network_that_no_file_can_hold_is_not_built():
    text = "[FC(40000), FC(40000), SM(10)]"
    facts = Facts(text, (1, 28, 28), tuple("0123456789"), (0.0,), (1.0,))
    with pytest.raises(NoLatency, match=r"its weights have 6,[0-9,]* bytes, too many"):
        network_latency(read(text), facts)


SMALL = Facts("[SM(10)]", (1, 8, 8), tuple("0123456789"), (0.0,), (1.0,))


class Complex(nn.Module):
    """Has an operator that ONNX does not."""

    def forward(self, images):
        return torch.linalg.eigvals(images).real


def test_a_network_that_has_no_latency_says_why(monkeypatch):
    with pytest.raises(NoLatency, match="ShapeError: "):
        network_latency(read("[GAP(10), C(8,3,1), SM(10)]"), SMALL)
    monkeypatch.setattr(latency, "Normalised", lambda *_: Complex())
    with pytest.raises(NoLatency, match="UnsupportedOperatorError: .*linalg_eigvals"):
        network_latency(read("[SM(10)]"), SMALL)
    monkeypatch.setattr(latency, "_export", lambda *_: b"no model")
    with pytest.raises(NoLatency, match=r"Invalid\w+: |Fail: "):
        network_latency(read("[SM(10)]"), SMALL)


@pytest.mark.parametrize("error", [MemoryError, RuntimeError, TypeError])
def test_what_is_not_of_the_network_is_told_as_it_is(monkeypatch, error):
    def fail(*_):
        raise error("of the machine")

    monkeypatch.setattr(latency, "_export", fail)
    with pytest.raises(error, match="of the machine"):
        network_latency(read("[SM(10)]"), SMALL)
