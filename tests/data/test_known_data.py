"""Data are known by their content: a run goes on with the same from anywhere, with no others."""

import json
import shutil

import numpy as np
import pytest

from tests.helpers.commands import refused

FAST = ["--budget", "1", "--epochs", "1", "--device", "cpu", "--threads", "1", "--quiet"]


def write(path, seed=0, classes=3, count=60):
    """Pictures of classes that differ in brightness."""
    drawn = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    pixels = drawn.integers(0, 60, (count, 8, 8)) + 60 * labels[:, None, None]
    parts = {"x_train": pixels, "y_train": labels, "x_test": pixels[:12], "y_test": labels[:12]}
    parts = {name: array.astype(np.uint8) for name, array in parts.items()}
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **parts)


@pytest.fixture
def run(tmp_path, monkeypatch, invoke):
    """A run on an npz file that was named by a relative path."""
    write(tmp_path / "a" / "my.npz")
    monkeypatch.chdir(tmp_path / "a")
    done = invoke("run", "--name", "r", "--dataset", "npz:my.npz", *FAST)
    assert done.exit_code == 0, done.output
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a" / "results" / "r"


@pytest.mark.slow
def test_it_goes_on_from_another_folder(run, invoke):
    assert invoke("resume", str(run), "--budget", "2", "--quiet").exit_code == 0
    assert invoke("finalize", str(run), "-k", "1", "--epochs", "1").exit_code == 0


@pytest.mark.slow
def test_it_goes_on_where_the_data_are_now(run, invoke, tmp_path):
    shutil.move(tmp_path / "a" / "my.npz", tmp_path / "moved.npz")
    refused(invoke("resume", str(run), "--budget", "2"), "my.npz")
    done = invoke("resume", str(run), "--budget", "2", "--quiet", "--dataset", "npz:moved.npz")
    assert done.exit_code == 0, done.output
    assert invoke("finalize", str(run), "-k", "1", "--epochs", "1").exit_code == 0  # it is kept


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "images that were looked at are others"),
        ({"count": 63}, "the class '0' has 21 images, not 20"),
    ],
)
def test_other_data_are_refused_by_what_differs(run, invoke, change, told):
    write(run.parents[1] / "my.npz", **change)
    for command in (["resume", str(run), "--budget", "2"], ["finalize", str(run), "-k", "1"]):
        refused(invoke(*command), "other data than those of the run", told)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"y_test": np.arange(12) % 3 == 0}, "of the test images, the class '2' has 0 images"),
        ({"x_test": np.zeros((12, 8, 8), np.uint8)}, "12 of 12 images that were looked at"),
        ({"x_test": None, "y_test": None}, "it has no more test images"),
    ],
)
def test_other_test_data_are_refused_too(run, invoke, part, told):
    path = run.parents[1] / "my.npz"
    arrays = {**np.load(path), **part}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    for command in (["resume", str(run), "--budget", "2"], ["finalize", str(run), "-k", "1"]):
        refused(invoke(*command), "other data than those of the run", told)


def test_a_test_part_may_come_later(tmp_path, monkeypatch, invoke):
    """No network of the search depends on it."""
    path = tmp_path / "my.npz"
    write(path)
    whole = dict(np.load(path))
    np.savez(path, x_train=whole["x_train"], y_train=whole["y_train"])
    monkeypatch.chdir(tmp_path)
    assert invoke("run", "--name", "r", "--dataset", "npz:my.npz", *FAST).exit_code == 0
    np.savez(path, **whole)
    final = ("finalize", "results/r", "-k", "1", "--epochs", "1")
    done = invoke(*final)
    assert done.exit_code == 0 and "no test error is known" not in done.output
    np.savez(path, **{**whole, "x_test": 255 - whole["x_test"]})
    refused(invoke(*final), "of the test images")  # from then on it stays the same


def test_a_file_that_has_changed_is_read_anew_in_the_same_process(run, invoke):
    """Also by what trains: a network for two classes cannot be trained on three."""
    write(run.parents[1] / "my.npz", classes=2, count=40)
    done = invoke("run", "--name", "s", "--dataset", f"npz:{run.parents[1] / 'my.npz'}", *FAST)
    assert done.exit_code == 0 and "0 of them failed" not in done.output, done.output
    trials = json.loads(invoke("top-k", "results/s", "--format", "json").stdout)
    assert len(trials) == 1
    lines = json.loads((run.parents[1].parent / "results/s/environment.json").read_text())
    assert "36 for training, 4 for validation" in lines["data"]["lines"][1]


def test_data_that_are_elsewhere_are_told_with_a_way_on(run, invoke, tmp_path):
    shutil.move(tmp_path / "a" / "my.npz", tmp_path / "moved.npz")
    refused(invoke("finalize", str(run), "-k", "1"), "my.npz", "metaqnn resume --dataset")


def test_a_damaged_record_of_the_data_is_told(run, invoke):
    path = run / "environment.json"
    for damage in ({"looks": 7}, {"classes": {"0": "many"}}, {"shape": None}, {"test": []}):
        environment = json.loads(path.read_text())
        environment["data"]["fingerprint"] |= damage
        path.write_text(json.dumps(environment))
        refused(invoke("resume", str(run), "--budget", "2"), "record of the data cannot be read")


@pytest.mark.slow
def test_what_was_read_is_said_and_kept(run, invoke):
    environment = json.loads((run / "environment.json").read_text())
    lines = environment["data"]["lines"]
    assert "images of 8x8, grey, values 0 to 255" in lines[0]
    assert "12 for test" in lines[1] and "classes: 3" in lines[2]
    loud = [option for option in FAST if option != "--quiet"]
    done = invoke("run", "--name", "s", "--dataset", "npz:a/my.npz", *loud)
    assert lines[1] in done.output
    assert invoke("report", str(run)).exit_code == 0
    assert lines[2] in (run / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["npz:other.npz", "digits", "own"])
def test_data_that_are_refused_are_not_kept(run, invoke, tmp_path, dataset):
    write(tmp_path / "other.npz", seed=1)
    before = (run / "config.toml").read_text()
    assert invoke("resume", str(run), "--budget", "2", "--dataset", dataset).exit_code == 2
    assert (run / "config.toml").read_text() == before
    assert invoke("resume", str(run), "--budget", "2", "--quiet").exit_code == 0


def test_why_test_images_cannot_be_used_any_more_is_told(run, invoke):
    path = run.parents[1] / "my.npz"
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "y_test": arrays["y_test"] + 1})
    refused(invoke("finalize", str(run), "-k", "1"), "no more test images", "y_test has the class")


def test_test_images_of_another_scale_are_told_where_they_are_tested(run, invoke, tmp_path):
    arrays = dict(np.load(run.parents[1] / "my.npz"))
    arrays = {**arrays, "x_train": arrays["x_train"] / 127.5 - 1, "x_test": arrays["x_test"] / 255}
    np.savez(tmp_path / "two.npz", **arrays)
    done = invoke("run", "--name", "t", "--dataset", f"npz:{tmp_path / 'two.npz'}", *FAST)
    assert done.exit_code == 0, done.output
    done = invoke("finalize", str(tmp_path / "results" / "t"), "-k", "1", "--epochs", "1")
    assert "warning: 98 of 100 values of the test images" in done.stderr
