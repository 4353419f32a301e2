"""What tests of agents have in common: Q-learning by hand, and a landscape to learn."""

import numpy as np

from metaqnn.agents.q_learning import QLearning
from metaqnn.agents.q_options import QLearningOptions

LONG = ("C(2,3,1)", "P(2,2)", "FC(4)", "SM(10)")
"""A walk of the space tiny."""


def q_learning(space, schedule="1.0:10", **options):
    """A new agent, whose seed is 0."""
    return QLearning(space, 0, QLearningOptions(epsilon_schedule=schedule, **options))


def q_of(table, *tokens):
    """The Q-value of the last token after the others."""
    state = table.space.initial_state()
    for token in tokens[:-1]:
        state = table.space.step(state, token)
    options = table.space.decision(state).options
    row = table.row(table.space.observation(state), options)
    return table.q[table.first[row] + options.index(tokens[-1])].item()


class Landscape:
    """The mean of a fixed random score for each (depth, token)."""

    def __init__(self, space, seed):
        generator = np.random.default_rng([seed, 12345])
        self.scores = {}
        for depth in range(space.limits.max_depth + 1):
            for token in space.vocabulary["layer"]:
                self.scores[depth, token] = generator.random()

    def __call__(self, walk):
        return float(np.mean([self.scores[place] for place in enumerate(walk)]))
