"""Data sets: shapes, splits, and one-line answers to broken files."""

import numpy as np
import pytest
import torch
from PIL import Image

from metaqnn.data import sources
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load, load_split
from metaqnn.errors import MetaqnnError


def config(**options):
    return DataOptions(**options)


def test_digits():
    training, test = load(config(), "train"), load(config(), "test")
    assert (len(training), len(test)) == (1437, 360)
    assert training.shape == test.shape == (1, 8, 8)
    assert training.images.dtype == torch.uint8
    assert training.images.max() == 255
    together = torch.cat([training.images, test.images]).flatten(1)
    # the scans of scikit-learn are all there, once
    assert together.float().sum().item() == pytest.approx(1797 * 64 * 4.8842 * 255 / 16, rel=1e-3)


def test_the_split_is_stratified_and_depends_on_its_seed_alone():
    training, validation = load_split(config(validation=0.2))
    assert (len(training), len(validation)) == (1150, 287)
    share = validation.labels.bincount() / (
        training.labels.bincount() + validation.labels.bincount()
    )
    assert share.numpy() == pytest.approx([0.2] * 10, abs=0.005)
    other = load_split(config(validation=0.2, split_seed=1))
    assert not torch.equal(other[1].images, validation.images)
    again = load_split(config(validation=0.2))
    assert again[1] is not validation and torch.equal(again[1].images, validation.images)


def test_no_image_is_in_both_parts():
    training, validation = load_split(config(validation=100.0, train_limit=1000))
    assert (len(training), len(validation)) == (900, 100)
    everything = load(config(), "train").images.flatten(1).numpy()
    distinct = len(np.unique(everything, axis=0))
    assert distinct == 1437  # else the next line would prove nothing
    both = torch.cat([training.images, validation.images]).flatten(1).numpy()
    assert len(np.unique(both, axis=0)) == 1000


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"train_limit": 2000}, "train-limit is 2000, but digits has 1,437 images"),
        ({"validation": 5.0}, "5 of 1437 images for validation"),
        ({"validation": 1437.0}, "1437 of 1437 images for validation"),
        ({"dataset": "mnits"}, "there is no data set 'mnits'; did you mean mnist?"),
        ({"dataset": "npz:"}, "a path must follow npz:"),
        ({"dataset": "https://a.org/b.zip"}, "is an address: download it"),
        ({"dataset": "npz:http://a.org/b.npz"}, "is an address: download it"),
        ({"dataset": __file__}, "unpack an archive"),
        ({"dataset": f"folder:{__file__}"}, "it is a file, no folder"),
        ({"dataset": "mnist"}, "say with --data-dir where MNIST lies"),
    ],
)
def test_bad_data_options_are_answered_in_one_line(options, problem):
    with pytest.raises(MetaqnnError) as error:
        load_split(config(**options))
    assert problem in str(error.value)


def test_what_networks_learn_from_is_read_without_opening_the_test_part(monkeypatch):
    opened = []
    real = sources.digits
    monkeypatch.setattr(
        sources, "digits", lambda part, *rest: opened.append(part) or real(part, *rest)
    )
    load_split(config(validation=0.25, split_seed=123))  # which no other test has read
    assert opened == ["train"]


def test_mnist(real_data):
    found = load(config(dataset="mnist", data_dir=str(real_data("mnist"))), "train")
    assert found.images.shape == (60_000, 1, 28, 28)
    assert found.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert len(found.classes) == 10


def test_mnist_that_is_not_there(tmp_path):
    with pytest.raises(MetaqnnError, match="MNIST is not in .*; --download fetches it"):
        load(config(dataset="mnist", data_dir=str(tmp_path)), "train")


def test_mnist_that_is_broken(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{kind}-ubyte").write_bytes(b"\x00\x00\x07\x03broken")
    with pytest.raises(MetaqnnError, match="MNIST is not in .*, or broken"):
        load(config(dataset="mnist", data_dir=str(tmp_path)), "train")


def write_npz(path, **arrays):
    rng = np.random.default_rng(0)
    content = {
        "x_train": rng.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8),
        "y_train": np.arange(40) % 4,
        "x_test": rng.integers(0, 256, (8, 6, 6, 3), dtype=np.uint8),
        "y_test": np.arange(8) % 4,
    } | arrays
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return config(dataset=f"npz:{path}")


def test_npz(tmp_path):
    found = load(write_npz(tmp_path / "a.npz", y_train=np.arange(40)[:, None] % 4), "train")
    assert found.images.shape == (40, 3, 6, 6)
    assert found.classes == ("0", "1", "2", "3")


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.uint64])
def test_labels_of_any_whole_numbers(tmp_path, kind):
    pixels = np.zeros((4, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=np.array([0, 1, 2, 1], kind))
    found = load(DataOptions(dataset=f"npz:{tmp_path / 'a.npz'}"), "train")
    assert found.labels.tolist() == [0, 1, 2, 1]


def test_npz_of_grey_floating_point_images_resized(tmp_path):
    grey = np.linspace(0, 1, 40 * 36).reshape(40, 6, 6)
    options = write_npz(tmp_path / "a.npz", x_train=grey)
    found = load(options.model_copy(update={"image_size": 12}), "train")
    assert found.images.shape == (40, 1, 12, 12)
    assert found.images.max() == 255


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"y_train": None}, "has no array y_train"),
        ({"y_train": np.arange(39) % 4}, "40 images in x_train, 39 labels"),
        ({"y_train": np.zeros(40, int)}, "y_train has one class only, '0'"),
        ({"y_train": np.linspace(0, 1, 40)}, "y_train must be a list of whole numbers"),
        ({"y_train": np.array([["a"] * 40], dtype=object)}, "cannot be read as an npz file"),
        ({"x_train": np.zeros((40, 36), np.uint8)}, "x_train must have the shape"),
        ({"x_train": np.full((40, 6, 6), "a")}, "x_train must be numbers, not <U1"),
        ({"x_train": np.full((40, 6, 6), 300)}, "x_train is 300 everywhere"),
        ({"x_train": np.zeros((40, 6, 8), np.uint8)}, "are 6x8, not square; say with --image-size"),
    ],
)
def test_broken_npz_files_are_answered_in_one_line(tmp_path, arrays, problem):
    with pytest.raises(MetaqnnError) as error:
        load(write_npz(tmp_path / "a.npz", **arrays), "train")
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_npz_files_that_are_none(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 broken")
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "a.npy", np.zeros(3))
    for path in ("a.npz", "missing.npz", "empty", "a.npy"):
        with pytest.raises(MetaqnnError, match="cannot be read as an npz file"):
            load(config(dataset=f"npz:{tmp_path / path}"), "train")


def make_pictures(root, sizes=((9, 9), (9, 9))):
    for part in ("train", "test"):
        for name, colour in [("cat", "red"), ("dog", "blue")]:
            (root / part / name).mkdir(parents=True)
            for number, size in enumerate(sizes):
                Image.new("RGB", size, colour).save(root / part / name / f"{number}.png")
    return config(dataset=f"folder:{root}")


def test_folder(tmp_path):
    found = load(make_pictures(tmp_path), "train")
    assert found.images.shape == (4, 3, 9, 9)
    assert found.classes == ("cat", "dog")
    assert found.images[0, :, 0, 0].tolist() == [255, 0, 0]


def test_folder_of_pictures_that_differ_in_size(tmp_path):
    options = make_pictures(tmp_path, ((9, 9), (5, 12)))
    with pytest.raises(MetaqnnError, match="differ in size, .* --image-size"):
        load(options, "train")
    found = load(options.model_copy(update={"image_size": 8}), "train")
    assert found.images.shape == (4, 3, 8, 8)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(MetaqnnError, match="cannot be read"):
        load(config(dataset=f"folder:{tmp_path}/missing"), "train")
    options = make_pictures(tmp_path)
    (tmp_path / "train" / "cat" / "0.png").write_bytes(b"not a picture")
    with pytest.raises(MetaqnnError, match="cannot be read"):
        load(options, "train")


class FakeTorchvision:
    """What torchvision's data sets look like once they are loaded."""

    def __init__(self, root, download, train=None, split=None):
        self.asked = train, split
        pixels = np.arange(2 * 32 * 32 * 3, dtype=np.int64).reshape(2, 32, 32, 3) % 251
        if split is None:  # CIFAR: (images, height, width, channels), a list of targets
            self.data, self.targets, self.classes = pixels.astype(np.uint8), [1, 0], ["cat", "dog"]
        else:  # SVHN: (images, channels, height, width), an array of labels
            self.data, self.labels = pixels.astype(np.uint8).transpose(0, 3, 1, 2), np.array([1, 0])


@pytest.mark.parametrize(
    ("name", "kind", "classes"),
    [
        ("cifar10", "CIFAR10", ("cat", "dog")),
        ("cifar100", "CIFAR100", ("cat", "dog")),
        ("svhn", "SVHN", ("0", "1")),
    ],
)
def test_colours_and_labels_of_torchvisions_data_sets(monkeypatch, name, kind, classes):
    monkeypatch.setattr(f"torchvision.datasets.{kind}", FakeTorchvision)
    found = load(config(dataset=name, data_dir="anywhere"), "train")
    assert found.images.shape == (2, 3, 32, 32)
    # the first pixel's colours are 0, 1, 2, and the next pixel of the row goes on with 3, 4, 5
    assert found.images[0, :, 0, 0].tolist() == [0, 1, 2]
    assert found.images[0, :, 0, 1].tolist() == [3, 4, 5]
    assert found.labels.tolist() == [1, 0]
    assert found.classes == classes
