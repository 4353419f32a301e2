"""Arrays that a program has are a data set."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from metaqnn.data.given import keep_arrays
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.errors import MetaqnnError

IMAGES = np.random.default_rng(0).random((12, 1, 8, 8), dtype=np.float32)
LABELS = np.arange(12) % 3
NAMES = np.array(["cat", "dog", "eel"])[LABELS]


def read(name, part="train"):
    return load(DataOptions(dataset=name), part)


@pytest.mark.parametrize(
    "images",
    [IMAGES, torch.from_numpy(IMAGES), list(IMAGES), torch.tensor(IMAGES, requires_grad=True)],
)
@pytest.mark.parametrize(
    "labels",
    [
        NAMES,
        NAMES.tolist(),
        NAMES.astype(object),
        pd.Series(NAMES),
        pd.Series(NAMES, dtype="category"),
    ],
)
def test_whatever_they_are_kept_in_they_are_the_same_data_set(tmp_path, images, labels):
    expected = read(keep_arrays((IMAGES, NAMES), tmp_path))
    found = read(keep_arrays((images, labels), tmp_path))
    assert found.classes == expected.classes == ("cat", "dog", "eel")
    assert torch.equal(found.images, expected.images)
    assert found.labels.tolist() == expected.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_floats_that_numpy_lacks_become_those_that_it_has(tmp_path, kind):
    halves = torch.from_numpy(np.round(IMAGES * 4) / 4)  # which every float has exactly
    name = keep_arrays((halves.to(kind), LABELS), tmp_path)
    assert np.array_equal(np.load(name.removeprefix("npz:"))["x_train"], halves.numpy())


def test_the_same_arrays_are_one_file_and_others_another(tmp_path):
    name = keep_arrays((IMAGES, LABELS), tmp_path / "new")
    written = Path(name.removeprefix("npz:")).stat().st_mtime_ns
    assert keep_arrays((torch.from_numpy(IMAGES), LABELS), tmp_path / "new") == name
    assert Path(name.removeprefix("npz:")).stat().st_mtime_ns == written
    assert keep_arrays((IMAGES, LABELS[::-1]), tmp_path / "new") != name


def test_images_for_testing_are_a_part_of_their_own(tmp_path):
    name = keep_arrays((IMAGES, LABELS, IMAGES[:5], LABELS[:5]), tmp_path)
    assert len(read(name)) == 12
    assert len(read(name, "test")) == 5
    assert read(keep_arrays((IMAGES, LABELS), tmp_path), "test") is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ((IMAGES,), "it has 1 part"),
        ((IMAGES, LABELS, IMAGES), "it has 3 parts"),
        (("digits", "b"), "x_train is 'digits', not an array"),
        ((IMAGES, None), "y_train is None, not an array"),
        (([np.zeros((8, 8)), np.zeros((9, 9))], [0, 1]), "x_train cannot be read as an array"),
        ((IMAGES, [{}] * 12), "y_train is "),
    ],
)
def test_what_is_no_data_set_is_refused(tmp_path, given, reason):
    with pytest.raises(MetaqnnError, match=reason):
        keep_arrays(given, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MetaqnnError, match="cannot be written"):
        keep_arrays((IMAGES, LABELS), tmp_path / "file")
