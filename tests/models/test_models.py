"""Exported networks: every format gives the same scores, and says what it is."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import metaqnn
from metaqnn.cli import main
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.errors import MetaqnnError
from metaqnn.models.formats import FORMATS, export
from metaqnn.models.model import Facts, Model
from state_space import random_walk
from state_space.hierarchical import PUBLISHED
from tests.helpers.networks import make_network
from tests.helpers.spaces import make_space

NETWORKS = {
    "chain": ("[C(8,3,1), D(1,4), C(16,5,2), P(3,2), BN, FC(32), D(2,4), SM(10)]", (3, 16, 16)),
    "one dimension less": ("[C(4,1,1), GAP(5), SM(5)]", (1, 8, 8)),
    "graph": (
        "[CB(8,3,5,1,1), CB(8,3,3,2,2)@-1,0, MP(3,3,1,1)@0, AP(3,3,2,1)@1,2, SM(10)]",
        (1, 16, 16),
    ),
}

SUFFIXES = [
    pytest.param(suffix, marks=pytest.mark.slow if suffix == ".onnx" else ()) for suffix in FORMATS
]
"""ONNX takes seconds to write."""


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("text", "shape"), NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("contrast", [False, True])
def test_what_is_exported_gives_the_scores_of_the_network(tmp_path, text, shape, suffix, contrast):
    network, facts = make_network(text, shape)
    facts = replace(facts, contrast=contrast)
    images = np.random.default_rng(0).integers(0, 256, (600, *shape), np.uint8)
    mean, deviation = 99.5, 55.25
    if contrast:
        mean, deviation = (
            moment(images, axis=(1, 2, 3), keepdims=True) for moment in (np.mean, np.std)
        )
    with torch.inference_mode():
        scores = network(torch.from_numpy(np.float32((images - mean) / deviation))).numpy()
    path = tmp_path / f"net{suffix}"
    export(network, facts, path)
    model = metaqnn.load(path, trust=True)
    assert model.facts == facts
    assert np.abs(model.scores(images) - scores).max() < 1e-5
    assert model.scores(images[:1]).shape == (1, len(facts.classes))
    assert model.predict(images[:9]) == [facts.classes[best] for best in scores[:9].argmax(1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "metaqnn-cifar10", "nas-digits", "lei-xiong"])
def test_source_is_written_for_every_network_of_a_space(tmp_path, name):
    space, shape = make_space(name), (1, 32, 32)
    rng = np.random.default_rng(0)
    for _ in range(2 if name == "metaqnn-cifar10" else 5):
        text = space.architecture(random_walk(space, rng)).text
        network, facts = make_network(text, shape)
        export(network, facts, tmp_path / "net.py")
        images = rng.integers(0, 256, (3, *shape))
        expected = metaqnn.load(tmp_path / "net.safetensors").scores(images)
        assert np.array_equal(
            metaqnn.load(tmp_path / "net.py", trust=True).scores(images), expected
        )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "cell-201",
            "|avg_pool_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
        ),
        ("hierarchical-cifar10", PUBLISHED),
        ("hierarchical-small", "M1: dw/none sep; M2: avg/1x1 id; M1/M2 none/M2 M1 none"),
    ],
)
def test_motifs_and_cells_come_back_from_every_format(tmp_path, name, text, suffix):
    shape, space = (3, 10, 10), make_space(name)
    architecture = space.architecture(space.parse(text), {"filters": 4, "repeats": 1})
    network, facts = make_network(architecture.text, shape)
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), np.uint8)
    export(network, facts, tmp_path / f"net{suffix}")
    with torch.inference_mode():
        scores = network(torch.from_numpy(np.float32((images - 99.5) / 55.25))).numpy()
    model = metaqnn.load(tmp_path / f"net{suffix}", trust=True)
    assert np.abs(model.scores(images) - scores).max() < 1e-5


@pytest.mark.slow
def test_the_source_runs_where_metaqnn_is_not_there(tmp_path):
    network, facts = make_network(*NETWORKS["graph"])
    export(network, facts, tmp_path / "net.py")
    (tmp_path / "metaqnn.py").write_text("raise ImportError('metaqnn')")
    code = "import torch, net; print(net.load()(torch.zeros(2, 1, 16, 16)).shape)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True, check=True
    )
    assert done.stdout.strip() == "torch.Size([2, 10])"
    assert "metaqnn" not in (tmp_path / "net.py").read_text().partition('"""\n\n')[2]


def test_probabilities_are_the_softmax():
    facts = Facts("", (1, 1, 1), ("a", "b", "c"), (0.0,), (1.0,))
    model = Model(facts, lambda images: np.log(np.float32([[1, 2, 5]])) + np.float32(500))
    assert model.probabilities(np.zeros((1, 1, 1, 1))) == pytest.approx(
        np.array([[0.125, 0.25, 0.625]]), rel=1e-4
    )


def test_images_of_another_shape_are_refused(tmp_path):
    export(*make_network(*NETWORKS["graph"]), tmp_path / "net.safetensors")
    model = metaqnn.load(tmp_path / "net.safetensors")
    with pytest.raises(MetaqnnError, match=r"shape \(n, 1, 16, 16\), not \(2, 16, 17\)"):
        model.scores(np.zeros((2, 16, 17)))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_broken_file_is_told_in_one_line(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    with pytest.raises(MetaqnnError, match=r"^there is no .*net"):
        metaqnn.load(path, trust=True)
    path.write_bytes(b"\x00 nothing of use")
    with pytest.raises(MetaqnnError, match=r"^.*net.* cannot be read: [^\n]+$"):
        metaqnn.load(path, trust=True)


@pytest.mark.slow
def test_another_suffix_and_a_folder_that_is_not_there(tmp_path):
    network, facts = make_network(*NETWORKS["graph"])
    with pytest.raises(MetaqnnError, match=r"must be one of .safetensors, .onnx, .pt2, .py"):
        export(network, facts, tmp_path / "net.h5")
    for suffix in FORMATS:
        with pytest.raises(MetaqnnError, match="cannot be written"):
            export(network, facts, tmp_path / "nowhere" / f"net{suffix}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of three networks that keeps the weights of two."""
    results = tmp_path_factory.mktemp("results")
    options = f"run --results-dir {results} --name r --budget 3 --epochs 1 --keep 2 --quiet"
    done = CliRunner().invoke(main, options.split())
    assert done.exit_code == 0, done.output
    return results / "r"


@pytest.mark.slow
def test_from_a_run_to_predictions(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ranking = json.loads(
        CliRunner().invoke(main, ["top-k", str(folder), "--format", "json"]).output
    )
    scans = load(DataOptions(), "test")
    for number in range(5):
        Image.fromarray(scans.images[number, 0].numpy()).save(f"{number}.png")
    pictures = [f"{number}.png" for number in range(5)]
    answers = []
    for suffix in FORMATS:
        command = ["export", str(folder), "--rank", "2", "--to", f"best{suffix}"]
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
        command = ["predict", f"best{suffix}", *pictures, "--trust", "--format", "json"]
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
        answers.append(json.loads(done.output))
    model = metaqnn.load("best.onnx")
    # the recipe's dropout stands in the text of what was trained
    trained = [layer for layer in model.facts.architecture[1:-1].split(", ") if layer[:2] != "D("]
    assert f"[{', '.join(trained)}]" == ranking[1]["network"]
    assert [row["class"] for row in answers[0]] == model.predict(scans.images[:5])
    for answer in answers[1:]:
        assert [row["class"] for row in answer] == [row["class"] for row in answers[0]]
        assert [row["probability"] for row in answer] == pytest.approx(
            [row["probability"] for row in answers[0]], abs=1e-5
        )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("export {run} --rank 3 --to a.onnx", "the weights of rank 3 are not in"),
        ("export {run} --rank 9 --to a.onnx", "rank is 9, but"),
        ("export {run} --to a.h5", "the suffix must be one of"),
        ("export nowhere --to a.onnx", "nowhere is not the folder of a run"),
        ("predict nowhere.onnx a.png", "there is no nowhere.onnx"),
        ("predict {run}/config.toml a.png", "the suffix must be one of"),
        ("predict {weights} nowhere.png", "nowhere.png cannot be read"),
    ],
)
def test_bad_input_is_told_in_one_line(folder, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    weights = next((folder / "networks").iterdir())
    done = CliRunner().invoke(main, command.format(run=folder, weights=weights).split())
    assert done.exit_code == 2
    assert message in done.output
    assert done.output.startswith("Error: ") and done.output.count("\n") == 1


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    network, facts = make_network(*NETWORKS["graph"])
    monkeypatch.setattr("metaqnn.registry.find_spec", lambda name: None)
    with pytest.raises(MetaqnnError, match=r"needs onnx and .* pip install 'metaqnn\[onnx\]'$"):
        export(network, facts, tmp_path / "net.onnx")


def test_importing_metaqnn_does_not_import_torch():
    code = "import sys, metaqnn; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "False"
