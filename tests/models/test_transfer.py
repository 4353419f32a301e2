"""Networks of one's own: trained on any data set, from scratch or from what was exported."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import metaqnn
from metaqnn.cli import main
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.models.transfer import transferable, with_classes
from metaqnn.networks.build import Network
from metaqnn.networks.notation import read
from tests.helpers.commands import refused

FAST = ["--epochs", "1", "--restart-below", "0", "--device", "cpu", "--threads", "1"]

TABLE_A1 = (
    "[C(512,5,1), C(256,3,1), C(256,5,1), C(256,3,1), P(5,3), C(512,3,1), C(512,5,1), P(2,2), "
    "SM(10)]",
    "[C(128,1,1), C(512,3,1), C(64,1,1), C(128,3,1), P(2,2), C(256,3,1), P(2,2), C(512,3,1), "
    "P(3,2), SM(10)]",
    "[C(128,3,1), C(128,1,1), C(512,5,1), P(2,2), C(128,3,1), P(2,2), C(64,3,1), C(64,5,1), "
    "SM(10)]",
    "[C(256,3,1), C(256,3,1), P(5,3), C(256,1,1), C(128,3,1), P(2,2), C(128,3,1), SM(10)]",
    "[C(128,5,1), C(512,3,1), P(2,2), C(128,1,1), C(128,5,1), P(3,2), C(512,3,1), SM(10)]",
)
"""Baker et al. 2017, slides, table A1: the five best networks for CIFAR-10."""


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def make(text, shape, seed=0):
    return Network(read(text), shape, torch.Generator().manual_seed(seed))


def test_heads_get_the_classes_of_the_data():
    found = with_classes(read("[C(8,3,1), C(4,1,1)@-1, GAP(10)@0,1, SM(10)]"), 3)
    assert found.text == "[C(8,3,1), C(4,1,1)@-1, GAP(3)@0,1, SM(3)]"


def test_that_heads_become_others_is_told():
    result = invoke("train", "[SM(4)]", *FAST)
    assert "its heads get 10 classes, as digits has" in result.stderr
    result = invoke("train", "[SM(10)]", *FAST)
    assert "heads" not in result.stderr


def test_equal_layers_are_taken_along_but_for_heads_and_other_shapes():
    """Dropout moves positions; after P(3,2) the FC reads another number of values."""
    source = make("[C(8,3,1), C(8,3,1), D(1,2), P(2,2), C(4,1,1), FC(16), SM(10)]", (1, 8, 8))
    target = read("[C(8,3,1), C(8,5,1), P(3,2), D(1,1), C(4,1,1), FC(16), SM(5)]")
    taken = transferable(source, target, (1, 8, 8))
    assert set(taken) == {f"layers.{place}.0.{name}" for place in (0, 4) for name in PARAMETERS}
    state = source.state_dict()
    assert torch.equal(taken["layers.0.0.weight"], state["layers.0.0.weight"])
    assert torch.equal(taken["layers.4.0.bias"], state["layers.4.0.bias"])
    colours = transferable(source, target, (3, 8, 8))
    assert set(colours) == {f"layers.4.0.{name}" for name in PARAMETERS}


PARAMETERS = ("weight", "bias")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network trained on digits."""
    path = tmp_path_factory.mktemp("transfer") / "digits.safetensors"
    network = "[C(8,3,1), P(2,2), C(16,3,1), SM(10)]"
    options = ["--epochs", "8", "--restart-below", "0", "--device", "cpu", "--threads", "1"]
    result = invoke("train", network, "--to", path, *options)
    assert result.exit_code == 0, result.output
    return path


def test_the_final_error_is_that_of_the_file(tmp_path):
    path = tmp_path / "net.safetensors"
    result = invoke("train", "[C(8,3,1), SM(10)]", "--final", "--to", path, *FAST)
    assert result.exit_code == 0, result.output
    images = load(DataOptions(), "test")
    answers = metaqnn.load(path).scores(images.images).argmax(1)
    wrong = np.mean(answers != images.labels.numpy())
    assert f"test error {wrong:.2%} on 360 images" in result.output


@pytest.fixture
def few(tmp_path):
    """A data set of the digits 0 to 4, a hundred images for training."""
    images = load(DataOptions(), "train")
    chosen = torch.nonzero(images.labels < 5).flatten()[:100]
    path = tmp_path / "few.npz"
    pixels, labels = (values[chosen].numpy() for values in (images.images[:, 0], images.labels))
    np.savez(path, x_train=pixels, y_train=labels)
    return path


def test_a_network_that_knows_digits_learns_some_of_them_faster(trained, few):
    def accuracy(*options):
        data = ["--dataset", f"npz:{few}", "--validation", "30"]
        result = invoke("train", *options, *data, *FAST, "--learning-rate", "3e-3")
        assert result.exit_code == 0, result.output
        return float(result.stdout.partition("validation accuracy ")[2].partition("%")[0])

    network = "[C(8,3,1), P(2,2), C(16,3,1), SM(5)]"
    assert accuracy("--init-from", trained) > accuracy(network) + 10
    told = invoke("train", "--init-from", trained, "--dataset", f"npz:{few}", *FAST)
    assert "4 tensors of" in told.stderr


def test_a_network_that_fails_is_one_line_and_exit_1(few):
    result = invoke(
        *("train", "[C(8,3,1), SM(10)]", "--epochs", "2", "--learning-rate", "1e30"),
        *("--restart-below", "0", "--device", "cpu"),
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: [C(8,3,1), SM(10)] failed: TrainingDiverged")
    result = invoke("train", "[SM(10)]", "--epochs", "1", "--restart-below", "10")
    assert result.exit_code == 0
    assert "stayed at chance" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["NETWORK", "--init-from"]),
        (["[C(8,3,1)"], ["character"]),
        (["[C(8,3,1), P(9,2), SM(10)]"], ["P(9,2)", "8x8"]),
        (["[SM(10)]", "--to", "net.h5"], ["net.h5: the suffix must be one of"]),
        (["[SM(10)]", "--final", "--dataset", "npz:train.npz"], ["x_test has images of shape"]),
        (["[SM(10)]", "--to", "nowhere/net.onnx"], ["there is no folder nowhere"]),
        (["[SM(10)]", "--init-from", "nowhere.safetensors"], ["nowhere.safetensors cannot be"]),
        (["[SM(10)]", "--dataset", "digit"], ["no data set 'digit'", "digits"]),
        (["[SM(10)]", "--recipe", "long"], ["'long' is not one of 'short', 'search'"]),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    labels = np.arange(40) % 4
    np.savez("train.npz", x_train=pixels, y_train=labels, x_test=pixels[:, :7], y_test=labels)
    refused(invoke("train", *arguments), *parts)


def test_a_package_that_an_export_needs_is_missed_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr("metaqnn.registry.find_spec", lambda name: None)
    monkeypatch.setattr("metaqnn.training.loop.train", None)
    result = invoke("train", "[SM(10)]", "--to", tmp_path / "net.onnx", *FAST)
    refused(result, "pip install 'metaqnn[onnx]'")


@pytest.mark.slow
@pytest.mark.parametrize("network", TABLE_A1, ids=range(1, 6))
def test_the_paper_s_networks_are_shown_trained_and_exported(
    real_data, tmp_path, monkeypatch, network
):
    monkeypatch.chdir(tmp_path)
    folder = real_data("cifar10")
    rows = np.asarray(Image.open(folder / "cifar10_batch_0.png"))
    labels = np.load(folder / "labels.npy")[: len(rows)]
    chosen = np.concatenate([np.flatnonzero(labels == label)[:4] for label in range(10)])
    pixels = rows.reshape(-1, 32, 32, 3)[chosen]
    np.savez("cifar10.npz", x_train=pixels, y_train=labels[chosen])
    shown = invoke("show", network)
    assert shown.exit_code == 0 and "total" in shown.output
    data = ["--dataset", "npz:cifar10.npz", "--validation", "10"]
    done = invoke("train", network, *data, *FAST, "--to", "net.safetensors")
    assert done.exit_code == 0, done.output
    scores = metaqnn.load("net.safetensors").scores(pixels[:5].transpose(0, 3, 1, 2))
    assert scores.shape == (5, 10)
    for suffix in (".onnx", ".pt2", ".py"):
        # a .py file has its weights beside it, in the file of the same name
        target = f"exported{suffix}"
        assert invoke("export", "net.safetensors", "--to", target).exit_code == 0
        exported = metaqnn.load(target, trust=True).scores(pixels[:5].transpose(0, 3, 1, 2))
        assert np.abs(exported - scores).max() < 1e-5
