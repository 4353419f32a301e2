"""From a data set to files that classify pictures: every command in turn, on digits."""

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import metaqnn
from metaqnn.cli import main
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.models.formats import FORMATS

MINUTES = 6


def call(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.slow
def test_from_a_data_set_to_predictions(tmp_path, monkeypatch):
    """The whole way takes less than six minutes on two cores, and the exports agree to 1e-5."""
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    machine = ("--workers", 2, "--device", "cpu")
    call("run", "--name", "r", "--budget", 20, *machine, "--quiet")
    final = ("finalize", "results/r", "-k", 5, "--ensemble", 5, *machine)
    rows = json.loads(call(*final, "--format", "json"))
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, None]
    assert rows[-1]["network"] == "ensemble of 5"
    assert rows[-1]["test_error"] < 0.05
    shown = json.loads(call("top-k", "results/r", "--format", "json"))
    assert [row["test_error"] for row in shown] == [row["test_error"] for row in rows[:5]]

    scans = load(DataOptions(), "test")
    pictures = [f"{number}.png" for number in range(20)]
    for picture, scan in zip(pictures, scans.images, strict=False):
        Image.fromarray(scan[0].numpy()).save(picture)
    models, answers = [], []
    for suffix in FORMATS:
        model = f"model{suffix}"
        call("export", "results/r", "--rank", 1, "--final", "short", "--to", model)
        answers.append([row["class"] for row in json.loads(call(*predict(model, pictures)))])
        models.append(metaqnn.load(model, trust=True))
    assert time.monotonic() - began < 60 * MINUTES
    assert all(answer == answers[0] for answer in answers)
    probabilities = [model.probabilities(scans.images) for model in models]
    scores = [model.scores(scans.images) for model in models]
    for number in range(1, len(models)):
        assert np.abs(probabilities[number] - probabilities[0]).max() < 1e-5
        # relative: in float32 scores of 20 are only that exact
        assert np.abs(scores[number] - scores[0]).max() < 1e-5 * np.abs(scores[0]).max()
    wrong = np.mean(scores[0].argmax(1) != scans.labels.numpy())
    assert wrong == shown[0]["test_error"]


def predict(model, pictures):
    return ("predict", model, *pictures, "--trust", "--format", "json")
