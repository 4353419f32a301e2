"""Networks in whole numbers of 8 bits."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import metaqnn
from metaqnn import registry
from metaqnn.data.images import Images
from metaqnn.errors import MetaqnnError
from metaqnn.models.formats import to_onnx
from metaqnn.models.quantised import pixels, quantise
from tests.helpers.networks import make_network

SHAPE = (3, 16, 16)

NETWORKS = {
    "chain": "[C(32,3,1), C(32,3,1), P(2,2), BN, C(64,3,1), P(3,2), FC(64), SM(10)]",
    "head of one dimension less": "[C(32,3,1), C(64,1,1), GAP(10), SM(10)]",
    "graph": "[CB(32,3,5,1,1), CB(32,3,3,2,2)@-1,0, MP(3,3,1,1)@0, AP(3,3,2,1)@1,2, SM(10)]",
    "residual, attention and separable": "[CB(24,3,3,1,1), R(24,3), DB(3,2), SE(4), AVG, "
    "SM(10)] where R(F,K) = [CB(F,K,K,1,1), CB(F,K,K,1,1), ADD@1,-1]",
}


def draw(shape, count=256):
    """Images of all levels; some of them are all black and all white."""
    values = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    values[0], values[1] = 0, 255
    return Images(torch.from_numpy(values), torch.zeros(count, dtype=torch.int64), tuple("abc"))


def score(model, images):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    parts = [session.run(["scores"], {"images": part})[0] for part in pixels(images)]
    return np.concatenate(parts)


def weight_bytes(model):
    """Of all tensors that are no single number for each channel."""
    tensors = onnx.load_model_from_string(model).graph.initializer
    return sum(len(tensor.raw_data) for tensor in tensors if len(tensor.dims) > 1)


@pytest.mark.slow
def test_what_8_bits_hold_is_computed_without_error(tmp_path):
    """Levels of 0 to 255 and weights of -127 to 127, as whole numbers, lose nothing."""
    shape = (1, 4, 4)
    network, facts = make_network("[SM(3)]", shape)
    facts = replace(facts, mean=(0.0,), deviation=(1.0,))
    weights, bias = network.parameters()
    drawn = np.random.default_rng(0)
    whole = drawn.integers(-126, 127, weights.shape)
    whole[:, 0] = 127  # so the scale of every class is 1
    with torch.no_grad():
        weights.copy_(torch.from_numpy(whole))
        bias.copy_(torch.tensor([7.0, -3.0, 0.0]))
    images = draw(shape)
    model = quantise(to_onnx(network, facts), facts, images)
    flat = images.images.numpy().reshape(len(images), -1).astype(np.int64)
    expected = flat @ whole.reshape(3, -1).T + np.array([7, -3, 0])
    assert np.array_equal(score(model, images), expected)
    path = tmp_path / "network.int8.onnx"
    path.write_bytes(model)
    read = metaqnn.load(path)  # without trust
    assert read.facts == facts
    assert np.array_equal(read.scores(images.images.numpy()), expected)


@pytest.mark.slow
@pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
def test_scores_stay_close_and_weights_are_a_quarter(tmp_path, text):
    network, facts = make_network(text, SHAPE)
    images = draw(SHAPE)
    plain = to_onnx(network, facts)
    model = quantise(plain, facts, images)
    expected, found = score(plain, images), score(model, images)
    assert np.sqrt(np.square(found - expected).mean()) < 0.1 * expected.std()
    assert 0.25 <= weight_bytes(model) / weight_bytes(plain) < 0.26
    assert model == quantise(plain, facts, images), "the same file twice"
    path = tmp_path / "network.int8.onnx"
    path.write_bytes(model)
    assert np.abs(metaqnn.load(path).score(next(pixels(images))) - found).max() < 1e-4


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setattr(
        registry, "find_spec", lambda name: None if name == "onnxruntime" else object()
    )
    with pytest.raises(MetaqnnError, match=r"^int8 needs onnxruntime: .*'metaqnn\[onnx\]'$"):
        quantise(b"", None, None)
