"""Stopping hopeless trainings: features and rungs by hand, curves of a known family, real runs."""

import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.stats import norm

from metaqnn.cli import main
from metaqnn.config import RunConfig
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.networks.cost import size_metrics
from metaqnn.networks.notation import read
from metaqnn.reports.distinct import distinct
from metaqnn.reports.stopping import Savings
from metaqnn.reports.top_k import render, top_k
from metaqnn.runs.run import open_run
from metaqnn.search.kept_weights import KeptWeights
from metaqnn.search.rewards import REWARDS, RewardOptions
from metaqnn.stopping.base import Progress, Verdict
from metaqnn.stopping.halving import Halving, HalvingRule
from metaqnn.stopping.predictor import (
    PredictionRule,
    Predictor,
    PredictorOptions,
    Regressor,
    features,
    probability_above,
)
from metaqnn.task import accuracy
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from replay import Outcome, Trial
from tests.helpers.commands import refused
from tests.helpers.searches import make_search, state

EPOCHS = 8
NETWORK = read("[C(8,3,1), P(2,2), SM(10)]")
SIZES = {"nodes": 4, "parameters": 999, "multiply_adds": 99, "learning_rate": 1e-3}
RECIPE = Recipe(epochs=4, batch_size=64, learning_rate=3e-3, restart_below=0)


def progress(*curve, epochs=EPOCHS):
    return Progress(SIZES, epochs, curve)


def trial(number, seed=1):
    return Trial(number, ("SM(10)",), 0, str(number), seed, {})


def family(number):
    """A curve that rises to its end, the faster the later it is; and some noise."""
    generator = np.random.default_rng(number)
    end, speed = generator.uniform(0.3, 0.95), generator.uniform(0.5, 1.5)
    rising = end * (1 - np.exp(-speed * np.arange(1, EPOCHS + 1)))
    return tuple((rising + generator.normal(0, 0.004, EPOCHS)).clip(0, 1).tolist())


METRICS = {
    "nodes": len(NETWORK.nodes),
    "parameters": 999,
    "multiply_adds": 99,
    "learning_rate": 1e-3,
}


def score(job):
    """A training of the family, by the network's digest, that obeys the job's rule."""
    curve, verdict = family(int(job.architecture.digest[:8], 16)), None
    for seen in range(1, EPOCHS):
        if job.stopping and not verdict:
            verdict = job.stopping(progress(*curve[:seen]))
            if verdict and not verdict.goes_on:
                curve = curve[:seen]
    return Outcome({**METRICS, **(verdict.metrics if verdict else {})}, curve)


def predictor(**options):
    return Predictor(PredictorOptions(**options), EPOCHS)


STOPPERS = {
    "predictor": lambda: predictor(predictor_after=10, rival=2),
    "halving": lambda: Halving(2, 1, EPOCHS),
}


def told(stopper, count):
    for number in range(count):
        stopper.tell(trial(number), Outcome(METRICS, family(number)))
    return stopper


# features and probability


def test_features_by_hand():
    values, first, second = [0.5, 0.7, 0.8], [0.2, 0.1], [-0.1]
    moments = [2 / 3, np.sqrt(0.14 / 9), 0.15, 0.05, -0.1, 0]
    found = features((0.5, 0.7, 0.8), SIZES)
    assert found == pytest.approx([*values, *first, *second, *moments, 4, 3, 2, -3])
    assert features((0.5,), SIZES) == pytest.approx([0.5, 0.5, 0, 4, 3, 2, -3])


@pytest.mark.parametrize("rival", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("deviation", [0.01, 0.1])
def test_the_probability_is_that_of_the_normal_distribution(rival, deviation):
    assert probability_above(rival, 0.5, deviation) == pytest.approx(norm.sf(rival, 0.5, deviation))


def test_a_prediction_without_error_is_certain():
    assert probability_above(0.5, 0.6, 0.0) == 1
    assert probability_above(0.5, 0.4, 0.0) == 0


# the predictor's rule


class Constant:
    """A model that always predicts the same."""

    def __init__(self, accuracy):
        self.accuracy = accuracy

    def predict(self, rows):
        return np.full(len(rows), self.accuracy)


def rule(accuracy, *, spared=False, rival=0.9):
    # the 95 % quantile of the normal distribution is 1.645
    return PredictionRule({2: Regressor(Constant(accuracy), 0.1)}, rival, 0.95, spared, highest=1.0)


def test_a_training_stops_when_it_stays_below_the_rival_with_probability_delta():
    assert rule(0.9 - 0.1644)(progress(0.1, 0.2)) is None
    assert rule(0.9 - 0.1646)(progress(0.1, 0.2)) == Verdict(
        {"stopped_after": 2, "predicted": 0.9 - 0.1646, "rival": 0.9, "deviation": 0.1}
    )


def test_a_spared_one_goes_on_and_its_accuracy_is_not_marked_as_predicted():
    verdict = rule(0.5, spared=True)(progress(0.1, 0.2))
    assert verdict.goes_on
    assert verdict.metrics == {
        **{"would_stop_after": 2, "would_predict": 0.5},
        **{"rival": 0.9, "deviation": 0.1},
    }


def test_predictions_are_accuracies_and_no_worse_than_what_is_reached():
    assert rule(-0.4)(progress(0.3, 0.2)).metrics["predicted"] == 0.3
    assert rule(0.0)(progress(0.95, 0.2)) is None
    assert rule(7.0, rival=1.5)(progress(0.3, 0.2)).metrics["predicted"] == 1.0


def test_without_a_regressor_for_its_epochs_a_training_goes_on():
    assert rule(0.0)(progress(0.1)) is None


# the predictor


@pytest.mark.slow
def test_it_stops_none_before_it_has_learnt():
    stopper = told(predictor(predictor_after=10, rival=2), 9)
    stopper.tell(trial(98), Outcome(METRICS, family(98)[:4]))  # stopped
    stopper.tell(trial(99), Outcome(METRICS, (0.1,)))  # never left chance
    stopper.tell(trial(97), Outcome(error="out of memory"))
    assert stopper.rule(trial(10)) is None
    stopper.tell(trial(9), Outcome(METRICS, family(9)))
    assert stopper.rule(trial(10)) is not None


@pytest.mark.slow
def test_the_rival_is_the_kth_best_of_the_moment():
    stopper = told(predictor(predictor_after=10, rival=3), 12)
    for count in (12, 15):
        best = sorted((max(family(number)) for number in range(count)), reverse=True)
        assert stopper.rule(trial(count)).rival == best[2]
        for number in range(12, 15):
            stopper.tell(trial(number), Outcome(METRICS, family(number)))


@pytest.mark.slow
def test_one_in_ten_is_spared_by_its_seed_alone():
    stopper = told(predictor(predictor_after=10, rival=2), 10)
    spared = [stopper.rule(trial(1, seed)).spared for seed in range(1000)]
    assert sum(spared) == 100
    assert spared == [stopper.rule(trial(2, seed)).spared for seed in range(1000)]


@pytest.mark.slow
def test_told_the_same_it_makes_the_same_rule_and_rules_travel():
    first, again = (told(predictor(predictor_after=10, rival=2), 45) for _ in range(2))
    for number in range(10, 45, 5):
        first.rule(trial(number))  # asked on the way or not makes no difference
    sent = pickle.dumps(again.rule(trial(45)))
    assert len(sent) < 200_000
    received = pickle.loads(sent)
    for number in range(100, 120):
        now = progress(*family(number)[:3])
        assert first.rule(trial(45))(now) == received(now)


@pytest.mark.slow
def test_on_a_family_of_curves_it_saves_epochs_and_never_stops_the_best():
    stopper, networks, outcomes = predictor(predictor_after=40), 160, {}
    for number in range(networks):
        stopping = stopper.rule(trial(number, seed=number))
        curve, metrics = family(number), {}
        for seen in range(1, EPOCHS):
            verdict = stopping and stopping(progress(*curve[:seen]))
            if verdict:
                metrics = verdict.metrics
                curve = curve if verdict.goes_on else curve[:seen]
                break
        outcomes[number] = Outcome({**METRICS, **metrics}, curve)
        stopper.tell(trial(number), outcomes[number])
    spent = [len(outcome.curve) for outcome in outcomes.values()]
    assert spent[:40] == [EPOCHS] * 40
    assert sum(spent[40:]) < 0.6 * EPOCHS * (networks - 40)
    best = sorted(outcomes, key=lambda number: max(family(number)), reverse=True)
    assert all(len(outcomes[number].curve) == EPOCHS for number in best[:5])
    stopped = [number for number in outcomes if "predicted" in outcomes[number].metrics]
    errors = [outcomes[number].metrics["predicted"] - max(family(number)) for number in stopped]
    assert np.sqrt(np.mean(np.square(errors))) < 0.1
    assert any("would_stop_after" in outcome.metrics for outcome in outcomes.values())


# halving


def test_rungs_are_first_times_powers_of_the_factor_before_the_last_epoch():
    assert list(Halving(3, 1, 20).recorded) == [1, 3, 9]
    assert list(Halving(2, 2, 16).recorded) == [2, 4, 8]
    assert list(Halving(2, 4, 4).recorded) == []


def test_a_third_goes_on_at_each_rung_and_the_first_ones_all_do():
    stopper = Halving(3, 1, 5)
    # of one or two networks a third is none: they go on, whatever they have
    assert stopper.rule(trial(1))(progress(0.5)) is None
    stopper.tell(trial(1), Outcome(curve=(0.5, 0.6, 0.55, 0.7, 0.7)))
    assert stopper.rule(trial(2))(progress(0.1)) is None
    stopper.tell(trial(2), Outcome(curve=(0.1, 0.2, 0.3, 0.3, 0.3)))
    # of three it is one: the third must be as good as 0.5 after 1 epoch and as 0.6 after 3
    assert stopper.rule(trial(3)) == HalvingRule({1: 0.5, 3: 0.6})
    assert stopper.rule(trial(3))(progress(0.49)) == Verdict({"stopped_after": 1})
    assert stopper.rule(trial(3))(progress(0.5)) is None
    assert stopper.rule(trial(3))(progress(0.5, 0.51)) is None  # no rung
    assert stopper.rule(trial(3))(progress(0.5, 0.61, 0.4)) is None  # its best counts
    # three that are stopped after 1 epoch are not recorded at the next rung; of six, two go on
    for number, reached in enumerate((0.4, 0.3, 0.2), start=3):
        stopper.tell(trial(number), Outcome(curve=(reached,)))
    assert stopper.rule(trial(6)) == HalvingRule({1: 0.4, 3: 0.6})
    stopper.tell(trial(6), Outcome(error="out of memory"))
    assert stopper.rule(trial(7)) == HalvingRule({1: 0.4, 3: 0.6})


# search, training and rewards


@pytest.mark.slow
@pytest.mark.parametrize("name", STOPPERS)
def test_killed_and_resumed_equals_uninterrupted(tmp_path, name, monkeypatch):
    monkeypatch.setattr("metaqnn.stopping.predictor.DRAWS", 2)
    whole = make_search(
        tmp_path / "whole.sqlite", budget=24, evaluator=score, stopper=STOPPERS[name]()
    )
    whole.run()
    stopped = whole.memory.frame()["stopped_after"]
    assert stopped.notna().any()

    def interrupted(job):
        if len(search.trained) == point:
            raise KeyboardInterrupt
        return score(job)

    for point in (5, 10, 21):
        path = tmp_path / f"{point}.sqlite"
        search = make_search(path, budget=24, evaluator=interrupted, stopper=STOPPERS[name]())
        with pytest.raises(KeyboardInterrupt):
            search.run()
        search.memory.close()
        resumed = make_search(path, budget=24, evaluator=score, stopper=STOPPERS[name]())
        resumed.run()
        assert state(resumed) == state(whole)


def test_predicted_rewards_keep_no_weights_and_push_none_out(tmp_path):
    def every_third_is_predicted(job):
        if job.seed % 3 == 0:
            return Outcome({"predicted": 0.99}, (0.1,))
        return Outcome({}, (0.5 + job.seed % 1000 / 3000,), weights=b"weights")

    folder = tmp_path / "networks"
    path = tmp_path / "memory.sqlite"
    for budget in (20, 30):
        search = make_search(
            path, budget=budget, evaluator=every_third_is_predicted, kept=KeptWeights(folder, 3)
        )
        search.run()
        frame = search.memory.frame().query("first")
        measured = frame[frame["predicted"].isna()].sort_values("reward", ascending=False)
        assert len(measured) < len(frame)
        assert {int(file.stem) for file in folder.iterdir()} == set(measured["number"].head(3))
        search.memory.close()


@pytest.fixture(scope="module")
def digits():
    return load_split(DataOptions())


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_training_obeys_the_rule(digits, goes_on):
    seen = []

    def stops_after_two(now):
        seen.append(now)
        metrics = {"would_predict" if goes_on else "predicted": 0.4}
        return Verdict(metrics, goes_on) if len(now.curve) == 2 else None

    free = train(NETWORK, *digits, RECIPE, 1, keep_above=-1)
    outcome = train(NETWORK, *digits, RECIPE, 1, keep_above=-1, stopping=stops_after_two)
    assert [now.curve for now in seen] == [free.curve[:1], free.curve[:2]]
    assert seen[0].epochs == 4
    assert seen[0].metrics == {**size_metrics(NETWORK, (1, 8, 8)), "learning_rate": 3e-3}
    assert outcome.curve == (free.curve if goes_on else free.curve[:2])
    assert (outcome.weights is not None) == goes_on


def test_a_training_that_halving_stops_keeps_what_it_has_reached(digits):
    never = HalvingRule({1: 2.0})
    outcome = train(NETWORK, *digits, RECIPE, 1, keep_above=-1, stopping=never)
    assert len(outcome.curve) == 1
    assert outcome.metrics["stopped_after"] == 1
    assert outcome.weights is not None


def test_rewards_are_of_the_predicted_accuracy_where_there_is_one():
    config = RewardOptions(flops_weight=0.01, density_weight=0.01)
    metrics = {"predicted": 0.8, "multiply_adds": 500, "edges": 4, "nodes": 4}
    stopped = Outcome(metrics, (0.2, 0.3))
    assert REWARDS.find("score")(stopped, config) == 0.8
    assert REWARDS.find("nas")(stopped, config) == pytest.approx(0.512)
    # log10(2 * 500) is 3
    assert REWARDS.find("block-qnn")(stopped, config) == pytest.approx(0.8 - 0.03)


# reports


def trials(*rows):
    frame = pd.DataFrame(rows)
    return frame.assign(first=True, finished=True, number=range(1, len(rows) + 1))


def row(curve, reward=None, error=None, **metrics):
    network = {"walk": ("SM(10)",), "parameters": 1, "multiply_adds": 1, "seconds": 1.0}
    network["confirmation"] = 0
    score = max(curve, default=0.1) if reward is None else reward
    return {**network, "curve": curve, "reward": score, "error": error, **metrics}


def test_savings_by_hand():
    found = trials(
        row((0.5, 0.6, 0.7, 0.8)),
        row((0.1,)),  # never left chance: it took one epoch, and saved none
        row((), error="out of memory"),
        row((0.2,), 0.4, stopped_after=1, predicted=0.4, rival=0.8),
        row((0.2, 0.3), 0.5, stopped_after=2, predicted=0.5, rival=0.8),
        row((0.2, 0.3, 0.4, 0.9), would_stop_after=2, would_predict=0.5, rival=0.8),
        row((0.2, 0.3, 0.4, 0.4), would_stop_after=2, would_predict=0.5, rival=0.8),
    )
    savings = Savings.of(found, 4)
    assert savings == Savings(stopped=2, epochs=21, saved=5, spared=2, wrong=1)
    assert str(savings) == (
        "2 trainings were stopped, which saved 24% of all epochs; of 2 more that were hopeless "
        "but went on to see, 1 ended above their rival"
    )
    assert Savings.of(found.head(2), 4) == Savings(0, 5, 0, 0, 0)


def test_top_k_marks_what_is_predicted(tmp_path):
    space = make_search(tmp_path / "m.sqlite").space
    found = trials(row((0.7, 0.8)), row((0.2,), 0.75, stopped_after=1, predicted=0.75))
    best = top_k(distinct(found), space, 2, accuracy())
    assert best["predicted"].tolist() == [False, True]
    assert best["accuracy"].tolist() == [0.8, 0.75]
    table = render(best, accuracy(), "table")
    assert "80.00% " in table and "75.00%*" in table
    assert table.endswith("* predicted: the training was stopped")
    assert [entry["predicted"] for entry in json.loads(render(best, accuracy(), "json"))] == [
        False,
        True,
    ]
    measured = top_k(distinct(found.head(1)), space, 1, accuracy())
    assert "*" not in render(measured, accuracy(), "table")
    assert measured["predicted"].tolist() == [False]


# the command line


def metaqnn(*arguments):
    return CliRunner().invoke(main, [*arguments])


def test_what_trains_nothing_cannot_be_stopped(tmp_path):
    common = ["run", "--results-dir", str(tmp_path), "--space", "lei-xiong"]
    for option in ("predictor", "halving"):
        result = metaqnn(*common, "--evaluator", "bandit", f"--{option}")
        refused(result, f"{option} stops trainings, but the evaluator bandit trains none")
    assert not list(tmp_path.iterdir())
    refused(metaqnn("run", "--predictor", "--halving"), "halving", "--predictor")


def test_options_of_stopping_make_a_run_another_one_only_where_something_stops(tmp_path):
    result = metaqnn("run", "--budget", "0", "--results-dir", str(tmp_path), "--name", "r")
    assert result.exit_code == 0, result.output
    run = open_run(tmp_path / "r")
    assert not {"predictor", "delta", "halving"} & set(run.identity)
    stopping = RunConfig.from_flat({**run.config.flat(), "halving": True})
    identity = replace(run, config=stopping).identity
    assert identity["halving"] is True


@pytest.mark.slow
def test_a_run_with_halving_reports_what_it_saved(tmp_path):
    options = ["--budget", "8", "--epochs", "3", "--device", "cpu", "--halving"]
    result = metaqnn("run", "--results-dir", str(tmp_path), "--name", "r", *options)
    assert result.exit_code == 0, result.output
    assert re.search(
        r"\d trainings were stopped, which saved \d+% of all epochs\.\n", result.output
    )
    frame = open_run(tmp_path / "r").memory().frame()
    stopped = frame[frame["stopped_after"].notna()]
    assert len(stopped) > 0
    assert (stopped["curve"].map(len) == stopped["stopped_after"]).all()


@pytest.mark.slow
def test_a_run_with_the_predictor_stops_trainings_and_resumes(tmp_path):
    # random search does not plan for its budget
    options = ["--agent", "random", "--epochs", "4", "--device", "cpu", "--seed", "1"]
    stopping = ["--predictor", "--predictor-after", "10", "--rival", "2"]
    common = ["run", "--results-dir", str(tmp_path), *options, *stopping]
    result = metaqnn(*common, "--name", "whole", "--budget", "30")
    assert result.exit_code == 0, result.output
    assert "trainings were stopped" in result.output
    assert metaqnn(*common, "--name", "part", "--budget", "20").exit_code == 0
    assert metaqnn("resume", str(tmp_path / "part"), "--budget", "30").exit_code == 0
    whole, part = (open_run(tmp_path / name).memory().frame() for name in ("whole", "part"))
    stopped = whole[whole["first"] & whole["stopped_after"].notna()]
    assert len(stopped) > 0
    assert (stopped["reward"] == stopped["predicted"]).all()
    assert (stopped["predicted"] < stopped["rival"]).all()
    timed = ["seconds", "images_per_second"]
    pd.testing.assert_frame_equal(whole.drop(columns=timed), part.drop(columns=timed))
