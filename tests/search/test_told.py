"""What agents are told of networks where they have several objectives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.agents.base import Agent
from metaqnn.agents.random import RandomSearch
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job
from metaqnn.search.told import Told
from replay import Outcome
from tests.helpers.searches import hash_score, make_search, state
from tests.helpers.spaces import make_space

COSTS = ("parameters", "latency")


def make_told(objectives=COSTS[:1], weighs=False):
    agent = RandomSearch(make_space("digits"), 0)
    agent.costs = (lambda architecture: (1.0,)) if weighs else None
    return Told(objectives, agent)


def tell(told, reward, *costs, error=None):
    metrics = dict(zip(COSTS, costs, strict=False))
    return told.of(Outcome(metrics, (reward,), error=error), reward)


def test_without_objectives_it_is_the_reward():
    told = make_told(())
    assert [tell(told, reward) for reward in (0.5, 0.9, 0.1)] == [0.5, 0.9, 0.1]


def test_an_agent_that_weighs_costs_is_told_the_reward():
    told = make_told(weighs=True)
    assert [tell(told, 0.5, 100), tell(told, 0.75, 1000)] == [0.5, 0.75]


def test_it_is_what_the_reward_exceeds_that_of_the_best_that_costs_no_more():
    told = make_told()
    assert tell(told, 0.5, 100) == 0  # nothing to compare it with, but itself
    assert tell(told, 0.75, 1000) == 0.25
    assert tell(told, 0.625, 1000) == -0.125
    assert tell(told, 0.625, 500) == 0.125
    assert tell(told, 0.25, 100) == -0.25
    # the smallest so far: as much as it is above the lowest
    assert tell(told, 0.375, 10) == 0.125
    # the same network once more
    assert tell(told, 0.75, 1000) == 0
    # one that failed costs nobody knows what
    assert tell(told, 0.125, error="out of memory") == -0.625
    assert tell(told, 1.0, 10**6) == 0.25


def test_a_network_must_cost_no_more_in_all_to_count():
    told = make_told(COSTS)
    tell(told, 0.25, 10, 10)
    tell(told, 0.75, 100, 1)
    assert tell(told, 0.5, 50, 5) == 0.25  # the first costs more latency, the second is larger
    assert tell(told, 0.5, 50, 20) == 0
    assert tell(told, 0.5, 200, 2) == -0.25


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=12
    )
)
def test_it_is_positive_exactly_where_a_network_is_new_on_the_front(networks):
    told, before = make_told(COSTS), []
    for score, *costs in networks:
        gain = tell(told, score / 8, *costs)
        cheaper = [
            known
            for known, *others in before
            if all(other <= cost for other, cost in zip(others, costs, strict=True))
        ]
        lowest = min([score, *(known for known, *_ in before)])
        assert gain == (score - max(cheaper, default=lowest)) / 8
        before.append((score, *costs))


def test_an_objective_that_nothing_tells_is_an_error():
    with pytest.raises(MetaqnnError, match="nothing tells the latency of the networks"):
        tell(make_told(COSTS), 0.5, 100)


def known(architecture):
    """A size of its own for every network."""
    return {"parameters": 1 + int(architecture.digest[:4], 16) % 50}


def bare_score(job):
    """A score of which no cost is told."""
    return Outcome(curve=hash_score(job).curve)


def begin(path, agent):
    """A search with an objective, or what is left of one."""
    more = {"objectives": ("parameters",), "costs": known, "evaluator": bare_score}
    return make_search(path, agent, budget=16, **more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "weighs"),
    [
        *(("q-learning", False), ("evolution", False), ("ppo", False)),
        *(("bayesian", False), ("bayesian", True)),
    ],
)
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch, agent, weighs):
    if weighs:
        monkeypatch.setattr(Agent, "costs", staticmethod(lambda one: tuple(known(one).values())))
    whole = begin(tmp_path / "whole.sqlite", agent)
    whole.run()
    path = tmp_path / "parts.sqlite"
    for count in (1, 5, 6):
        search = begin(path, agent)
        for _ in range(count):
            trial = search.ask()
            architecture = search.space.architecture(trial.walk)
            search.tell(trial, bare_score(Job(architecture, trial.seed)))
        search.ask()
        search.memory.close()
    search = begin(path, agent)
    search.run()
    assert state(search) == state(whole)
    frame = search.memory.frame()
    # rewards are those of the score, whatever the agent was told, and costs are kept beside them
    assert (frame["reward"] == frame["curve"].map(max)).all()
    assert frame["parameters"].between(1, 50).all()


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["q-learning", "evolution", "bayesian"])
def test_an_objective_changes_what_is_proposed(tmp_path, agent):
    found = []
    for name, more in (("plain", {}), ("own", {"objectives": ("parameters",), "costs": known})):
        search = make_search(tmp_path / name, agent, budget=30, evaluator=bare_score, **more)
        search.run()
        found.append([trial.walk for trial, _ in search.memory.history()])
    assert found[0] != found[1]
