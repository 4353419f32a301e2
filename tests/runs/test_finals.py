"""Final trainings: on all images, tested once, resumed where they were killed."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import metaqnn
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.errors import MetaqnnError
from metaqnn.executors.in_process import InProcess
from metaqnn.metrics.tested import wilson
from metaqnn.models import latency
from metaqnn.networks.cost import total_cost
from metaqnn.reports.finals import summarise
from metaqnn.reports.top_k import best_networks
from metaqnn.runs.assembly import make_trainer
from metaqnn.runs.finals import Finals
from metaqnn.runs.results import COUNTS, FINAL, find_results
from metaqnn.runs.run import open_run
from metaqnn.search.rewards import show_latency
from metaqnn.training import job
from metaqnn.training.presets import NAMES, SEARCH, preset
from metaqnn.training.recipe import Recipe
from tests.helpers.commands import call, refused
from tests.helpers.finals import KEEP_ONE, SHORT, finalize
from tests.helpers.parts import evaluator_of
from tests.helpers.spaces import make_space


def test_errors_are_those_of_the_files_and_the_ensemble_is_the_mean_of_their_softmax(folder):
    results, output = finalize(folder, "two", "-k", "3", "--ensemble", "2")
    images = load(DataOptions(), "test")
    labels = images.labels.numpy()
    probabilities = []
    for row in results[results["rank"].notna()].itertuples():
        model = metaqnn.load(folder / FINAL / "two" / row.weights)
        probabilities.append(model.probabilities(images.images))
        assert row.test_error == np.mean(probabilities[-1].argmax(1) != labels)
        assert row.network in output.output
    assert len(probabilities) == 3
    together = results[results["network"] == "ensemble of 2"].iloc[0]
    mean = probabilities[0] + probabilities[1]
    assert together["test_error"] == np.mean(mean.argmax(1) != labels)
    assert results["network"].tolist()[:3] == best_networks(open_run(folder), 3)["network"].tolist()


def test_the_interval_is_wilson_s():
    """Of 10 in 100, as published for p = 0.1, n = 100; of none the upper end is z² / (n + z²)."""
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=5e-5)
    assert wilson(0, 360) == pytest.approx((0, 3.8415 / (360 + 3.8415)), abs=1e-5)


def test_all_training_images_are_used():
    evaluator = evaluator_of(make_space("digits"), device="cpu")
    parts = {
        whole: job._split_on_device(replace(evaluator, whole=whole), 1) for whole in (False, True)
    }
    assert len(parts[True][0]) == 1437 == len(parts[False][0]) + len(parts[False][1])
    assert torch.equal(parts[True][1].images, parts[False][1].images)


@pytest.mark.slow
def test_what_is_interrupted_goes_on_and_ends_the_same(folder):
    searched = open_run(folder)
    networks = best_networks(searched, 3)
    changed = searched.config.changed({"epochs": 1, "restart_below": 0.0, "threads": 1})
    run = replace(searched, config=changed)
    whole, parts = Finals(run, folder / FINAL / "whole"), Finals(run, folder / FINAL / "parts")
    with whole.lock():
        whole.train(networks, 0, InProcess())

    def interrupt(event):
        raise KeyboardInterrupt

    with parts.lock():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                parts.train(networks, 0, InProcess(), interrupt)
        parts.train(networks, 0, InProcess())
    examination = make_trainer(run).examination()
    told = [finals.test(networks, [0], 3, examination) for finals in (whole, parts)]
    columns = ["rank", "test_error", "network", "digest", "weights"]
    assert told[0][columns].equals(told[1][columns])


@pytest.mark.slow
def test_more_networks_and_seeds_may_follow_and_nothing_is_trained_twice(folder):
    first, _ = finalize(folder, "more", "-k", "1", "--ensemble", "1")
    assert len(first) == 1
    second, output = finalize(folder, "more", "-k", "2", "--seeds", "2", "--format", "csv")
    assert second["seed"].tolist() == [0, 0, 0, 1, 1, 1]
    assert second["seconds"].iloc[0] == first["seconds"].iloc[0]
    assert second["test_error"].iloc[0] == first["test_error"].iloc[0]
    summary = summarise(second, open_run(folder).task.score)
    errors = second["test_error"].values.reshape(2, 3)
    assert summary["test_error"].tolist() == pytest.approx(errors.mean(0).tolist())
    assert summary["deviation"].tolist() == pytest.approx(errors.std(0, ddof=1).tolist())
    assert output.stdout.splitlines()[0].startswith("rank,test_error,deviation,low,high")
    name, found = find_results(open_run(folder))
    assert name == "more" and found.equals(second.astype(COUNTS))
    again, _ = finalize(folder, "more", "-k", "1", "--ensemble", "1")
    ordered = [
        rows.sort_values(["seed", "network"]).to_csv(index=False) for rows in (again, second)
    ]
    assert ordered[0] == ordered[1]


@pytest.mark.slow
def test_python_does_the_same(folder):
    results, _ = finalize(folder, "command", "-k", "2")
    search = metaqnn.Search.open(folder)
    options = {"epochs": 2, "restart_below": 0.0, "threads": 1}
    found = search.finalize(2, name="python", quiet=True, **options)
    assert found["test_error"].tolist() == results["test_error"].tolist()
    assert search.best(2)["test_error"].tolist() == results["test_error"].tolist()[:2]
    with pytest.raises(MetaqnnError, match=r"unknown option epoch; did you mean epochs"):
        search.finalize(2, epoch=1)
    with pytest.raises(MetaqnnError, match="there is no recipe 'long'"):
        search.finalize(2, recipe="long")


@pytest.mark.slow
def test_a_network_that_fails_costs_itself_only_and_is_tried_again(folder, monkeypatch):
    train = job.train
    broken = best_networks(open_run(folder), 1)["network"].iloc[0]

    def fail(architecture, *arguments, **options):
        if architecture.text == broken:
            raise RuntimeError("it broke")
        return train(architecture, *arguments, **options)

    monkeypatch.setattr(job, "train", fail)
    results, output = finalize(folder, "broken", "-k", "3", "--ensemble", "3")
    assert results["error"].tolist()[0] == "RuntimeError: it broke"
    assert results["test_error"].notna().tolist() == [False, True, True, True]
    assert results["network"].iloc[-1] == "ensemble of 2"
    assert f"{broken} failed: RuntimeError: it broke" in output.stderr
    monkeypatch.undo()
    again, _ = finalize(folder, "broken", "-k", "3", "--ensemble", "3", "--format", "csv")
    trained = again[again["network"].isin(results["network"][:3])]
    assert trained["error"].isna().all() and trained["test_error"].notna().all()
    assert trained["seconds"].tolist()[1:] == results["seconds"].tolist()[1:3]
    assert "ensemble of 3" in again["network"].tolist()


def test_a_network_that_stays_at_chance_is_tested_all_the_same(folder):
    results, _ = finalize(folder, "chance", "-k", "1", "--restart-below", "10", "--restarts", "0")
    assert results["error"].isna().all()
    assert results["test_error"].between(0, 0.95).all()


@pytest.mark.slow
def test_the_final_weights_can_be_exported(folder):
    finalize(folder, "exported", "-k", "2")
    target = folder / "model.safetensors"
    result = call("export", folder, "--rank", "2", "--final", "exported", "--to", target)
    assert result.exit_code == 0, result.output
    assert metaqnn.load(target).facts.input_shape == (1, 8, 8)
    refused(call("export", folder, "--final", "none", "--to", target), "metaqnn finalize")
    export = ["export", folder, "--final", "exported", "--to", target, "--rank"]
    refused(call(*export, "3"), "of rank 3, is not in")
    refused(call(*export, "4"), "rank is 4", "3 trained networks")
    refused(call("export", target, "--rank", "2", "--to", target), "is one network")


@pytest.mark.slow
def test_without_a_rank_the_best_of_those_that_were_trained_in_the_end_is_exported(folder):
    finalize(folder, "second", "-k", "2")
    rows = pd.read_csv(folder / "final" / "second" / "results.csv")
    second = rows[rows["rank"] == 2]
    second.to_csv(folder / "final" / "second" / "results.csv", index=False)
    target = folder / "model.safetensors"
    result = call("export", folder, "--final", "second", "--to", target)
    assert result.exit_code == 0, result.output
    expected = folder / "final" / "second" / second["weights"].item()
    assert metaqnn.load(target).facts == metaqnn.load(expected).facts


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--recipe", "long"], ["'long' is not one of 'short', 'search'"]),
        (["--rates", "0.1"], ["rates is '0.1'", "'0.1' is not RATE:EPOCHS"]),
        (["--rates", "0.1:5,0:2"], ["'0:2' is not RATE:EPOCHS"]),
        (["--optimizer", "sdg"], ["no optimizer 'sdg'", "sgd"]),
        (["--momentum", "1"], ["momentum is 1.0"]),
        (["--momentum", "0", "--nesterov"], ["nesterov is True", "a momentum above 0"]),
        (["--data-dir", "nowhere", "--executor", "ray", "--device", "cuda:1"], ["ray chooses"]),
        (["--name", "../x"], ["the name '../x'"]),
        (["-k", "0"], ["0 is not in the range"]),
    ],
)
def test_bad_input_is_one_line(folder, options, parts):
    refused(call("finalize", folder, *options), *parts)


@pytest.mark.slow
def test_another_recipe_in_the_same_folder_is_refused(folder):
    finalize(folder, "taken", "-k", "1")
    result = call("finalize", folder, "--name", "taken", *SHORT, "-k", "1", "--epochs", "3")
    refused(result, "epochs is 2 there and 3 here", "--name chooses another")


@pytest.mark.slow
def test_networks_that_are_too_slow_on_a_larger_scale_are_not_trained(tmp_path, monkeypatch):
    """A multiply-add takes a nanosecond; what was measured in the search is not measured again."""
    measured = []

    def measure(architecture, facts):
        measured.append(architecture.digest)
        return total_cost(architecture, facts.input_shape).multiply_adds * 1e-9

    monkeypatch.setattr(latency, "network_latency", measure)
    where = ["--results-dir", tmp_path, "--name", "r", "--space", "practical"]
    options = ["--epochs", "1", "--budget", "3", "--max-latency", "10s", *where, "--device", "cpu"]
    assert call("run", *options, "--quiet").exit_code == 0
    folder = tmp_path / "r"
    networks = best_networks(open_run(folder), 3)
    results, _ = finalize(folder, "same", "-k", "2")
    assert results["latency"].tolist()[:2] == networks["latency"].tolist()[:2]
    assert len(measured) == len(set(measured)) == 3
    run = open_run(folder)
    wide = [run.space().architecture(walk, {"width": 9}) for walk in networks["walk"]]
    takes = [total_cost(each, (1, 8, 8)).multiply_adds * 1e-9 for each in wide]
    limit = f"{1e6 * sorted(takes)[1] + 1e-3:.6f}us"
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(config.replace('"10s"', f'"{limit}"'))
    with closing(sqlite3.connect(folder / "memory.sqlite")) as memory, memory:
        change = "UPDATE run SET value = replace(value, '\"10s\"', ?) WHERE key = 'configuration'"
        memory.execute(change, (f'"{limit}"',))
    for _ in range(2):
        results, output = finalize(folder, "wide", "-k", "3", "--scale", "width=9", "--seeds", "2")
        one = results.query("seed == 1")
        trained = one[one["error"].isna() & one["rank"].notna()]
        assert sorted(trained["latency"]) == pytest.approx(sorted(takes)[:2])
        (reason,) = one["error"].dropna()
        assert f"more than {show_latency(sorted(takes)[1])}" in reason
        assert reason in output.output and "ms an image" in output.output
        assert len(measured) == len(set(measured)) == 6


def test_a_run_without_networks_is_refused(tmp_path):
    made = call("run", "--budget", "0", "--results-dir", tmp_path, "--name", "e", "--quiet")
    assert made.exit_code == 0
    refused(call("finalize", tmp_path / "e"), "has no trained network yet")


def test_short_is_twice_as_long_and_changes_of_the_rate_count():
    searched = Recipe(epochs=10, rates="0.1:5,0.01:5").model_dump()
    assert preset("short", searched, 8, {})["rates"] == "0.1:10,0.01:10"
    assert preset("short", searched, 8, {})["epochs"] == 20
    changed = preset("paper-svhn", Recipe().model_dump(), 32, {"learning_rate": 0.1})
    assert changed["rates"] is None and changed["learning_rate"] == 0.1
    usual = Recipe().model_dump()
    for name in NAMES:
        if not name.endswith(SEARCH):  # those of searches are shorter
            assert Recipe(**preset(name, usual, 32, {})).epochs >= 40
    assert preset(SEARCH, usual, 32, {"epochs": 7}) == {**usual, "epochs": 7}


def test_what_is_missing_is_found_before_anything_is_trained(tmp_path):
    """Images of the run's training, of another shape, or for testing; and nothing is recorded."""

    def write(size, **more):
        pixels = np.random.default_rng(0).integers(0, 256, (40, size, size), np.uint8)
        np.savez(tmp_path / "own.npz", x_train=pixels, y_train=np.arange(40) % 4, **more)

    write(8)
    data = ["--dataset", f"npz:{tmp_path / 'own.npz'}", "--space", "digits", "--validation", "8"]
    made = call("run", *KEEP_ONE, *data, "--results-dir", tmp_path, "--name", "r")
    assert made.exit_code == 0, made.output
    write(8, x_test=np.zeros((4, 9, 9), np.uint8), y_test=np.arange(4))
    refused(call("finalize", tmp_path / "r", *SHORT), "x_test has images of shape (1, 9, 9)")
    write(8, x_test=np.zeros((4, 8, 8), np.uint8), y_test=np.arange(4) + 1)
    refused(call("finalize", tmp_path / "r", *SHORT), "y_test has the class '4'")
    write(9)
    refused(call("finalize", tmp_path / "r", *SHORT), "images of shape (1, 9, 9)")
    (tmp_path / "own.npz").unlink()
    refused(call("finalize", tmp_path / "r", *SHORT), "own.npz cannot be read")
    assert not (tmp_path / "r" / FINAL).exists()
