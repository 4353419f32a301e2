"""What notebooks have: numpy's numbers, arrays and paths, for options and images."""

import numpy as np
import pytest

from metaqnn import Search
from metaqnn.errors import MetaqnnError
from tests.helpers.pictures import bars, write_npz

PIXELS, LABELS = bars(60)


def search(tmp_path, **options):
    defaults = {"space": "digits", "device": "cpu", "results_dir": tmp_path, "budget": 1}
    return Search(**{**defaults, **options})


@pytest.mark.parametrize(
    ("shape", "classes", "names"),
    [
        ((1, 8, 8), np.int64(4), ("0", "1", "2", "3")),
        (np.array([1, 8, 8]), 4, ("0", "1", "2", "3")),
        ([1, 8, 8], np.array(["a", "b"]), ("a", "b")),
    ],
)
def test_shape_and_classes(tmp_path, shape, classes, names):
    made = search(tmp_path, shape=shape, classes=classes)
    assert made._run.task.shape == (1, 8, 8) and made._run.task.outputs == names


def test_numbers_and_paths(tmp_path):
    write_npz(tmp_path / "a.npz", x_train=PIXELS[:, ::1], y_train=LABELS)
    numbers = {"budget": np.int64(2), "weight_decay": np.float32(0.5)}
    made = search(tmp_path, dataset=tmp_path / "a.npz", **numbers)
    options = made._run.config.parts["evaluator"]
    assert made._run.config.run.budget == 2
    assert options.recipe.weight_decay == 0.5
    assert options.data.dataset == f"npz:{tmp_path / 'a.npz'}"


@pytest.mark.parametrize(
    "options",
    [
        {"dataset": (PIXELS, LABELS, PIXELS)},
        {"dataset": PIXELS},
        {"budget": np.float64(1.5)},
        {"shape": np.zeros((3, 3)), "classes": 2},
        {"shape": (1, 8, 8), "classes": np.array(3.5)},
        {"shape": (1, 8, 8), "classes": object()},
    ],
)
def test_what_makes_no_sense_is_one_line(tmp_path, options):
    with pytest.raises(MetaqnnError) as error:
        search(tmp_path, **options)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
