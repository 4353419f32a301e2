"""Many workers, on a virtual clock: all are busy, nothing is lost, each trial is told once."""

import numpy as np
import pytest

from metaqnn.agents.base import Proposal
from metaqnn.evaluators.base import Job, attempt
from metaqnn.executors.base import WorkerLost
from metaqnn.executors.virtual import Virtual
from metaqnn.search.loop import MOST_WAITING, Search
from metaqnn.search.rules import Rules
from replay import Memory
from state_space import random_walk
from tests.helpers.parts import AGENT_OPTIONS, agent_of
from tests.helpers.searches import hash_score
from tests.helpers.spaces import make_space

SPACE = make_space("metaqnn-cifar10")


def make_search(path, options, executor, *, budget, space=SPACE):
    memory = Memory.open(path, {}) if path.exists() else Memory.create(path, {})
    agent = agent_of(space, **options, budget=budget)
    rules = Rules(
        seed=0, budget=budget, reward=lambda outcome: max(outcome.curve), failure_reward=0.1
    )
    return Search(space, agent, hash_score, executor, memory, rules)


def jobs(count):
    generator = np.random.default_rng(0)
    walks = [random_walk(SPACE, generator) for _ in range(count)]
    return [Job(SPACE.architecture(walk), seed) for seed, walk in enumerate(walks)]


@pytest.mark.slow
@pytest.mark.parametrize("name", AGENT_OPTIONS)
def test_workers_are_busy_nothing_is_lost_and_failures_are_told(tmp_path, name):
    executor = Virtual(50, lost=1 / 20)
    search = make_search(tmp_path / "m.sqlite", AGENT_OPTIONS[name], executor, budget=400)
    told = []
    telling = search.agent.tell
    search.agent.tell = lambda trial, reward: told.append((trial, reward)) or telling(trial, reward)
    assert search.run() == "the budget is spent"
    assert executor.busy >= 0.99
    frame = search.memory.frame()
    assert len(executor.starts) == frame["digest"].nunique() == 400
    assert frame["finished"].all()
    # each trial is told once, also one that waited for an equal network
    assert sorted(trial.number for trial, _ in told) == frame["number"].tolist()
    lost = frame[frame["error"].notna()]
    assert set(lost["error"]) == {"WorkerLost: the virtual worker was lost twice"}
    assert {reward for trial, reward in told if trial.number in set(lost["number"])} == {0.1}
    # 20 are expected, with a deviation of 4.4
    assert 0 < lost["digest"].nunique() <= 42


@pytest.mark.slow
@pytest.mark.parametrize("name", AGENT_OPTIONS)
def test_the_driver_can_stop_at_any_time_and_loses_only_what_was_running(tmp_path, name):
    path = tmp_path / "m.sqlite"
    search = make_search(path, AGENT_OPTIONS[name], Virtual(20), budget=90)
    waiting, results = search.executor.wait, iter(range(30))

    def wait(futures):
        if next(results, None) is None:
            raise KeyboardInterrupt
        return waiting(futures)

    search.executor.wait = wait
    with pytest.raises(KeyboardInterrupt):
        search.run()
    known = search.memory.frame().query("finished").set_index("number")["reward"]
    search.memory.close()
    executor = Virtual(20)
    resumed = make_search(path, AGENT_OPTIONS[name], executor, budget=90)
    assert len(resumed.trained) == 30
    resumed.run()
    frame = resumed.memory.frame()
    assert frame["digest"].nunique() == 90
    assert len(executor.starts) == 60
    assert frame["finished"].all()
    assert frame.set_index("number")["reward"].loc[known.index].equals(known)


def test_an_agent_that_proposes_only_running_networks_is_asked_again_after_the_next_result(
    tmp_path,
):
    executor = Virtual(5)
    search = make_search(tmp_path / "m.sqlite", {"agent": "random"}, executor, budget=8)
    walks = [("C(64,1,1)",) * length + ("SM(10)",) for length in range(1, 9)]
    asked = []

    def ask(stage):
        # the same one again and again, until it is told of it
        asked.append(len(search.trained))
        return Proposal(walks[len(search.trained)])

    search.agent.ask = ask
    assert search.run() == "the budget is spent"
    # before the first result it was asked for the first network, and in vain as often as allowed
    assert asked.count(0) == 1 + MOST_WAITING
    frame = search.memory.frame()
    assert frame["digest"].nunique() == 8
    assert frame["finished"].all()


def test_waiting_for_running_networks_is_no_sign_that_nothing_new_comes_up(tmp_path, monkeypatch):
    monkeypatch.setattr("metaqnn.search.loop.PATIENCE", MOST_WAITING - 1)
    executor = Virtual(3)
    search = make_search(tmp_path / "m.sqlite", {"agent": "random"}, executor, budget=4)
    walks = [("C(64,1,1)",) * length + ("SM(10)",) for length in range(1, 5)]
    search.agent.ask = lambda stage: Proposal(walks[len(search.trained)])
    assert search.run() == "the budget is spent"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["evolution", "local-search", "q-learning"])
def test_what_is_written_a_result_does_not_grow_with_the_networks(tmp_path, name):
    """The agent's snapshot: it holds what is running, not what is known."""
    sizes = []
    search = make_search(tmp_path / "m.sqlite", AGENT_OPTIONS[name], Virtual(50), budget=400)
    search.observe = lambda event: sizes.append(len(search.memory.snapshot()))
    search.run()
    # a digest of 32 digits with its quotes and comma for each network that runs, and the generator
    values = 8 * len(search.agent.table.q) if name == "q-learning" else 0
    assert max(sizes) <= 50 * 36 + 1000 + values


def test_a_job_takes_the_same_time_on_any_cluster():
    first, second = Virtual(1), Virtual(10)
    for job in jobs(20):
        first.submit(attempt, hash_score, job)
        second.submit(attempt, hash_score, job)
    durations = [np.subtract(each.ends, each.starts) for each in (first, second)]
    assert durations[0] == pytest.approx(durations[1])


@pytest.mark.slow
def test_durations_are_log_normal_with_the_given_mean():
    executor = Virtual(4000, mean=1200, sigma=0.5, lost=0)
    for job in jobs(4000):
        executor.submit(attempt, hash_score, job)
    logarithms = np.log(executor.ends)
    # five standard errors: 0.5 / sqrt(4000) of the mean, 0.5 / sqrt(8000) of the deviation
    assert logarithms.mean() == pytest.approx(np.log(1200) - 0.125, abs=0.04)
    assert logarithms.std() == pytest.approx(0.5, abs=0.028)


def test_results_come_in_the_order_of_time_and_workers_take_turns():
    executor = Virtual(2, lost=0)
    futures = [executor.submit(attempt, hash_score, job) for job in jobs(5)]
    times = []
    while futures:
        (done,) = executor.wait(futures)
        futures.remove(done)
        times.append(executor.clock)
    assert times == sorted(executor.ends)
    # two run at any time: a call begins when an earlier one ends
    assert executor.starts[:2] == [0, 0]
    assert set(executor.starts[2:]) <= set(executor.ends)


def test_a_lost_worker_raises():
    executor = Virtual(1, lost=1)
    future = executor.submit(attempt, hash_score, jobs(1)[0])
    with pytest.raises(WorkerLost):
        future.result()


def test_the_busy_share_ends_when_the_last_call_begins():
    executor = Virtual(2, lost=0)
    executor.starts, executor.ends = [0.0, 0.0, 30.0], [10.0, 40.0, 50.0]
    # of the 30 seconds until the last one began, one worker worked 10 and the other all
    assert executor.busy == pytest.approx(40 / 60)
