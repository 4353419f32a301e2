"""A grid of settings of the recipe: judged on validation images, resumed, and then the recipe."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import metaqnn
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.examinations import ImageExamination
from metaqnn.executors.in_process import InProcess
from metaqnn.models import latency
from metaqnn.reports.top_k import best_networks
from metaqnn.runs import grid
from metaqnn.runs.finals import Finals
from metaqnn.runs.grid import plan_grid, try_settings
from metaqnn.runs.results import FINAL
from metaqnn.runs.run import open_run
from metaqnn.training import job
from replay import Outcome
from tests.helpers.commands import call, refused
from tests.helpers.finals import KEEP_ONE, SHORT, finalize

GRID = ["--grid", "learning-rate=0.00001,0.003", "--grid", "batch-size=64,256"]
SETTINGS = [(0.00001, 64), (0.00001, 256), (0.003, 64), (0.003, 256)]


@pytest.fixture
def trained(monkeypatch):
    """What is trained: so many images, by a recipe."""
    calls = []
    train = job.train

    def note(network, training, validation, recipe, *arguments, **options):
        calls.append((len(training), recipe))
        return train(network, training, validation, recipe, *arguments, **options)

    monkeypatch.setattr(job, "train", note)
    return calls


def read_grid(folder, name):
    return pd.read_csv(folder / FINAL / name / "grid.csv", keep_default_na=False)


def plan(folder, name, values):
    changes = {"epochs": 1, "restart_below": 0.0, "threads": 1}
    return plan_grid(open_run(folder), "search", name, changes, None, values)


@pytest.mark.slow
def test_the_best_on_validation_images_is_the_recipe_of_the_final_trainings(
    folder, trained, monkeypatch
):
    tested = []
    answer = ImageExamination.answer

    def note(examination, *arguments):
        tested.append(len(trained))
        return answer(examination, *arguments)

    monkeypatch.setattr(ImageExamination, "answer", note)
    results, output = finalize(folder, "both", *GRID, "-k", "2")
    assert tested == [6, 6], "the test images are for the two, when all six trainings are over"
    assert [images for images, _ in trained] == [1150] * 4 + [1437] * 2
    tried = [(recipe.learning_rate, recipe.batch_size) for _, recipe in trained]
    assert tried[:4] == SETTINGS
    table = read_grid(folder, "both")
    assert sorted(zip(table["learning_rate"], table["batch_size"], strict=True)) == SETTINGS
    assert table["accuracy"].is_monotonic_decreasing and table["accuracy"].nunique() > 1
    best = table.iloc[0]
    assert tried[4:] == [(best["learning_rate"], best["batch_size"])] * 2
    assert "learning-rate" in output.stderr and "learning-rate" not in output.stdout
    assert len(results) == 3
    again, _ = finalize(folder, "both", *GRID, "-k", "2")
    assert len(trained) == 6 and again["test_error"].tolist() == results["test_error"].tolist()
    # as if somebody had known it
    best = ["--learning-rate", best["learning_rate"], "--batch-size", best["batch_size"]]
    known, _ = finalize(folder, "known", *best, "-k", "2")
    assert known["test_error"].tolist() == results["test_error"].tolist()


def test_the_score_is_that_after_the_last_epoch(folder, monkeypatch):
    train = job.train

    def fall(network, training, validation, recipe, *arguments, **options):
        outcome = train(network, training, validation, recipe, *arguments, **options)
        curves = {0.1: (0.9, 0.2), 0.2: (0.3, 0.4)}
        return replace(outcome, curve=curves[recipe.learning_rate])

    monkeypatch.setattr(job, "train", fall)
    grid = plan(folder, "falling", {"learning_rate": [0.1, 0.2]})
    with grid.finals.lock():
        table = try_settings(grid, best_networks(open_run(folder), 1).iloc[0], InProcess())
    assert table["setting"].tolist() == ["learning-rate=0.2", "learning-rate=0.1"]
    assert table["accuracy"].tolist() == [0.4, 0.2]


@pytest.mark.slow
def test_what_is_interrupted_goes_on_and_ends_the_same(folder, trained):
    values = {"learning-rate": ["0.001", "0.002", "0.003"]}
    network = best_networks(open_run(folder), 1).iloc[0]

    def interrupt(event):
        raise KeyboardInterrupt

    tables = []
    for name, kills in (("whole", 0), ("parts", 2)):
        grid = plan(folder, name, values)
        with grid.finals.lock():
            for _ in range(kills):
                with pytest.raises(KeyboardInterrupt):
                    try_settings(grid, network, InProcess(), interrupt)
            tables.append(try_settings(grid, network, InProcess()).drop(columns="seconds"))
    assert len(trained) == 6
    assert tables[0].equals(tables[1])


@pytest.mark.slow
def test_a_setting_that_fails_costs_itself_only(folder, monkeypatch):
    train = job.train

    def fail(network, training, validation, recipe, *arguments, **options):
        if recipe.optimizer == "sgd":
            raise RuntimeError("it broke")
        return train(network, training, validation, recipe, *arguments, **options)

    monkeypatch.setattr(job, "train", fail)
    options = ["--grid", "optimizer=sgd,adam", "-k", "1", "--epochs", "1"]
    results, output = finalize(folder, "broken", *options)
    assert results["error"].isna().all()
    assert read_grid(folder, "broken")["optimizer"].tolist() == ["adam", "sgd"]
    assert "RuntimeError: it broke" in output.stderr
    result = call("finalize", folder, "--name", "all", *SHORT, "--grid", "optimizer=sgd")
    refused(result, "no setting of the grid could be trained: RuntimeError: it broke")


def test_rates_are_one_value_and_none_is_none(folder):
    values = {"rates": ["0.1:1,0.01:1", "none"], "mirror": [True, False], "clip-norm": ["5"]}
    grid = plan(folder, "kinds", values)
    recipes = [
        finals.run.config.parts["evaluator"].recipe
        for finals in grid.trials.values()
        if isinstance(finals, Finals)
    ]
    found = [(recipe.rates, recipe.mirror, recipe.clip_norm) for recipe in recipes]
    assert found == [
        (rates, mirror, 5.0) for rates in ("0.1:1,0.01:1", None) for mirror in (True, False)
    ]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--grid", "learning-rat=1"], ["no recipe has learning-rat; did you mean learning-rate?"]),
        (["--grid", "train-limit=5"], ["no recipe has train-limit"]),
        (["--grid", "learning-rate"], ["'learning-rate' is not KEY=VALUE"]),
        (["--grid", "learning-rate=1,,2"], ["is not KEY=VALUE"]),
        (["--grid", "learning-rate=fast"], ["learning-rate is 'fast': input should be a valid"]),
        (["--grid", "learning-rate=0.1,-1"], ["learning-rate is -1.0: input should be greater"]),
        (["--grid", "optimizer=sdg"], ["no optimizer 'sdg'"]),
        (["--grid", "epochs=3"], ["epochs is given, and in the grid too"]),
        (["--grid", "clip-norm=1,1.0"], ["clip-norm=1.0 stands there twice"]),
    ],
)
def test_bad_input_is_one_line(folder, options, parts):
    refused(call("finalize", folder, *SHORT, *options), *parts)
    assert not (folder / FINAL / "short-grid").exists()


@pytest.mark.slow
def test_every_executor_and_python_find_the_same(folder):
    results, _ = finalize(folder, "here", *GRID, "-k", "1")
    parallel, _ = finalize(folder, "there", *GRID, "-k", "1", "--workers", "2")
    search = metaqnn.Search.open(folder)
    options = {"epochs": 2, "restart_below": 0.0, "threads": 1, "quiet": True}
    values = {"learning_rate": np.array([0.00001, 0.003]), "batch_size": [64, 256]}
    found = search.finalize(1, grid=values, name="python", **options)
    assert found["test_error"].tolist() == results["test_error"].tolist()
    tables = [read_grid(folder, name).drop(columns="seconds") for name in ("here", "there")]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(read_grid(folder, "python").drop(columns="seconds"))
    assert parallel["test_error"].tolist() == results["test_error"].tolist()


def test_networks_that_are_too_slow_are_not_tried(tmp_path, monkeypatch):
    """On the scale on which they are to be trained; each is measured once."""
    slow, measured, tried = set(), [], []

    def measure(architecture, facts):
        measured.append((architecture.digest, facts.contrast))
        return 2.0 if architecture.digest in slow else 0.5

    def note(grid, network, *arguments):
        tried.append(network["walk"])
        settings = list(grid.settings)
        return pd.DataFrame({"setting": settings[::-1], "error": [None] * len(settings)})

    accuracies = iter([0.3, 0.9, 0.6])
    monkeypatch.setattr(latency, "network_latency", measure)
    monkeypatch.setattr(grid, "try_settings", note)
    monkeypatch.setattr(job, "train", lambda *_, **__: Outcome({}, (next(accuracies),)))
    own = ["--space", "practical", "--max-latency", "1s", "--results-dir", tmp_path, "--name", "r"]
    assert call("run", *KEEP_ONE, *own).exit_code == 0
    run = open_run(tmp_path / "r")
    networks = best_networks(run, 3)
    wide = [run.space().architecture(walk, {"width": 9}).digest for walk in networks["walk"]]
    slow.add(wide[0])

    def choose(**values):
        asked = plan_grid(run, "search", "wide", {}, {"width": 9}, values)
        return grid.choose_setting(asked, networks, quiet=True)[0]

    chosen = choose(epochs=[1, 2])
    assert tried == [networks["walk"].iloc[1]]
    assert chosen.known == dict(zip(wide, [2.0, 0.5, 0.5], strict=True))
    assert measured[3:] == [(digest, False) for digest in wide]
    choose(epochs=[1, 2])
    assert len(measured) == 6 and tried[1] == tried[0]
    assert choose(contrast=[False, True]).known == {}  # that takes a time of its own
    slow.update(wide)
    (tmp_path / "r" / FINAL / "wide" / "grid-latency.sqlite").unlink()
    with pytest.raises(MetaqnnError, match=r"no network may be trained: 2,000 ms, more than 1,000"):
        choose(epochs=[1, 2])


@pytest.mark.slow
def test_another_grid_in_the_same_folder_is_refused(folder):
    finalize(folder, "taken", "--grid", "learning-rate=0.001", "-k", "1")
    result = call(
        "finalize", folder, "--name", "taken", *SHORT, "--grid", "learning-rate=0.002", "-k", "1"
    )
    refused(result, "--name chooses another")
