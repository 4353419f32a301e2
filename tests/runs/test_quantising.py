"""Final trainings in whole numbers of 8 bits."""

import numpy as np
import pandas as pd
import pytest

import metaqnn
from metaqnn import registry
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.models.quantised import pixels
from metaqnn.runs.results import FINAL, read_results, write_results
from tests.helpers.commands import call, refused
from tests.helpers.finals import SHORT, make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run of two networks, which were timed."""
    return make_run(tmp_path_factory.mktemp("int8") / "r", "--budget", "2", "--max-latency", "1s")


@pytest.mark.slow
def test_what_is_told_of_quantised_networks_is_that_of_their_files(folder, tmp_path):
    command = ["finalize", folder, *SHORT, "--epochs", "4", "-k", "2", "--name", "q"]
    result = call(*command, "--int8")
    assert result.exit_code == 0, result.output
    place = folder / FINAL / "q"
    results = read_results(place / "results.csv")
    images = load(DataOptions(), "test")
    for row in results.dropna(subset=["int8_weights"]).itertuples():
        file = place / row.int8_weights
        model = metaqnn.load(file)
        scores = np.concatenate([model.score(part) for part in pixels(images)])
        assert row.int8_test_error == np.mean(scores.argmax(1) != images.labels.numpy())
        assert abs(row.int8_test_error - row.test_error) < 0.01
        assert row.int8_bytes == file.stat().st_size < row.bytes
        assert 0 < row.latency < 0.1 and 0 < row.int8_latency < 0.1
    assert results["int8_weights"].notna().tolist() == [True, True, False]  # not the ensemble's
    for header in ("int8 error", "ms an image", "int8 ms", "kB", "int8 kB"):
        assert header in result.stdout
    assert not results.columns.duplicated().any()
    # what is known of a training stays known
    plain = call(*command, "--format", "csv")
    assert "int8" not in plain.stdout
    again = read_results(place / "results.csv")[[*results]]
    kept = [name for name in results if name != "latency"]  # now again that of the search
    assert again[kept].equals(results[kept]) and again["latency"].notna().sum() == 2
    # the same network exported is the same file
    target = tmp_path / "x.onnx"
    exported = call("export", folder, "--final", "q", "--rank", "1", "--to", target, "--int8")
    assert exported.exit_code == 0, exported.output
    assert target.read_bytes() == (place / results["int8_weights"].iloc[0]).read_bytes()


def test_columns_that_a_later_table_does_not_have_stay(tmp_path):
    names = ["seed", "network", "rank", "test_error", "digest", "weights", "error"]
    first = pd.DataFrame([[0, "a", 1, 0.5, "d", "w", None], [0, "b", 2, 0.25, "e", "w", None]])
    first.columns = names
    write_results(tmp_path, first.assign(bytes=[10, 20]))
    write_results(tmp_path, first.iloc[1:].assign(test_error=0.125))
    found = read_results(tmp_path / "results.csv").sort_values("network")
    assert found["bytes"].tolist() == [10, 20]
    assert found["test_error"].tolist() == [0.5, 0.125]


@pytest.mark.slow
def test_what_is_missing_is_told_before_anything_is_trained(folder, tmp_path, monkeypatch):
    target = tmp_path / "x.pt2"
    refused(call("export", folder, "--int8", "--to", target), "the suffix must be .onnx")
    weights = folder / "networks" / "00001.safetensors"
    weights = weights if weights.is_file() else folder / "networks" / "00002.safetensors"
    refused(call("export", weights, "--int8", "--to", target), "has no images")
    monkeypatch.setattr(
        registry, "find_spec", lambda name: None if name == "onnxruntime" else object()
    )
    result = call("finalize", folder, *SHORT, "--name", "none", "--int8")
    refused(result, "int8 needs onnxruntime: ", "pip install 'metaqnn[onnx]'")
    assert not (folder / FINAL / "none").exists()
