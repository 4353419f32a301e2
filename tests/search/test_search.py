"""The search loop: budget, failures, repeats; and killed and resumed equals uninterrupted."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from math import inf
from threading import Event

import numpy as np
import pytest

from metaqnn.agents.base import AGENTS, Proposal
from metaqnn.errors import SearchStopped
from metaqnn.reports.distinct import distinct
from metaqnn.reports.pareto import pareto_front
from metaqnn.search.kept_weights import KeptWeights
from metaqnn.search.rules import Rules
from replay import Memory, Outcome
from state_space import count_architectures
from tests import ROOT
from tests.helpers.searches import hash_score, make_search, state


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory.sqlite"


@pytest.mark.parametrize("agent", AGENTS)
def test_the_budget_counts_distinct_networks_and_none_is_trained_twice(path, agent):
    trained = []
    search = make_search(
        path,
        agent,
        budget=60,
        evaluator=lambda job: trained.append(job.architecture.digest) or hash_score(job),
    )
    assert search.run() == "the budget is spent"
    assert len(trained) == len(set(trained)) == 60
    frame = search.memory.frame()
    assert frame["digest"].nunique() == 60
    assert frame["finished"].all()
    # a repeated network has the known reward
    assert (frame.groupby("digest")["reward"].nunique() == 1).all()


def test_the_same_seed_gives_the_same_search_and_another_another(tmp_path):
    results = []
    for number, seed in enumerate([1, 1, 2]):
        search = make_search(tmp_path / f"{number}.sqlite", seed=seed)
        search.run()
        results.append(state(search))
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_a_networks_seed_is_a_function_of_run_seed_and_digest_alone():
    def training_seed(seed, digest):
        return Rules(seed, budget=1, reward=len, failure_reward=0.1).training_seed(digest)

    assert training_seed(1, "a") == training_seed(1, "a")
    assert len({training_seed(1, "a"), training_seed(2, "a"), training_seed(1, "b")}) == 3
    assert 0 <= training_seed(1, "a") < 2**63


def test_a_failed_network_costs_its_trial_and_is_told_as_chance(path):
    def fails_sometimes(job):
        if job.seed % 3 == 0:
            raise MemoryError("out of memory:\n 3 GB wanted")
        return hash_score(job)

    search = make_search(path, budget=30, evaluator=fails_sometimes)
    search.run()
    frame = search.memory.frame()
    failed = frame[frame["error"].notna()]
    assert 0 < failed["digest"].nunique() < 30
    assert frame["digest"].nunique() == 30
    assert set(failed["reward"]) == {0.1}
    assert set(failed["error"]) == {"MemoryError: out of memory: 3 GB wanted"}


def test_a_score_that_is_not_finite_is_a_failure(path):
    search = make_search(path, budget=3, evaluator=lambda job: Outcome(curve=(0.5, float("nan"))))
    search.run()
    assert set(search.memory.frame()["error"]) == {"the score is not a finite number"}


def test_ten_failures_in_a_row_stop_the_search_and_resume_goes_on(path):
    def fails(job):
        raise RuntimeError("the disk is gone")

    search = make_search(path, budget=30, evaluator=fails)
    with pytest.raises(SearchStopped, match="10 networks in a row failed, .* the disk is gone"):
        search.run()
    assert search.memory.frame()["digest"].nunique() == 10
    search.memory.close()
    resumed = make_search(path, budget=30)
    resumed.run()
    assert resumed.memory.frame()["digest"].nunique() == 30


def test_an_exhausted_space_ends_the_run(path, monkeypatch):
    search = make_search(path, "random", budget=10**6, space_name="tiny")
    monkeypatch.setattr("state_space.base.space_size", lambda space, stage: 40)
    assert search.run() == "the space is exhausted, it has 40 architectures"
    assert search.memory.frame()["digest"].nunique() == 40


def test_nothing_new_in_many_proposals_ends_the_run(path, monkeypatch):
    monkeypatch.setattr("metaqnn.search.loop.PATIENCE", 50)
    search = make_search(path, budget=10**6, space_name="tiny")
    search.agent.schedule = type(search.agent.schedule)(((0.0, 1),))
    assert search.run() == "nothing new came up in 50 proposals"
    assert len(search.trained) < count_architectures(search.space)
    ended = state(search)
    # resumed, it ends at once and changes nothing
    resumed = make_search(path, budget=10**6, space_name="tiny")
    assert resumed.run() == "nothing new came up in 50 proposals"
    assert state(resumed) == ended


def test_a_larger_budget_goes_on(path):
    make_search(path, budget=5).run()
    search = make_search(path, budget=9)
    search.run()
    assert search.memory.frame()["digest"].nunique() == 9


def test_imported_experiences_teach_and_do_not_count(path):
    search = make_search(path, budget=5)
    walk = ("C(8,3,1)", "SM(10)")
    search.learn_from([(walk, Outcome(curve=(0.9,)))] * 7)
    assert search.agent.table.visits.sum() == 14
    trained = []
    search.evaluator = lambda job: trained.append(job) or hash_score(job)
    search.run()
    assert len(trained) == 5
    assert search.memory.frame()["digest"].nunique() == 5


def test_the_weights_of_the_best_are_kept_and_no_others(tmp_path):
    def with_weights(job):
        outcome = hash_score(job)
        good = outcome.curve[-1] > job.keep_above
        return Outcome(outcome.metrics, outcome.curve, None, b"weights" if good else None)

    kept = KeptWeights(tmp_path / "networks", 3)
    search = make_search(tmp_path / "m.sqlite", budget=40, evaluator=with_weights, kept=kept)
    search.run()
    frame = search.memory.frame().query("first")
    best = frame.sort_values("reward", ascending=False).head(3)["number"]
    kept = {int(path.stem) for path in (tmp_path / "networks").iterdir()}
    assert kept == set(best)


@pytest.mark.parametrize("confirm", [0, 3])
def test_the_weights_of_the_front_are_kept(tmp_path, confirm):
    """Of what `top-k --pareto` shows, also where the scores of the best fall in the end."""
    folder, costs = tmp_path / "networks", ("parameters", "latency")

    def evaluate(job):
        digest, generator = job.architecture.digest, np.random.default_rng(job.seed)
        metrics = {name: int(digest[at], 16) for at, name in enumerate(costs)}
        weights = b"weights" if job.keep_above < 1 else None
        return Outcome(metrics, (generator.uniform(),), None, weights)

    def make(budget):
        kept = KeptWeights(folder, 1, costs, confirm)
        return make_search(
            tmp_path / "m",
            "random",
            budget=budget,
            evaluator=evaluate,
            kept=kept,
            objectives=costs,
            confirm=confirm,
        )

    for budget in (20, 40):  # resumed, it goes on with what is kept
        search = make(budget)
        search.run()
        networks = distinct(search.memory.frame())
        front = networks[pareto_front(networks[[*costs]], networks["score"])]
        there = {int(path.stem) for path in folder.iterdir()}
        best = networks.nlargest(max(1, confirm), "reward")["number"]
        again = networks.loc[networks["trainings"] > 1, "number"]
        assert set(front["number"]) <= there
        assert len(front) > 4 and len(there) < len(networks)
        if not confirm:
            assert there == {*front["number"], *best}
        else:
            assert set(again) <= there
        search.memory.close()


def test_where_no_weights_are_kept_those_of_the_front_are_not(tmp_path):
    kept = KeptWeights(tmp_path / "networks", 0, ("parameters",))
    search = make_search(tmp_path / "m", budget=3, kept=kept, objectives=("parameters",))
    search.evaluator = lambda job: wanted.append(job.keep_above) or hash_score(job)
    wanted = []
    search.run()
    assert wanted == [inf] * 3


def test_unfinished_weights_are_cleared_away(tmp_path):
    folder = tmp_path / "networks"
    folder.mkdir()
    for name in ("00001.safetensors", "00002.safetensors", "00003.partial"):
        (folder / name).write_bytes(b"")
    KeptWeights(folder, 1).restore((n, Outcome(curve=(r,)), r) for n, r in [(1, 0.5), (2, 0.9)])
    assert [path.name for path in folder.iterdir()] == ["00002.safetensors"]


def test_each_interruption_point_resumes_to_the_same_end(tmp_path):
    """An exception in the evaluator at every trial in turn, as Ctrl-C raises it."""
    whole = make_search(tmp_path / "whole.sqlite", budget=12)
    whole.run()

    def interrupt(job):
        if search.memory.unfinished() and len(search.trained) == point:
            raise KeyboardInterrupt
        return hash_score(job)

    for point in range(12):
        path = tmp_path / f"{point}.sqlite"
        search = make_search(path, budget=12, evaluator=interrupt)
        with pytest.raises(KeyboardInterrupt):
            search.run()
        search.memory.close()
        resumed = make_search(path, budget=12)
        resumed.run()
        assert state(resumed) == state(whole)


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_killed_at_random_and_resumed_equals_uninterrupted(tmp_path, agent):
    slow = (
        "reinforce",
        "ppo",
        "actor-critic",
        "bayesian",
        "progressive",
    )  # what they compute takes long
    budget = 200 if agent in slow else 600
    whole = make_search(tmp_path / "whole.sqlite", agent, budget=budget)
    whole.run()
    killed = tmp_path / "killed"
    killed.mkdir()
    command = [sys.executable, "-m", "tests.helpers.searches", str(killed), agent, str(budget)]
    generator = random.Random(0)
    kills = 0
    while kills < 5:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        before = told(killed)
        while told(killed) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(generator.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, errors
        kills += 1
    resumed = make_search(killed / "memory.sqlite", agent, budget=budget)
    assert 0 < len(resumed.trained) < budget
    resumed.run()
    assert state(resumed) == state(whole)


def told(folder):
    """How many trials the memory holds the end of.

    A kill comes after another one only, for a network that goes with its process twice has failed.
    """
    memory = folder / "memory.sqlite"
    if not memory.exists():
        return 0
    with closing(sqlite3.connect(f"file:{memory}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT COUNT(finished) FROM trials").fetchone()[0]
        except sqlite3.OperationalError:  # it is being made
            return 0


@pytest.mark.slow
def test_a_real_run_killed_at_random_and_resumed_equals_uninterrupted(tmp_path):
    def metaqnn(*arguments):
        command = [sys.executable, "-m", "metaqnn", *arguments]
        return subprocess.Popen(command, cwd=tmp_path)

    options = ["--budget", "20", "--epochs", "2", "--seed", "5", "--device", "cpu", "--quiet"]
    assert metaqnn("run", "--name", "whole", *options).wait() == 0
    generator = random.Random(0)
    process = metaqnn("run", "--name", "killed", *options)
    killed = tmp_path / "results" / "killed"
    for _ in range(3):
        before = told(killed)
        while told(killed) == before and process.poll() is None:
            time.sleep(0.02)
        time.sleep(generator.uniform(0, 1))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process = metaqnn("resume", "results/killed", "--quiet")
    assert process.wait() == 0

    def left(name):
        for arguments in (["top-k", "-k", "30", "--format", "json"], ["q-table"]):
            yield subprocess.check_output(
                [sys.executable, "-m", "metaqnn", arguments[0], f"results/{name}", *arguments[1:]],
                cwd=tmp_path,
                text=True,
            )

    whole, resumed = tuple(left("whole")), tuple(left("killed"))
    assert without_seconds(resumed[0]) == without_seconds(whole[0])
    assert resumed[1] == whole[1]


def without_seconds(text):
    return [{**row, "seconds": None} for row in json.loads(text)]


class Threads:
    """An executor with several slots."""

    def __init__(self, slots):
        self.slots = slots
        self.isolates = True
        self.pool = ThreadPoolExecutor(slots)
        self.submit = self.pool.submit
        self.shutdown = self.pool.shutdown

    def wait(self, futures):
        return wait(futures, return_when=FIRST_COMPLETED).done


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_with_several_slots_no_network_is_trained_twice_and_none_is_lost(path, agent):
    trained = []

    def slow(job):
        trained.append(job.architecture.digest)
        time.sleep(job.seed % 7 / 1000)
        return Outcome(curve=(0.5,))

    search = make_search(path, agent, budget=60, space_name="tiny", evaluator=slow)
    search.executor = Threads(4)
    search.run()
    search.executor.shutdown()
    assert len(trained) == len(set(trained)) == 60
    frame = search.memory.frame()
    assert frame["digest"].nunique() == 60
    assert frame["finished"].all()


def test_a_proposal_that_equals_a_running_one_waits_for_it(path):
    search = make_search(path, budget=2, space_name="tiny", evaluator=hash_score)
    search.executor = Threads(3)
    walks = iter([("SM(10)",), ("SM(10)",), ("GAP(10)", "SM(10)")])
    search.agent.ask = lambda stage: Proposal(next(walks))
    hold = Event()
    search.evaluator = lambda job: hold.wait(5) and hash_score(job)
    asking = search.ask

    def ask():
        trial = asking()
        if trial is not None and trial.number == 3:
            hold.set()
        return trial

    search.ask = ask
    search.run()
    frame = search.memory.frame()
    assert frame["walk"].tolist() == [("SM(10)",), ("SM(10)",), ("GAP(10)", "SM(10)")]
    assert frame["reward"][0] == frame["reward"][1]
    assert frame["finished"].all()


@pytest.mark.slow
def test_a_network_that_ends_the_process_twice_has_failed(tmp_path):
    path = tmp_path / "m.sqlite"
    code = (
        "from pathlib import Path\n"
        "from tests.helpers.searches import kills_its_process, make_search\n"
        f"make_search(Path({str(path)!r}), 'random', budget=12, evaluator=kills_its_process).run()"
    )
    ended = []
    while not ended or ended[-1] != 0:
        ended.append(subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode)
        assert len(ended) < 40
    memory = Memory.open(path)
    frame = memory.frame()
    failed = frame["error"].notna()
    assert failed.any() and not failed.all()
    assert len(ended) == 2 * failed.sum() + 1
    assert frame.loc[failed, "error"].str.contains("begun twice and never ended").all()
    assert memory.unfinished() == []
    memory.close()


def test_ctrl_c_is_no_end_of_the_process(path):
    def interrupted(job):
        raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            make_search(path, "random", budget=2, evaluator=interrupted).run()
    search = make_search(path, "random", budget=2)
    search.run()
    assert search.memory.frame()["error"].isna().all()


def test_after_the_deadline_no_training_begins_but_the_first(tmp_path):
    search = make_search(tmp_path / "m.sqlite", "random", deadline=time.monotonic() - 1)
    assert search.run() == "the time for the search is over"
    assert len(search.trained) == 1
    assert search.run() == "the time for the search is over" and len(search.trained) == 1
    # whoever has more time goes on as if there had been no end
    late = make_search(tmp_path / "m.sqlite", "random")
    assert late.run() == "the budget is spent"
    whole = make_search(tmp_path / "w.sqlite", "random")
    whole.run()
    assert state(late) == state(whole)
