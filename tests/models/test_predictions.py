"""What exported networks read is what they were trained on, in every format and scale."""

import json
import os
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
from metaqnn.data.prediction import prepare
from metaqnn.data.preparation import UNTOLD, Preparation
from metaqnn.errors import MetaqnnError
from metaqnn.models.formats import FORMATS, export
from metaqnn.models.model import Facts, OtherScale
from metaqnn.models.network import Normalised, load_network, probabilities
from metaqnn.networks.build import Network
from state_space.notation import read
from tests.helpers.commands import refused
from tests.helpers.networks import make_network
from tests.helpers.pictures import NAMES, bars, learn, write_folder, write_npz

PIXELS, LABELS = bars(60, size=8)
SCALES = {
    "bytes": PIXELS,
    "unit": PIXELS / 255,
    "16 bits": PIXELS.astype(np.uint16) * 257,
    "standardised": ((PIXELS - 70.0) / 60).astype(np.float32),
    "dark": (PIXELS / 65535).astype(np.float32),
}
SUFFIXES = [
    pytest.param(suffix, marks=pytest.mark.slow if suffix == ".onnx" else ()) for suffix in FORMATS
]


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("contrast", [False, True])
@pytest.mark.parametrize("x", SCALES.values(), ids=SCALES)
def test_every_format_reads_arrays_in_the_units_of_the_training(tmp_path, x, contrast, suffix):
    """The scores are those of the training's own way: pixels, `normalise`, network."""
    dataset = write_npz(tmp_path / "a.npz", x_train=x, y_train=LABELS)
    images = replace(load(DataOptions(dataset=dataset), "train"), contrast=contrast)
    text = "[C(4,3,1), P(2,2), SM(3)]"
    network = Network(read(text), images.shape, torch.Generator().manual_seed(0)).eval()
    mean, deviation = (tuple(values.flatten().tolist()) for values in images.statistics)
    facts = Facts(text, images.shape, images.classes, mean, deviation, contrast, images.preparation)
    with torch.inference_mode():
        expected = network(images.normalise(images.images)).numpy()
    path = tmp_path / f"net{suffix}"
    export(network, facts, path)
    model = metaqnn.load(path, trust=True)
    assert model.facts == facts
    for same in (x, np.moveaxis(x, 3, 1), torch.tensor(x.astype(np.float64), requires_grad=True)):
        assert np.abs(model.scores(same) - expected).max() < 1e-5
    tested = probabilities(network, facts, images.images, torch.device("cpu"))
    assert np.allclose(model.probabilities(x), tested, atol=1e-6)
    # and the file alone, as other programs use it, reads the same units
    raw = np.ascontiguousarray(np.moveaxis(x, 3, 1), np.float32)
    assert np.abs(model.score(raw) - expected).max() < 1e-4


def test_arrays_that_were_resized_are_resized_for_predictions_too(tmp_path):
    for x in (PIXELS, PIXELS / 255, PIXELS * 2.0 - 100):
        dataset = write_npz(tmp_path / "a.npz", x_train=x, y_train=LABELS)
        options = {"dataset": dataset, "image_size": 6}
        _, model = learn(tmp_path, epochs=1, **options)
        images = load(DataOptions(**options), "train")
        network, facts = load_network(tmp_path / "learnt.safetensors")
        tested = probabilities(network, facts, images.images, torch.device("cpu"))
        assert np.allclose(model.probabilities(x), tested, atol=1e-6)
        with pytest.raises(MetaqnnError, match=r"must have the shape \(n, 3, 6, 6\)"):
            model.predict(x[:, :7, :7])


def test_a_network_of_bytes_reads_fractions_and_a_network_of_fractions_bytes(tmp_path):
    for x, other in ((PIXELS, PIXELS / 255), (PIXELS / 255, PIXELS)):
        _, model = learn(tmp_path, dataset=write_npz(tmp_path / "a.npz", x_train=x, y_train=LABELS))
        assert np.allclose(model.scores(x), model.scores(other), atol=1e-4)


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        (np.zeros((0, 3, 8, 8)), "there are no images to classify"),
        (np.full((2, 3, 8, 8), np.nan), "384 pixels that are NaN or infinite"),
        ((PIXELS - 70.0) / 60, "reaches from -1.16667 to .*, but the training images from 0 to"),
        (PIXELS.astype(int) * 257, "both must have the same scale"),
        (PIXELS.astype(str), "must be numbers, not <U"),
        ([[1, 2], [3]], "the images are no array"),
        (np.zeros((2, 8, 8)), r"must have the shape \(n, 3, 8, 8\), not \(2, 8, 8\)"),
        (None, "must have the shape"),
    ],
)
def test_images_that_are_none_are_refused_in_one_line(tmp_path, images, problem):
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS)
    _, model = learn(tmp_path, epochs=1, dataset=dataset)
    with pytest.raises(MetaqnnError, match=problem) as error:
        model.predict(images)
    assert "\n" not in str(error.value)


def test_files_of_before_are_read_as_before():
    told = Facts("[SM(2)]", (1, 2, 2), ("a", "b"), (9.0,), (3.0,)).metadata
    del told["preparation"]
    facts = Facts.from_metadata(told)
    assert facts.preparation == UNTOLD
    assert (facts.preparation.resampling, facts.preparation.transparency) == (
        "pillow-bilinear",
        "drop",
    )
    network = Network(read("[SM(2)]"), (1, 2, 2), torch.Generator())
    images = torch.tensor([[[[0.5, 99.5], [7.0, 255.0]]]])
    expected = network((images - 9) / 3)
    assert torch.equal(Normalised(network, facts)(images), expected)
    # whatever its numbers are, they are taken as they stand
    for array in (np.full((1, 1, 2, 2), 0.5), np.full((1, 1, 2, 2), -2.5)):
        assert np.array_equal(prepare(array, (1, 2, 2), UNTOLD), array.astype(np.float32))


@pytest.mark.parametrize(
    "told",
    [
        '{"scale": "nonsense"}',
        '{"size": [1, 2, 3]}',
        '{"size": [1e99, 1]}',
        '{"low": NaN}',
        '{"high": "a"}',
        '{"more": 1}',
        '{"white": [1]}',
        "[1, 2]",
        "null",
        "nonsense",
    ],
)
def test_a_preparation_that_makes_no_sense_is_refused(told):
    metadata = Facts("[SM(2)]", (1, 2, 2), ("a", "b"), (9.0,), (3.0,)).metadata
    with pytest.raises(MetaqnnError, match="no network that metaqnn has exported"):
        Facts.from_metadata({**metadata, "preparation": told})


def test_a_preparation_survives_its_text():
    made = Preparation("values", -1.5, 2.0, None, "bicubic", "keep", (7, 9))
    assert Preparation.from_text(made.text) == made


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_the_name_of_a_picture_need_not_be_utf_8(learnt, tmp_path, form):
    name = os.fsdecode(b"caf\xe9.png")
    Image.fromarray(bars(1)[0][0]).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / name)
    done = invoke("predict", learnt[1], tmp_path, "--format", form)
    assert done.exit_code == 0, done.output
    assert r"caf\udce9.png" in done.output and "ant" in done.output


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_the_name_of_a_class_need_not_be_utf_8(learnt, tmp_path, form):
    network, facts = load_network(learnt[1])
    names = (os.fsdecode(b"f\xe9e"), *facts.classes[1:])
    export(network, replace(facts, classes=names), tmp_path / "a.safetensors")
    Image.fromarray(bars(1)[0][0]).save(tmp_path / "a.png")
    done = invoke("predict", tmp_path / "a.safetensors", tmp_path / "a.png", "--format", form)
    assert done.exit_code == 0, done.output
    assert r"f\udce9e" in done.output


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A folder of pictures and the file of a network that has learnt them."""
    folder = tmp_path_factory.mktemp("learnt")
    root = write_folder(folder / "a")
    accuracy, _ = learn(folder, dataset=f"folder:{root}")
    assert accuracy == 1
    return root, folder / "learnt.safetensors"


def test_predict_takes_folders_and_arrays_and_goes_on_past_broken_files(learnt, tmp_path):
    root, model = learnt
    done = invoke("predict", model, root / "test", "--format", "csv")
    assert done.exit_code == 0
    rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
    assert len(rows) == 15
    assert all(row[0].split("/")[-2] == row[1] for row in rows)
    pixels, labels = bars(9)
    np.save(tmp_path / "x.npy", pixels)
    done = invoke("predict", model, tmp_path / "x.npy", "--format", "json")
    answers = json.loads(done.stdout)
    assert [row["class"] for row in answers] == [NAMES[label] for label in labels]
    assert answers[3]["picture"] == f"{tmp_path / 'x.npy'}[3]"
    (tmp_path / "b.png").write_bytes(b"nothing")
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    done = invoke("predict", model, tmp_path / "a.png", tmp_path / "b.png", "--format", "csv")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].startswith(f"{tmp_path / 'a.png'},ant,")
    assert (
        done.stderr == f"left out: {tmp_path / 'b.png'} cannot be read: it is no picture that "
        "is known\n"
    )
    (tmp_path / "empty").mkdir()
    for path, problem in (("empty", "has no pictures"), ("b.png", "b.png cannot be read")):
        done = invoke("predict", model, tmp_path / path)
        assert done.exit_code == 2 and problem in done.stderr and done.stderr.count("\n") == 1


def test_pictures_for_networks_of_two_and_four_channels(tmp_path):
    random = np.random.default_rng(0)
    for channels in (4, 2):
        x = random.integers(0, 256, (40, 8, 8, channels)).astype(np.uint8)
        dataset = write_npz(tmp_path / "a.npz", x_train=x, y_train=np.arange(40) % 2)
        _, model = learn(tmp_path, epochs=1, dataset=dataset)
        Image.fromarray(x[0]).save(tmp_path / "a.png")
        done = invoke(
            "predict", tmp_path / "learnt.safetensors", tmp_path / "a.png", "--format", "csv"
        )
        row = done.stdout.splitlines()[1].split(",")
        assert float(row[2]) == pytest.approx(model.probabilities(x[:1]).max(), abs=1e-6)


def test_8_bits_for_a_network_of_other_values_are_refused(tmp_path):
    dataset = write_npz(tmp_path / "a.npz", x_train=SCALES["16 bits"], y_train=LABELS)
    learn(tmp_path, epochs=1, dataset=dataset)
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    done = invoke("predict", tmp_path / "learnt.safetensors", tmp_path / "a.png")
    assert done.exit_code == 2
    assert "a.png has 8 bits, but the network was trained on values of another scale" in done.stderr


FAR = {
    "a thousandth": lambda x: x / 1000,
    "standardised": lambda x: (x - x.mean()) / x.std(),
    "half of the range": lambda x: x / 2,
    "a dozen in ten": lambda x: (x + 5000)[:12],
}


@pytest.mark.parametrize("change", FAR.values(), ids=FAR)
def test_arrays_of_another_spread_are_told_of(tmp_path, change):
    x = PIXELS * 20.0 - 1000
    dataset = write_npz(tmp_path / "a.npz", x_train=x, y_train=LABELS)
    _, model = learn(tmp_path, epochs=1, dataset=dataset)
    model.predict(x)  # which warns of nothing, nor does a part of them
    model.predict(x[:3])
    with pytest.warns(OtherScale, match="trained on .*: are both of one scale"):
        model.predict(change(x))
    np.save(tmp_path / "x.npy", change(x))
    done = invoke("predict", tmp_path / "learnt.safetensors", tmp_path / "x.npy")
    assert done.exit_code == 0 and done.stderr.startswith("warning: the images have mean")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("x.npz", "holds arrays by name"),
        ("o.npy", "has Python objects, whose reading could run code"),
        ("https://a.b/x.png", "is an address"),
    ],
)
def test_what_is_not_read_says_what_is(tmp_path, name, problem):
    export(*make_network("[SM(3)]", (1, 4, 4)), tmp_path / "net.safetensors")
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 4, 4)))
    np.save(tmp_path / "o.npy", np.array([np.zeros(3), None], object), allow_pickle=True)
    path = name if ":" in name else tmp_path / name
    refused(invoke("predict", tmp_path / "net.safetensors", path), problem, "pictures, folders")
