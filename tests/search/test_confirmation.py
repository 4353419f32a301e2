"""The best networks are trained again: which, how often, and what that leaves as it was."""

import json
import re
import time
from io import StringIO
from itertools import count

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.agents.base import AGENTS
from metaqnn.budget import reserved
from metaqnn.config import RunConfig
from metaqnn.executors.virtual import Virtual
from metaqnn.search.confirmation import Confirmation, pooled_deviation
from metaqnn.search.kept_weights import KeptWeights
from metaqnn.search.rules import Rules
from replay import Outcome, Trial
from tests.helpers.searches import make_search, state

# which network is next


class Race:
    """A confirmation, and what is told to it."""

    def __init__(self, size, reserve, **rewards):
        self.numbers = count(1)
        self.confirmation = Confirmation(size, reserve)
        for name, reward in rewards.items():
            self.tell(Trial(next(self.numbers), (), 0, name, 0, {}), reward)

    def begin(self):
        """Begin the next training; returns its trial, or None."""
        arm = self.confirmation.choose()
        if arm is None:
            return None
        note = {"confirmation": arm.begun + 1}
        trial = Trial(next(self.numbers), (), 0, arm.trial.digest, 0, note)
        self.confirmation.begin(trial)
        return trial

    def tell(self, trial, reward):
        """A reward of None is a failure."""
        outcome = Outcome(curve=(reward,)) if reward is not None else Outcome(error="no memory")
        self.confirmation.tell(trial, outcome, reward or 0.0)

    def train(self, reward):
        """The name of the network that is next, which gets a reward; None where none is."""
        trial = self.begin()
        if trial is not None:
            self.tell(trial, reward)
        return trial and trial.digest


def test_three_networks_by_hand():
    race = Race(3, 10, bad=0.5, a=0.80, b=0.79, c=0.60)
    # each of the best three once more
    assert [race.train(reward) for reward in (0.78, 0.83, 0.60)] == ["a", "b", "c"]
    # means 0.79, 0.81, 0.60; squares 0.0002, 0.0008, 0 in 3 degrees of freedom: a deviation of
    # 0.01826, a standard error of 0.0129: b is at least 0.797 and a at most 0.803
    assert race.train(0.87) == "b"
    # b has 0.83, squares of 0.0032; 0.0034 in 4: a deviation of 0.02915, errors of 0.0206 and
    # 0.0168: b is at least 0.813 and a at most 0.811
    assert race.train(0.9) is None


def test_a_leader_that_falls_is_trained_less_often_than_its_challenger_and_is_next():
    race = Race(2, 10, a=0.9, b=0.8)
    assert [race.train(reward) for reward in (0.7, 0.8)] == ["a", "b"]
    # both 0.8; of equals the one of the higher first reward, which is trained as often
    assert race.train(0.8) == "a"
    assert race.train(0.8) == "b"


def test_networks_that_are_equal_without_noise_are_told_apart_by_nothing():
    race = Race(2, 10, a=0.9, b=0.9)
    assert [race.train(0.9), race.train(0.9), race.train(0.9)] == ["a", "b", None]


def test_a_network_that_fails_when_trained_again_is_out_of_the_race():
    race = Race(2, 10, a=0.9, b=0.8, c=0.7)
    assert [race.train(reward) for reward in (None, 0.8, 0.6)] == ["a", "b", "c"]
    assert race.confirmation.arms["a"].rewards == [0.9]
    assert race.confirmation.told == 3


def test_networks_that_failed_or_were_stopped_are_not_in_the_race():
    race = Race(5, 10, a=0.9, b=None)
    stopped = Outcome({"predicted": 0.95}, (0.5,))
    race.confirmation.tell(Trial(9, (), 0, "c", 0, {}), stopped, 0.95)
    assert [race.train(0.9), race.train(0.9)] == ["a", None]


def test_trainings_that_run_count_as_begun():
    race = Race(2, 5, a=0.9, b=0.8)
    begun = [race.begin() for _ in range(5)]
    assert [(trial.digest, trial.note["confirmation"]) for trial in begun] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("b", 2),
        ("a", 3),
    ]
    assert race.begin() is None
    race.tell(begun[3], 0.7)
    assert race.begin() is None


def test_the_pooled_deviation_by_hand():
    assert pooled_deviation([[1.0, 3.0], [5.0], [1.0, 2.0, 3.0]]) == pytest.approx((4 / 3) ** 0.5)
    assert pooled_deviation([[1.0], [2.0]]) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.integers(2, 5), st.integers(0, 99))
def test_only_the_best_are_trained_again_and_no_more_often_than_there_are_trainings(
    firsts, size, seed
):
    generator = np.random.default_rng(seed)
    race = Race(size, 20, **{f"n{place}": value for place, value in enumerate(firsts)})
    trained = []
    while (name := race.train(float(generator.random()))) is not None:
        trained.append(name)
    order = sorted(range(len(firsts)), key=lambda place: -firsts[place])
    best = [f"n{place}" for place in order[:size]]
    assert trained[: len(best)] == best
    assert set(trained) == set(best)
    assert len(trained) <= 20


def test_what_is_reserved_is_a_quarter_at_most():
    assert [reserved(budget, 5) for budget in (0, 3, 20, 160, 300)] == [0, 0, 5, 40, 40]
    assert reserved(300, 0) == 0


# searches


def noisy(job):
    """Networks differ, and the noise of a training is as large as the differences."""
    noise = np.random.default_rng(job.seed).normal(scale=0.02)
    return Outcome({"parameters": 1}, (0.5 + int(job.architecture.digest[:2], 16) / 5000 + noise,))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory.sqlite"


def again(search):
    """The trials that trained a network again."""
    return search.memory.frame().query("confirmation > 0")


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_the_budget_counts_confirmations_and_agents_are_not_told(tmp_path, agent):
    jobs = []
    search = make_search(
        tmp_path / "confirmed.sqlite",
        agent,
        budget=40,
        evaluator=lambda job: jobs.append(job) or noisy(job),
        confirm=3,
    )
    assert search.run() in ("the budget is spent", "it is sure enough which network is the best")
    frame = search.memory.frame()
    assert len(search.trained) == frame["digest"].nunique() == 30
    assert 30 + len(again(search)) == search.trainings == len(jobs) <= 40
    assert len({(job.architecture.digest, job.seed) for job in jobs}) == len(jobs)
    assert (again(search)["digest"].value_counts() >= 1).sum() == 3
    # all else is as if there had been no more than 30
    plain = make_search(tmp_path / "plain.sqlite", agent, budget=30, evaluator=noisy)
    if plain.agent.plans_for_budget:
        plain.agent = make_search(tmp_path / "other.sqlite", agent, budget=40).agent
    plain.run()
    assert list(plain.memory.history()) == list(search.memory.history())
    assert plain.memory.snapshot() == search.memory.snapshot()


def test_confirmations_have_seeds_of_their_own_that_are_always_the_same():
    rules = Rules(1, budget=1, reward=len, failure_reward=0.1)
    seeds = [rules.training_seed("a", confirmation) for confirmation in (0, 1, 2)]
    assert len(set(seeds)) == 3
    assert seeds[0] == rules.training_seed("a")
    assert seeds[1] != Rules(2, 1, len, 0.1).training_seed("a", 1)


@pytest.mark.slow
def test_each_interruption_point_resumes_to_the_same_end(tmp_path):
    whole = make_search(tmp_path / "whole.sqlite", budget=16, evaluator=noisy, confirm=3)
    whole.run()
    assert len(again(whole)) >= 3

    def interrupt(job):
        if search.trainings == point:
            raise KeyboardInterrupt
        return noisy(job)

    for point in range(whole.trainings):
        path = tmp_path / f"{point}.sqlite"
        search = make_search(path, budget=16, evaluator=interrupt, confirm=3)
        with pytest.raises(KeyboardInterrupt):
            search.run()
        search.memory.close()
        resumed = make_search(path, budget=16, evaluator=noisy, confirm=3)
        resumed.run()
        assert state(resumed) == state(whole)


def test_by_hand_and_in_the_loop_are_the_same(tmp_path):
    whole = make_search(tmp_path / "whole.sqlite", budget=16, evaluator=noisy, confirm=3)
    whole.run()
    search = make_search(tmp_path / "asked.sqlite", budget=16, confirm=3)
    while (trial := search.ask()) is not None:
        search.tell(trial, noisy(search._job(trial)))
    assert state(search) == state(whole)
    assert search.ending == whole.ending


def test_what_is_asked_for_and_not_told_is_waited_for(path):
    search = make_search(path, "random", budget=8, evaluator=noisy, confirm=2)
    asked = [search.ask() for _ in range(6)]
    assert search.ask() is None
    assert search.ending == "the best are trained again when all others are told of"
    for trial in asked:
        search.tell(trial, noisy(search._job(trial)))
    assert search.ask().confirmation == 1
    search.run()
    assert search.trainings <= 8


@pytest.mark.parametrize("workers", [2, 64])
def test_many_workers_spend_no_more_than_the_budget(path, workers):
    search = make_search(path, "random", budget=60, evaluator=noisy, confirm=4)
    search.executor = Virtual(workers, lost=0)
    search.run()
    assert len(search.trained) == 45
    assert 49 <= search.trainings <= 60


def test_a_larger_budget_goes_on_and_a_run_without_is_confirmed_later(path):
    make_search(path, budget=12, evaluator=noisy).run()
    ended = make_search(path, budget=12, evaluator=noisy, confirm=3)
    assert ended.run() == "the budget is spent"
    assert again(ended).empty
    search = make_search(path, budget=16, evaluator=noisy, confirm=3)
    search.run()
    assert len(search.trained) == 12
    assert 3 <= len(again(search)) <= 4
    larger = make_search(path, budget=40, evaluator=noisy, confirm=3)
    larger.run()
    assert len(larger.trained) == 30
    assert larger.trainings <= 40


def test_a_confirmation_that_fails_counts_and_is_told_to_nobody(path):
    known: set[str] = set()

    def fails_again(job):
        if job.architecture.digest in known:
            raise MemoryError("no memory")
        known.add(job.architecture.digest)
        return noisy(job)

    search = make_search(path, "random", budget=20, evaluator=fails_again, confirm=3)
    search.run()
    failed = again(search)
    assert len(failed) == 5
    assert failed["error"].notna().all()
    assert search.trainings == 20


def test_the_best_have_weights_whichever_of_their_trainings_came_last(tmp_path):
    def with_weights(job):
        outcome = noisy(job)
        wanted = outcome.best > job.keep_above
        weights = str(outcome.best).encode() if wanted else None
        return Outcome(outcome.metrics, outcome.curve, None, weights)

    kept = KeptWeights(tmp_path / "networks", 1)
    search = make_search(
        tmp_path / "m.sqlite", "random", budget=40, evaluator=with_weights, kept=kept, confirm=4
    )
    search.run()
    for digest, trials in again(search).groupby("digest"):
        first = search.confirmation.arms[digest].trial
        own = [first.number, *trials["number"]]
        frame = search.memory.frame()
        curves = frame[frame["number"].isin(own)]["curve"]
        known = [max(curve) for curve in curves]
        content = float((tmp_path / "networks" / f"{first.number:05}.safetensors").read_bytes())
        assert content == max(known[1:])


@pytest.mark.slow
def test_after_its_moment_no_network_is_new_and_the_best_are_trained_again(path):
    now = time.monotonic()
    early = make_search(path, "random", budget=40, evaluator=noisy, confirm=3, confirm_from=now)
    ending = early.run()
    # the first of all is trained whatever the time is, and with nobody to race against it is best
    assert len(early.trained) == 1 and early.trainings == 2
    assert ending == "it is sure enough which network is the best"
    early.memory.close()
    late = make_search(path, "random", budget=40, evaluator=noisy, confirm=3, confirm_from=now + 1)
    late.evaluator = slowly = lambda job: time.sleep(0.1) or noisy(job)
    late.run()
    assert 3 <= len(late.trained) <= 11 and len(again(late)) >= 3
    order = late.memory.frame()["confirmation"] > 0
    assert order.iloc[2 : len(late.trained) + 1].sum() == 0  # behind the first and its second
    assert slowly is late.evaluator


def test_agents_that_plan_for_the_budget_plan_for_what_is_left_of_it():
    def networks(**options):
        agent = RunConfig.from_flat({"agent": "q-learning", "budget": 100, **options}).parts[
            "agent"
        ]
        return sum(int(step.split(":")[1]) for step in agent.epsilon_schedule.split(","))

    assert networks() == 100
    assert networks(confirm=5) == 75


# the command line


@pytest.mark.slow
def test_a_real_run_shows_what_was_trained_again_and_exports_it(invoke):
    options = ["--budget", "12", "--confirm", "2", "--epochs", "1", "--device", "cpu"]
    result = invoke("run", "--name", "r", *options)
    assert result.exit_code == 0, result.output
    assert "9 networks trained" in result.output
    assert re.search(r"the best 2 were trained again, [23] times in all", result.output)
    shown = json.loads(invoke("top-k", "results/r", "-k", "9", "--format", "json").output)
    trainings = [row["trainings"] for row in shown]
    assert trainings[:2] in ([2, 2], [2, 3], [3, 2])
    assert trainings[2:] == [1] * 7
    table = pd.read_csv(StringIO(invoke("trials", "results/r").output))
    own = table[table["network"] == shown[0]["network"]].drop_duplicates("seed")
    assert own["confirmation"].tolist() == list(range(trainings[0]))
    assert shown[0]["accuracy"] == pytest.approx(own["accuracy"].mean())
    assert "trainings" in invoke("top-k", "results/r").output
    assert invoke("export", "results/r", "--to", "best.onnx").exit_code == 0
    assert invoke("report", "results/r").exit_code == 0
