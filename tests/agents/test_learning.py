"""The agent learns: on landscapes that are known, and where chance is the control."""

import numpy as np
import pytest

from metaqnn.agents.q_learning import QLearning
from metaqnn.agents.q_options import QLearningOptions
from metaqnn.agents.schedule import EpsilonSchedule
from replay import Trial
from state_space import random_walk
from tests.helpers.agents import Landscape
from tests.helpers.spaces import make_space


def greedy(agent):
    """The walk of the highest Q-values."""
    state, walk = agent.space.initial_state(), []
    while (decision := agent.space.decision(state)) is not None:
        observation = agent.space.observation(state)
        walk.append(agent.table.best_options(observation, decision.options)[0])
        state = agent.space.step(state, walk[-1])
    return tuple(walk)


def greedy_after_search(space, landscape, seed, networks):
    schedule = EpsilonSchedule.scaled(networks)
    agent = QLearning(space, seed, QLearningOptions(epsilon_schedule=str(schedule)))
    trained = set()
    while len(trained) < networks:
        walk = agent.ask().walk
        trained.add(walk)
        digest = " ".join(walk)
        agent.tell(Trial(len(trained), walk, 0, digest, 0, {}), landscape(walk))
    return greedy(agent)


@pytest.mark.slow
def test_the_greedy_network_beats_chance():
    """300 networks of the scaled schedule, 20 seeds: 18 beat the 95th percentile of chance.

    A greedy network no better than chance would do so in 18 of 20 with a probability of 1e-21.
    To beat the percentile means that at most 5 % of 10,000 random networks are better: "[SM(10)]"
    alone is 7 % of them, and no network beats it where it is the best.
    """
    space = make_space("digits")
    better = 0
    for seed in range(20):
        landscape = Landscape(space, seed)
        generator = np.random.default_rng([seed, 54321])
        chance = np.array([landscape(random_walk(space, generator)) for _ in range(10_000)])
        walk = greedy_after_search(space, landscape, seed, 300)
        better += np.mean(chance > landscape(walk)) <= 0.05
    assert better >= 18
