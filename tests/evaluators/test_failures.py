"""What is kept of networks that failed, and of numbers that are not Python's."""

import json

import numpy as np
import pytest
import torch

from metaqnn import Search
from metaqnn.evaluators.base import FunctionEvaluator, Job, attempt
from metaqnn.networks.notation import read
from metaqnn.reports.failures import FailureLog
from metaqnn.search.events import Event
from metaqnn.task import Score, accuracy
from replay import Memory, Outcome
from tests.helpers.parts import evaluator_of
from tests.helpers.searches import hash_score, make_search
from tests.helpers.spaces import make_space

JOB = Job(read("[SM(10)]"), 0)


def break_a_library(job):
    raise IndexError("out of\n  range" + "!" * 600)


def test_a_failure_has_its_whole_traceback_beside_its_short_error():
    outcome = attempt(break_a_library, JOB)
    assert outcome.error.startswith("IndexError: out of range!") and len(outcome.error) == 500
    assert outcome.traceback.startswith("Traceback")
    assert "in break_a_library" in outcome.traceback
    assert outcome.traceback.rstrip().endswith("!" * 600)


@pytest.mark.parametrize(
    "number",
    [
        np.float32(0.5),
        np.float64(0.5),
        np.array(0.5),
        torch.tensor(0.5),
        torch.tensor(0.5, dtype=torch.bfloat16),
        0.5,
    ],
)
def test_numbers_of_numpy_and_torch_become_python_s(number):
    outcome = attempt(lambda job: Outcome({"x": number, "y": 3}, (number, number)), JOB)
    assert outcome == Outcome({"x": 0.5, "y": 3}, (0.5, 0.5))
    values = (*outcome.metrics.values(), *outcome.curve)
    assert [type(value) for value in values] == [float, int, float, float]


@pytest.mark.parametrize("number", [np.int64(7), np.uint8(7), torch.tensor(7), 7])
def test_whole_numbers_stay_whole(number):
    outcome = attempt(lambda job: Outcome({"x": number}, (0.1,)), JOB)
    assert outcome.metrics == {"x": 7} and type(outcome.metrics["x"]) is int


@pytest.mark.parametrize("curve", [np.array([0.25, 0.5]), torch.tensor([0.25, 0.5]), [0.25, 0.5]])
def test_a_curve_may_be_an_array(curve):
    outcome = attempt(lambda job: Outcome(curve=curve), JOB)
    assert outcome.curve == (0.25, 0.5)
    json.dumps(outcome.curve)


@pytest.mark.parametrize(
    ("outcome", "parts"),
    [
        (Outcome({"size": "big"}, (0.5,)), ["'size'", "'big'"]),
        (Outcome({"size": None}, (0.5,)), ["'size'", "None"]),
        (Outcome({"size": np.ones(2)}, (0.5,)), ["'size'", "array([1., 1.])"]),
        (Outcome({}, (0.5, 1j)), ["epoch 2", "1j"]),
        (Outcome({}, 0.5), ["curve", "0.5"]),
        (None, ["None", "Outcome"]),
    ],
)
def test_what_is_no_number_fails_its_trial_and_is_named(outcome, parts):
    found = attempt(lambda job: outcome, JOB)
    assert found.curve == () and found.error.startswith("TypeError: ")
    for part in parts:
        assert part in found.error


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        ((0.5, 1.5), "the score is 1.5, not from 0 to 1"),
        ((-0.25, 0.5), "the score is -0.25, not from 0 to 1"),
        ((0.0, 1.0), None),
    ],
)
def test_a_score_beyond_its_bounds_is_a_failure_with_its_metrics(curve, reason):
    outcome = Outcome({"x": 1}, curve, weights=b"w")
    found = attempt(lambda job: outcome, JOB, accuracy())
    assert found == (Outcome({"x": 1}, error=reason) if reason else outcome)
    assert attempt(lambda job: outcome, JOB, Score()) == outcome


@pytest.mark.parametrize(
    ("score", "first", "told"),
    [(Score(high=0.0), -2.0, -2.0), (accuracy(classes=10), 0.25, 0.1)],
)
def test_a_score_beyond_the_bounds_costs_its_trial(tmp_path, monkeypatch, score, first, told):
    monkeypatch.chdir(tmp_path)
    values = iter([first, 93.0])
    search = Search(
        **{"space": "digits", "agent": "random", "budget": 2, "name": "r"},
        evaluator=lambda job: next(values),
        score=score,
    )
    search.run(quiet=True)
    trials = search.trials()
    assert trials["error"].isna().tolist() == [True, False]
    assert trials["error"][1].startswith("the score is 93, not from ")
    assert trials["reward"].tolist() == [first, told]  # as of any failure
    assert len(search.best()) == 1


def test_the_bandit_may_pay_more_than_an_accuracy_can_be():
    space = make_space("lei-xiong")
    best = read("[CB(128,7,7,1,1), CB(128,7,7,1,1), SM(10)]")
    bandit = evaluator_of(space, evaluator="bandit")
    outcomes = [attempt(bandit, Job(best, seed), accuracy()) for seed in range(300)]
    assert all(outcome.error is None for outcome in outcomes)
    assert max(outcome.best for outcome in outcomes) > 1


def test_weights_and_errors_stay():
    outcome = Outcome({"x": 1}, (0.5,), error="too large", weights=b"w")
    assert attempt(lambda job: outcome, JOB) == outcome


def test_a_search_takes_a_float32(tmp_path):
    def score(job):
        found = hash_score(job)
        return Outcome({"parameters": np.int64(1)}, tuple(map(np.float32, found.curve)))

    search = make_search(tmp_path / "memory.sqlite", "random", budget=5, evaluator=score)
    search.run()
    for _, outcome, _ in search.memory.trained():
        assert outcome.curve and all(type(value) is float for value in outcome.curve)


def failing_sometimes(job):
    outcome = hash_score(job)
    if outcome.curve[-1] < 0.5:
        raise ValueError("too small")
    return outcome


def test_every_failure_has_an_entry_in_the_log(tmp_path):
    path, space = tmp_path / "failures.log", make_space("digits")
    search = make_search(
        tmp_path / "memory.sqlite", "random", budget=30, evaluator=failing_sometimes
    )
    search.observe = FailureLog(path, space)
    search.run()
    failed = [trial for trial, outcome, _ in search.memory.trained() if outcome.error]
    assert 0 < len(failed) < 30
    lines = path.read_text().splitlines()
    heads = [line for line in lines if not line.startswith("    ")]
    assert sorted(heads) == sorted(
        f"trial {trial.number}: {space.architecture(trial.walk).text}: ValueError: too small"
        for trial in failed
    )
    assert lines.count("    Traceback (most recent call last):") == len(failed)
    assert sum("in failing_sometimes" in line for line in lines) == len(failed)


def test_without_failures_there_is_no_log(tmp_path):
    path, space = tmp_path / "failures.log", make_space("digits")
    memory = Memory.create(tmp_path / "memory.sqlite", {})
    trial = memory.add(space.parse("[SM(10)]"), 0, "d", 0, {})
    observe = FailureLog(path, space)
    observe(Event(trial, Outcome(curve=(0.5,)), 0.5, 1, True))
    assert not path.exists()
    observe(Event(trial, Outcome(error="WorkerLost: it died"), 0.0, 2, True))
    assert path.read_text() == "trial 1: [SM(10)]: WorkerLost: it died\n"


@pytest.mark.parametrize("scores", [[0.3, 0.4], np.array([0.3, 0.4]), torch.tensor([0.3, 0.4])])
def test_functions_return_the_scores_of_epochs_in_any_form(scores):
    outcome = attempt(FunctionEvaluator(lambda job: scores), JOB)
    assert outcome.error is None and outcome.curve == pytest.approx((0.3, 0.4))


def test_no_score_is_a_failure():
    assert (
        attempt(FunctionEvaluator(lambda job: []), JOB).error == "the evaluator returned no score"
    )


@pytest.mark.parametrize("name", ["reward", "number", "network_", "curve"])
def test_a_metric_with_the_name_of_a_column_is_a_failure_that_says_so(name):
    def evaluate(job):
        return Outcome({name: 7}, (0.5,))

    outcome = attempt(evaluate, Job(make_space("digits").architecture(("SM(10)",)), 1))
    told = f"ValueError: no metric can be called '{name}': there is a column of that name"
    assert outcome.error == (None if name == "network_" else told)
