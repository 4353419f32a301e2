"""What a table of Q-values promises, where many of its pairs were hardly tried."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from metaqnn.agents.q_table import QTable
from state_space import Observation, Space, Token


class Acquisition:
    """The advantages of all actions at one moment, shrunken towards what is known more widely.

    The advantage of an action is its Q-value less the mean of its row. Of n visits it counts n, and
    the mean advantage of the same action at the same place of a walk, in all rows, counts `prior`:
    the posterior mean of a hierarchical normal model (Gelman et al. 2013, "Bayesian Data Analysis",
    section 5.4), in which a row that was never seen has the advantages of its place.
    """

    def __init__(self, table: QTable, prior: float, bonus: float) -> None:
        """Look at the table as it is now.

        Args:
            table: Must not change while the acquisition is used.
            prior: Visits that the mean over all rows counts.
            bonus: Weight of the upper confidence bound in `promise`.
        """
        self.table = table
        self.prior = prior
        self.bonus = bonus
        self._means = table.mean_advantages() if prior else {}
        self._known: dict[tuple[Observation, int], tuple[list[float], Sequence[int]]] = {}

    def advantages(
        self, observation: Observation, options: tuple[Token, ...], place: int
    ) -> tuple[list[float], Sequence[int]]:
        """Of every option: its shrunken advantage, and how many trials took it."""
        key = observation, place
        if key not in self._known:
            own, visits = self.table.advantages(observation, options)
            if self.prior:
                wide = (self._means.get((place, token), 0.0) for token in options)
                own = [
                    (n * advantage + self.prior * mean) / (n + self.prior)
                    for n, advantage, mean in zip(visits, own, wide, strict=True)
                ]
            self._known[key] = own, visits
        return self._known[key]

    def best_options(
        self, observation: Observation, options: tuple[Token, ...], place: int
    ) -> tuple[Token, ...]:
        """The options of the highest advantage: several where they are equal."""
        advantages, _ = self.advantages(observation, options, place)
        best = max(advantages)
        return tuple(
            option
            for option, advantage in zip(options, advantages, strict=True)
            if advantage == best
        )

    def promise(self, space: Space[Any], walk: tuple[Token, ...], stage: int) -> float:
        """The sum of the moves' advantages, and a bonus for what was rarely tried.

        The bonus is the upper confidence bound of a sum of independent means, each known from the
        trials that took its action (Li et al. 2010, arXiv 1003.0146, with one-hot features).
        """
        state = space.initial_state(stage)
        promise = uncertainty = 0.0
        for place, token in enumerate(walk):
            decision = space.decision(state)
            assert decision is not None, "the walk is legal"
            advantages, visits = self.advantages(space.observation(state), decision.options, place)
            index = decision.options.index(token)
            promise += advantages[index]
            uncertainty += 1 / (visits[index] + 1)
            state = space.step(state, token)
        return promise + self.bonus * sqrt(uncertainty)
