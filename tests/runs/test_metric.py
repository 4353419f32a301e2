"""A run that searches for another metric than the accuracy: all that is shown is that."""

import json
import sqlite3
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import metaqnn
from metaqnn import Search
from metaqnn.cli import main
from metaqnn.data.parts import load_split
from metaqnn.metrics.macro_f1 import macro_f1
from metaqnn.reports.page import render_page
from metaqnn.reports.top_k import best_networks
from metaqnn.runs.assembly import make_trainer
from metaqnn.runs.results import ANSWERS, FINAL, RESULTS, read_answers
from metaqnn.runs.run import open_run
from metaqnn.runs.timed import choose
from tests.helpers.commands import FAST, refused
from tests.helpers.pictures import bars, write_npz

OPTIONS = ["--metric", "macro-f1", "--class-weights", "balanced"]


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def rare(count, seed):
    """Pictures of three classes, the last of which is one in seven."""
    pixels, labels = bars(count, size=8, channels=1, seed=seed)
    kept = np.flatnonzero((labels < 2) | (np.arange(count) % 9 == 2))
    return pixels[kept].squeeze(), labels[kept]


@pytest.fixture(scope="module")
def arrays():
    (x, y), (x_test, y_test) = rare(540, 0), rare(270, 1)
    return {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}


@pytest.fixture(scope="module")
def folder(arrays, tmp_path_factory):
    """A run of four networks, the best two of which were trained in the end."""
    results = tmp_path_factory.mktemp("metric")
    data = ["--dataset", write_npz(results / "rare.npz", **arrays), "--space", "digits"]
    where = ["--results-dir", results, "--name", "r"]
    done = call("run", *data, *FAST, *OPTIONS, "--restart-below", 0, *where)
    assert done.exit_code == 0, done.output
    return results / "r"


@pytest.mark.slow
def test_it_is_ranked_and_shown_by_its_name(folder):
    run = open_run(folder)
    assert run.task.score.name == "validation macro F1"
    assert run.config.parts["evaluator"].recipe.class_weights == "balanced"
    table = call("top-k", folder).stdout
    assert "macro f1" in table.splitlines()[0] and "accuracy" not in table
    trials = pd.read_csv(pd.io.common.StringIO(call("trials", folder).stdout))
    assert "macro_f1" in trials and "accuracy" not in trials
    best = pd.read_csv(pd.io.common.StringIO(call("top-k", folder, "--format", "csv").stdout))
    assert best["macro_f1"].is_monotonic_decreasing
    assert best["macro_f1"].iloc[0] == trials["macro_f1"].max() == best["reward"].iloc[0]
    assert "macro f1" in call("top-k", folder, "--sort", "macro f1").stdout
    page = render_page(run, k=3)
    assert "validation macro F1 of the best network" in page
    assert "validation accuracy" not in page


def test_the_kept_weights_have_it_on_the_validation_images(folder):
    run = open_run(folder)
    _, validation = load_split(run.config.parts["evaluator"].data)
    answers = Search.open(folder).model().scores(validation.images).argmax(1)
    best = best_networks(run, 1)["score"].item()
    assert macro_f1(validation.labels.numpy(), answers) == pytest.approx(best)


@pytest.mark.slow
def test_finals_have_it_on_the_test_images_beside_the_error(folder, arrays):
    done = call("finalize", folder, "-k", "2", "--ensemble", "1", "--epochs", "2")
    assert done.exit_code == 0, done.output
    header = done.stdout.splitlines()[0]
    assert "test macro f1" in header and "validation macro F1" in header
    results = pd.read_csv(folder / FINAL / "short" / RESULTS)
    for row in results.itertuples():
        model = metaqnn.load(folder / FINAL / "short" / row.weights)
        answers = model.scores(arrays["x_test"][:, None]).argmax(1)
        assert row.test_macro_f1 == macro_f1(arrays["y_test"], answers)
        assert row.test_error == np.mean(answers != arrays["y_test"])
    best = best_networks(open_run(folder), 2)["score"]
    assert results["macro_f1"].tolist() == best.tolist()
    assert "test macro f1" in render_page(open_run(folder), k=2)
    told = read_answers(folder / FINAL / "short" / ANSWERS)
    last = told[told["network"] == results["network"].iloc[-1]].set_index(["class", "answer"])
    labels = arrays["y_test"]
    assert told["images"].sum() == 2 * len(labels)
    for (label, answer), images in last["images"].items():
        assert images == np.sum((labels == int(label)) & (answers == int(answer)))
    kept = open_run(folder).config
    assert kept.changed({"class_weights": "none"}).identity != kept.identity


def test_another_metric_is_another_run(folder):
    path = Path(folder) / "config.toml"
    text = path.read_text()
    path.write_text(text.replace('"macro-f1"', '"accuracy"'))
    try:
        refused(call("resume", folder, "--budget", "5"), "belongs to another run", "metric")
    finally:
        path.write_text(text)


def test_a_run_of_a_program_without_metrics_goes_on(finished):
    """Its configuration and its memory say nothing of metrics and weights of classes."""
    path = Path("results/r/config.toml")
    lines = path.read_text().splitlines()
    old = [line for line in lines if not line.startswith(("metric", "class-weights"))]
    assert len(old) == len(lines) - 2
    path.write_text("\n".join(old))
    with sqlite3.connect("results/r/memory.sqlite") as memory:
        ((text,),) = memory.execute("SELECT value FROM run WHERE key = 'configuration'")
        known = json.loads(text)
        assert known.pop("metric") == "accuracy" and known.pop("class-weights") == "none"
        memory.execute("UPDATE run SET value = ? WHERE key = 'configuration'", (json.dumps(known),))
    memory.close()
    done = finished("resume", "results/r", "--budget", "5", "--quiet")
    assert done.exit_code == 0, done.output


def test_a_lucky_network_must_be_better_by_the_noise_of_the_rare_class(folder, monkeypatch):
    """The variance of the mean of three shares of .9, of which the rare class's is the largest."""
    run = open_run(folder)
    counts = load_split(run.config.parts["evaluator"].data)[1].labels.bincount().numpy()
    noise = 2 * sqrt(2 * 0.9 * 0.1 * (1 / counts).sum()) / 3
    assert noise > 1.1 * 2 * sqrt(2 * 0.9 * 0.1 / counts.sum())
    networks = best_networks(run, 4)
    start = networks["walk"].iloc[-1]
    monkeypatch.setattr(type(run.space()), "starts", lambda self: (start,))
    for gap, wins in ((0.99 * noise, False), (1.01 * noise, True)):
        scored = networks.assign(score=[0.9, 0.5, 0.5, 0.9 - gap])
        assert (choose(run, make_trainer(run), scored)["walk"].item() != start) == wins


def test_who_trains_the_networks_names_what_they_tell(tmp_path):
    own = {"shape": (1, 8, 8), "classes": 3, "space": "digits", "results_dir": tmp_path}
    search = Search(**own, metric="balanced-accuracy", budget=1)
    search.tell(search.ask(), 0.5)
    assert search.best()["balanced_accuracy"].tolist() == [0.5]


def test_an_unknown_one_is_refused():
    refused(call("run", "--metric", "f1"), "there is no metric 'f1'", "macro-f1")


def test_one_network_is_trained_by_it(folder):
    data = ["--dataset", f"npz:{folder.parent}/rare.npz", "--device", "cpu", "--threads", "1"]
    network = "[C(8,3,1), SM(3)]"
    done = call("train", network, *data, *OPTIONS, "--epochs", "1", "--restart-below", 0)
    assert "validation macro F1" in done.stdout, done.output
    done = call("train", network, *data, *OPTIONS, "--epochs", "1", "--final")
    assert "test error" in done.stdout and ", test macro F1" in done.stdout
