"""The laws of agents, for every registered one on every space."""

import numpy as np
import pytest

from metaqnn import testing
from metaqnn.agents.base import AGENTS
from metaqnn.agents.schedule import BLOCK_QNN, PAPER, EpsilonSchedule
from metaqnn.errors import MetaqnnError
from state_space import random_walk
from tests.helpers.agents import q_learning
from tests.helpers.parts import agent_of
from tests.helpers.spaces import SPACE_NAMES, make_space

trial = testing.make_trial
score = testing.score_walk
search = testing.search


FEW = ("tiny", "digits", "nas-digits", "pnas-cifar10")
"""Spaces of several kinds of walks: chains, skips, stages."""


@pytest.mark.parametrize(
    "space",
    [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in SPACE_NAMES],
    indirect=True,
)
@pytest.mark.parametrize(
    "check",
    [
        testing.check_proposals,
        testing.check_order,
        testing.check_strangers,
        testing.check_generators,
    ],
)
def test_the_laws_of_agents(check, make_agent, space):
    check(make_agent, space)


@pytest.mark.slow
@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_that_learns_beats_random_search(name):
    """And none that does not, for then the law would say nothing."""

    def make(space, seed):
        return agent_of(space, agent=name, seed=seed, budget=150)

    if AGENTS.find(name).learns:
        testing.check_learning(make, make_space("macro"))
    else:
        with pytest.raises(AssertionError, match="standard errors above random"):
            testing.check_learning(make, make_space("macro"))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_search_and_another_another(make_agent, space):
    testing.check_seeds(make_agent, space)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 1, 13])
def test_restored_equals_uninterrupted(make_agent, space, steps):
    testing.check_restoring(make_agent, space, steps)


def test_epsilon_counts_distinct_trained_networks():
    space = make_space("tiny")
    agent = q_learning(space, "1.0:2,0.5:1,0.1:1")
    walks = list(dict.fromkeys(random_walk(space, np.random.default_rng(n)) for n in range(30)))
    seen = []
    for number, walk in enumerate([walks[0], walks[0], walks[1], walks[1], walks[2], walks[3]]):
        seen.append(agent.ask().note["epsilon"])
        agent.tell(trial(number, walk, space), 0.5)
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.1]
    agent.tell(trial(7, walks[4], space, imported=True), 0.5)
    assert agent.epsilon == 0.1


def test_imported_experiences_do_not_count_for_epsilon():
    space = make_space("tiny")
    agent = q_learning(space, "1.0:2,0.5:1")
    for number in range(9):
        walk = random_walk(space, np.random.default_rng(number))
        agent.tell(trial(number, walk, space, imported=True), 0.9)
    assert agent.epsilon == 1.0


def test_without_exploration_it_takes_the_best_known_and_ties_at_random():
    space = make_space("tiny")
    agent = q_learning(space, "0.0:10", alpha=0.5, sweeps=50)
    assert len({agent.ask().walk for _ in range(50)}) > 10
    walk = ("C(2,3,1)", "P(2,2)", "FC(4)", "SM(10)")
    agent.tell(trial(0, walk, space), 1.0)
    assert {agent.ask().walk for _ in range(20)} == {walk}


def test_replay_draws_uniformly_from_the_rows_of_the_memory():
    # one move (SM) and alpha 1: after a sweep its Q-value is the reward of the row drawn
    space = make_space("tiny")
    agent = q_learning(space, alpha=1.0, sweeps=1)
    rewards = [0.25, 0.5, 0.5, 1.0]  # a network told twice stands there twice
    counts = dict.fromkeys(rewards, 0)
    for number, reward in enumerate(rewards[:3]):
        agent.tell(trial(number, ("SM(10)",), space), reward)
    for _ in range(1200):
        del agent._replay[3:]
        agent.tell(trial(3, ("SM(10)",), space), rewards[3])
        counts[agent.table.q[-1]] += 1  # SM is the last option of the only row
    # 300 draws of a row are expected, with a deviation of 15; five of them are one in a million
    assert counts[0.25] == pytest.approx(300, abs=75)
    assert counts[0.5] == pytest.approx(600, abs=87)
    assert counts[1.0] == pytest.approx(300, abs=75)


def test_the_papers_schedule():
    schedule = EpsilonSchedule.parse(PAPER)
    assert schedule.total == 2700
    assert [schedule.epsilon(n) for n in (0, 1499, 1500, 1799, 1800, 2549, 2550, 9999)] == [
        1.0,
        1.0,
        0.9,
        0.7,
        0.6,
        0.2,
        0.1,
        0.1,
    ]


def test_the_schedule_of_block_qnn():
    # iterations of 64 blocks at 1.0, 0.9 and so on to 0.1
    iterations = (95, 7, 7, 7, 10, 10, 10, 10, 10, 12)
    schedule = EpsilonSchedule.parse(BLOCK_QNN)
    assert [networks / 64 for _, networks in schedule.steps] == list(iterations)
    assert [round(10 * epsilon) for epsilon, _ in schedule.steps] == list(range(10, 0, -1))
    assert schedule.total == 11_392
    assert EpsilonSchedule.scaled(11_392, BLOCK_QNN) == schedule


@pytest.mark.parametrize("budget", [1, 7, 60, 200, 2700, 10_000])
def test_a_scaled_schedule_has_the_budget_and_the_papers_proportions(budget):
    scaled, paper = EpsilonSchedule.scaled(budget), EpsilonSchedule.parse(PAPER)
    assert scaled.total == budget
    shares = dict(scaled.steps)
    for epsilon, networks in paper.steps:
        assert abs(shares.get(epsilon, 0) - budget * networks / 2700) <= 1
    assert EpsilonSchedule.parse(str(scaled)) == scaled


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1.0:x", "'1.0:x' is not EPSILON:NETWORKS"),
        ("", "'' is not EPSILON:NETWORKS"),
        ("1.0", "'1.0' is not EPSILON:NETWORKS"),
        ("1.5:10", "1.5 is not from 0 to 1"),
        ("nan:10", "nan is not from 0 to 1"),
        ("-0.1:10", "-0.1 is not from 0 to 1"),
        ("0.5:10,0.6:10", "epsilon must fall, but 0.6 follows 0.5"),
        ("0.5:10,0.5:10", "epsilon must fall"),
        ("1.0:0", "'1.0:0' is for no network"),
    ],
)
def test_malformed_schedules_are_refused(text, problem):
    with pytest.raises(MetaqnnError) as error:
        EpsilonSchedule.parse(text)
    assert problem in str(error.value)
