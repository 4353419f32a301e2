"""A run with a time ends in it, with a network that was trained large."""

import json
import time
from dataclasses import replace
from math import inf

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import metaqnn
from metaqnn.cli import main
from metaqnn.config import RunConfig, read_time
from metaqnn.data.options import DataOptions
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators import image_time
from metaqnn.evaluators.train import TrainEvaluator
from metaqnn.evaluators.train_options import TrainOptions
from metaqnn.models import latency
from metaqnn.networks.cost import total_cost
from metaqnn.reports.top_k import best_networks
from metaqnn.runs import timed
from metaqnn.runs.assembly import assemble, make_trainer
from metaqnn.runs.clock import Clock, defaults
from metaqnn.runs.run import open_run
from metaqnn.runs.timed import plan_search, with_deadline
from metaqnn.training.presets import practical
from state_space import random_walk
from tests.helpers.commands import refused
from tests.helpers.pictures import bars, write_npz


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def plan_last(run, clock, best):
    return timed.plan_last(run, make_trainer(run), clock, best)


def choose(run, networks):
    return timed.choose(run, make_trainer(run), networks)


COMMON = ["--device", "cpu", "--threads", "1", "--quiet"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1.5h", 5400), (" 0.5s ", 0.5), ("1h30m", 5400), ("1m5s", 65)],
)
def test_times(text, seconds):
    assert read_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "0m", "-1m", "10 minutes", "1d", "m", "1e3s", "nan", "5s1m", "0h0m"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="such as 90s, 10m or 1.5h"):
        read_time(text)
    with pytest.raises(MetaqnnError, match="time-limit is .*such as 90s, 10m or 1.5h"):
        RunConfig.from_flat({"time_limit": text})


@pytest.mark.parametrize(
    "given",
    [{}, {"train_limit": 100}, {"epochs": 3, "workers": 2}, {"predictor": True}, {"seed": 1}],
)
def test_images_of_ones_own_have_ten_minutes_and_the_practical_space(given):
    found = defaults({"dataset": "npz:a.npz", **given})
    assert found["time_limit"] == "10m"
    assert found["space"] == found["recipe"] == "practical"


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "digits"},
        {},
        *(
            {"dataset": "npz:a.npz", name: value}
            for name, value in {
                "budget": 5,
                "space": "mnist-small",
                "agent": "evolution",
                "alpha": 0.1,
                "what": 3,
            }.items()
        ),
    ],
)
def test_who_says_what_to_search_or_for_how_long_has_no_time(given):
    assert defaults(given) == {}


def test_images_of_ones_own_are_searched_for_in_the_practical_space_by_its_recipe(dataset):
    known = RunConfig.from_flat({"dataset": dataset, "budget": 3})
    assert known.run.space == "practical" and known.run.time_limit is None
    assert known.parts["evaluator"].recipe.schedule == "one-cycle"
    named = RunConfig.from_flat({"dataset": dataset, "budget": 3, "space": "mnist-small"})
    assert named.parts["evaluator"].recipe.schedule == "steps"
    assert named.parts["evaluator"].recipe.epochs == 20


@pytest.mark.parametrize(
    ("dataset", "stem"),
    [
        ("digits", "digits"),
        ("npz:data/my digits.npz", "my-digits"),
        ("folder:/photos/pets/", "pets"),
        ("npz:.npz", "npz"),
        ("folder:/", "folder"),
    ],
)
def test_a_runs_folder_is_called_as_its_data(dataset, stem):
    options = TrainOptions(data=DataOptions(dataset=dataset))
    assert TrainEvaluator.stem(options, "practical") == stem


def test_bad_options_are_told_in_one_line():
    refused(call("run", "--time-limit", "soon"), "time-limit is 'soon'", "90s")
    table = ["--space", "macro", "--evaluator", "bandit"]
    refused(call("run", "--time-limit", "1m", *table), "is for runs that train networks")
    refused(call("run", "--time-limit", "1m", "--sweeps", "3"), "the agent is bayesian")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Pictures that any network learns."""
    pixels, labels = bars(300, size=16)
    path = tmp_path_factory.mktemp("data") / "a.npz"
    return write_npz(path, x_train=pixels, y_train=labels, x_test=pixels[:60], y_test=labels[:60])


@pytest.fixture(scope="module")
def searched(dataset, tmp_path_factory):
    """A run on networks of half the scale, one of which is trained."""
    results = tmp_path_factory.mktemp("results")
    space = results / "space.toml"
    space.write_text('space = "practical"\nmade-for = "cifar10"\nscale = { width = 4 }\n')
    options = ["--space", space, "--recipe", "practical", "--epochs", "2", "--budget", "1"]
    where = ["--dataset", dataset, "--results-dir", results, "--name", "r"]
    done = call("run", *options, *where, *COMMON)
    assert done.exit_code == 0, done.output
    return open_run(results / "r")


@pytest.mark.slow
@pytest.mark.parametrize("second", [1e-4, 0.1, 20.0])
@pytest.mark.parametrize("limit", [10, 3600])
def test_the_last_network_is_the_widest_that_is_trained_for_long_enough(
    searched, monkeypatch, second, limit
):
    """An epoch of the network on the space's own scale takes so many seconds."""
    monkeypatch.setattr(image_time, "_epoch", lambda *_: second)
    monkeypatch.setattr(image_time, "PROBE_SHARE", 1e9)
    best = best_networks(searched, 1).iloc[0]
    run = plan_last(searched, Clock(limit, time.monotonic()), best).run
    epochs, width = run.config.parts["evaluator"].recipe.epochs, run.space().scale["width"]
    walk = next(trial.walk for trial, *_ in searched.memory().trained())
    costs = {
        times: total_cost(run.space().architecture(walk, {"width": int(8 * times)}), run.task.shape)
        for times in (4, 3, 2, 1, 0.5)
    }
    full = practical(300, 16)["epochs"]
    share = limit * image_time.TRUST
    # 30 of 300 images are for validation in the search, and are trained on in the end
    takes = {
        times: second * 300 / 270 * cost.multiply_adds / costs[1].multiply_adds
        for times, cost in costs.items()
    }
    fitting = [times for times in (4, 3, 2) if image_time.ENOUGH * full * takes[times] <= share]
    if not fitting and takes[1] * min(full, image_time.FEWEST) <= limit:
        fitting = [1]
    assert run.config.parts["evaluator"].data.train_limit is None
    assert width == 8 * max(fitting, default=0.5)
    recipe, fits = run.config.parts["evaluator"].recipe, limit / takes[width / 8]
    if fits < image_time.SHORT:
        # as many images as there is time for, in more epochs than that
        assert epochs == image_time.HOPE * image_time.SHORT
        # some of the time goes by meanwhile
        assert recipe.epoch_images == pytest.approx(
            max(recipe.batch_size, 300 * fits / image_time.SHORT), rel=0.1
        )
    else:
        assert recipe.epoch_images is None
        assert epochs == pytest.approx(min(full, image_time.HOPE * fits), abs=1)
    assert recipe.seconds < limit


@pytest.mark.slow
@pytest.mark.parametrize(("together", "threads"), [(0.1, 2), (0.19, 1)])
def test_the_last_training_has_the_threads_of_all_workers_where_that_is_faster(
    searched, monkeypatch, together, threads
):
    monkeypatch.setattr(
        image_time, "_epoch", lambda trainer, _: {1: 0.2, 2: together}[trainer.place.threads]
    )
    monkeypatch.setattr(image_time, "PROBE_SHARE", 1e9)
    best = best_networks(searched, 1).iloc[0]
    two = replace(searched, config=searched.config.changed({"workers": 2, "threads": 1}))
    config = plan_last(two, Clock(3600, time.monotonic()), best).run.config
    assert config.parts["executor"].threads == threads
    assert config.parts["executor"].workers == 3 - threads
    assert config.run.executor == "processes"


@pytest.mark.parametrize(("second", "images"), [(1.0, None), (2.0, None), (5.0, 135), (1e6, 16)])
def test_a_network_of_the_search_sees_as_many_images_as_there_is_time_for(
    searched, monkeypatch, second, images
):
    """A twelfth of the search's 30 s of 100 is 2.5 s, which is half an epoch of 5 s."""
    monkeypatch.setattr(image_time, "_epoch", lambda *_: second)
    run = replace(searched, config=searched.config.changed({"time_limit": "100s"}))
    recipe = plan_search(run, {}).config.parts["evaluator"].recipe
    assert recipe.epoch_images == images
    assert recipe.epochs == max(1, 2.5 // second)
    given = replace(run, config=run.config.changed({"epoch_images": 50}))
    assert (
        plan_search(given, {"epoch_images": 50}).config.parts["evaluator"].recipe.epoch_images == 50
    )


def work(architecture, facts):
    """The latency of a network of which a multiply-add takes a nanosecond."""
    return total_cost(architecture, facts.input_shape).multiply_adds * 1e-9


@pytest.mark.parametrize("share", [10.0, 1.2, 1.0, 0.6, 0.3])
@pytest.mark.parametrize("limit", ["max_latency", "max_parameters", "max_flops"])
def test_the_last_network_is_within_the_limits_of_the_run(searched, monkeypatch, limit, share):
    """There is time for twice the space's scale; a limit is so many times what that costs."""
    monkeypatch.setattr(image_time, "_epoch", lambda *_: 1e-3)
    monkeypatch.setattr(image_time, "PROBE_SHARE", 1e9)
    monkeypatch.setattr(image_time, "WIDER", (2,))
    monkeypatch.setattr(latency, "network_latency", work)
    best, shape = best_networks(searched, 1).iloc[0], searched.task.shape

    def costs(run, width):
        cost = total_cost(run.space().architecture(best["walk"], {"width": width}), shape)
        return {
            "max_latency": cost.multiply_adds * 1e-9,
            "max_parameters": cost.parameters,
            "max_flops": 2 * cost.multiply_adds,
        }[limit]

    most = max(share * costs(searched, 16), costs(searched, 4))
    option = f"{1e6 * most + 1e-3:.3f}us" if limit == "max_latency" else int(most)
    limited = replace(searched, config=searched.config.changed({limit: option}))
    finals = plan_last(limited, Clock(3600, time.monotonic()), best)
    width = finals.run.space().scale["width"]
    assert costs(finals.run, width) <= most * 1.001
    fitting = [one for one in (16, 12, 8, 6, 4) if costs(searched, one) <= most]
    assert width == fitting[0]
    if limit == "max_latency":
        assert list(finals.known.values()) == [pytest.approx(costs(searched, width))]


@pytest.mark.slow
def test_a_run_with_a_time_hands_over_a_network_within_its_limit(dataset, tmp_path, monkeypatch):
    measured = []

    def measure(architecture, facts):
        measured.append(architecture.digest)
        return work(architecture, facts)

    monkeypatch.setattr(latency, "network_latency", measure)
    where = ["--dataset", dataset, "--results-dir", tmp_path, "--name", "r", "--device", "cpu"]
    done = call("run", "--time-limit", "40s", "--max-latency", "500us", *where)
    assert done.exit_code == 0, done.output
    (result,) = pd.read_csv(tmp_path / "r" / "final" / "timed-1" / "results.csv").to_dict("records")
    assert result["latency"] == pytest.approx(1e-9 * result["multiply_adds"])
    assert result["latency"] <= 500e-6 and pd.isna(result["error"])
    assert len(measured) == len(set(measured))


def test_a_network_is_not_trained_for_less_time_than_the_search_gave_it(searched):
    told = []
    found = best_networks(searched, 1).assign(seconds=30.0)
    clock = Clock(20, time.monotonic())
    assert timed.train_last(searched, clock, found, told.append, quiet=True) is None
    assert "no time to train a network anew" in told[0]
    assert not (searched.path / "final").exists()


def test_a_limit_of_the_images_holds_for_the_last_training_too(searched):
    best = best_networks(searched, 1).iloc[0]
    limited = replace(searched, config=searched.config.changed({"train_limit": 100}))
    run = plan_last(limited, Clock(100, time.monotonic()), best).run
    assert run.config.parts["evaluator"].data.train_limit == 100


@pytest.mark.slow
@pytest.mark.parametrize("failing", [1, 2])
def test_where_the_last_training_fails_the_next_network_has_what_is_left(
    searched, monkeypatch, failing
):
    tried, told = [], []

    def train(finals, best, *_, quiet):
        tried.append(best["walk"].item())
        finals.path.mkdir(parents=True)
        error = "the loss is not finite" if len(tried) <= failing else None
        return pd.DataFrame({"error": [error]})

    monkeypatch.setattr(image_time, "_epoch", lambda *_: 0.1)
    monkeypatch.setattr(timed, "finalize", train)
    best = best_networks(searched, 1)
    walk = next(
        walk
        for seed in range(9)
        if (walk := random_walk(searched.space(), np.random.default_rng(seed)))
        != best["walk"].item()
    )
    two = pd.concat([best, best.assign(walk=[walk], rank=[2])], ignore_index=True)
    clock = Clock(1000, time.monotonic())
    if failing == 2:
        with pytest.raises(MetaqnnError, match="the last trainings of all networks failed"):
            timed.train_last(searched, clock, two, told.append, quiet=True)
    else:
        _, results = timed.train_last(searched, clock, two, told.append, quiet=True)
        assert results["error"].isna().all()
        (there,) = (searched.path / "final").iterdir()
        assert there.name == "timed-1"  # nothing is left of what failed
        there.rmdir()
    (searched.path / "final").rmdir()
    assert tried == two["walk"].tolist()
    assert "That failed: the loss is not finite" in told[1]
    assert "of rank 2, the best of those that are left, is trained" in told[2]


@pytest.mark.slow
def test_what_somebody_gave_stays(searched):
    assert plan_search(searched, {}) is searched  # there is no time
    limited = replace(searched, config=searched.config.changed({"time_limit": "100s"}))
    planned = plan_search(limited, {"epochs": 2})
    assert planned == limited  # the file of the space says its scale
    other = replace(limited, space_settings={"space": "practical", "made-for": "cifar10"})
    planned = plan_search(other, {"start_from": ()})
    assert planned.space().scale == {"width": 4}
    assert planned.config.run.start_from == ()
    again = plan_search(other, {})
    assert len(again.config.run.start_from) == len(
        other.space().starts()
    )  # designs made by hand come first


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "confirmed"), [("20s", 0), ("10h", 3)])
def test_the_best_are_trained_again_where_there_is_time(searched, monkeypatch, limit, confirmed):
    monkeypatch.setattr(image_time, "_epoch", lambda *_: 1.0)  # however fast the machine is
    changes = {"time_limit": limit}
    run = replace(
        searched,
        config=searched.config.changed(changes),
        space_settings={"space": "practical", "made-for": "cifar10"},
    )
    assert plan_search(run, {}).config.run.confirm == confirmed
    assert plan_search(run, {"confirm": 0}).config.run.confirm == 0
    with_confirm = replace(run, config=run.config.changed({"confirm": 2}))
    assert plan_search(with_confirm, {"confirm": 2}).config.run.confirm == 2
    clock = Clock(1000, 0.0)
    parts = assemble(plan_search(run, {}))
    rules = with_deadline(parts, clock).rules
    assert rules.deadline == 300
    assert rules.confirm_from == (pytest.approx(225) if confirmed else inf)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_it_ends_in_time_and_goes_on(dataset, tmp_path, workers):
    where = ["--dataset", dataset, "--results-dir", tmp_path, "--name", "r", "--validation", "60"]
    began = time.monotonic()
    done = call("run", "--time-limit", "40s", "--workers", workers, *where, "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert time.monotonic() - began < 100  # the machine is shared with tests beside this one
    assert "the time for the search is over" in done.stdout and "--final timed-1" in done.stdout
    trials = pd.read_csv(tmp_path / "r" / "final" / "timed-1" / "results.csv")
    assert (trials["test_error"] < 0.5).all()  # by chance two thirds; a busy machine trains little
    searched = open_run(tmp_path / "r")
    assert searched.space().scale == {"width": 4} and searched.config.run.agent == "bayesian"
    before = len(list(searched.memory().trained()))
    target = tmp_path / "net.onnx"
    done = call("export", tmp_path / "r", "--final", "timed-1", "--to", target)
    assert done.exit_code == 0, done.output
    np.save(tmp_path / "x.npy", bars(9, size=16)[0])
    done = call("predict", target, tmp_path / "x.npy", "--format", "json")
    assert {row["class"] for row in json.loads(done.stdout)} <= {"0", "1", "2"}
    done = call("resume", tmp_path / "r", "--time-limit", "20s")
    assert done.exit_code == 0, done.output
    assert len(list(searched.memory().trained())) >= before
    # on a busy machine there may be no time for it
    is_there = (tmp_path / "r" / "final" / "timed-2" / "results.csv").is_file()
    assert is_there != ("There is no time to train a network anew" in done.stderr)


@pytest.mark.slow
def test_a_program_may_have_a_time_too(dataset, tmp_path):
    search = metaqnn.Search(
        dataset=dataset, time_limit="40s", results_dir=tmp_path, name="r", device="cpu"
    )
    assert search.run(quiet=True) == "the time for the search is over"
    images, _ = bars(9, size=16)
    assert len(search.model(final="timed-1").predict(images)) == 9
    again = metaqnn.Search.open(tmp_path / "r", time_limit="10s")
    assert again.run(quiet=True) == "the time for the search is over"


@pytest.mark.parametrize(("ahead", "wins"), [(0.0, False), (0.15, False), (0.25, True)])
def test_another_network_replaces_a_design_only_if_it_is_better_by_more_than_noise(
    searched, ahead, wins
):
    """30 images for validation: at 80 % two accuracies differ by 20 points by chance."""
    start = searched.space().starts()[0]
    other = random_walk(searched.space(), np.random.default_rng(1))
    second = searched.space().starts()[1]
    networks = pd.DataFrame(
        {"walk": [other, second, start], "score": [0.8, 0.8 - ahead / 2, 0.8 - ahead]}
    )
    assert choose(searched, networks)["walk"].tolist() == [other if wins else start]
    assert choose(searched, networks[1:])["walk"].tolist() == [start]
    alone = networks.head(1)
    assert choose(searched, alone)["walk"].tolist() == [other]
