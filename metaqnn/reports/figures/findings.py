"""What a run has found so far: all that its figures are drawn of."""

from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from metaqnn.agents.q_learning import QLearning
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.reports.distinct import distinct
from metaqnn.runs.run import Run
from state_space import Space

SCORES = {
    "table": "published accuracy",
    "surrogate": "predicted accuracy",
    "bandit": "bandit's payoff",
}
"""What an evaluator's score is, where it is not the accuracy on validation images."""


class NothingToShow(MetaqnnError):
    """A run has nothing yet, or will never have anything, that a figure could show."""


@dataclass(frozen=True)
class Findings:
    """What a run has found so far.

    Attributes:
        config: What the run was asked for.
        space: That it searches.
        networks: A row a distinct network that was trained or failed, in the order in which they
            were proposed: the columns of `metaqnn.reports.distinct.distinct`.
        q_values: `QTable.frame`, with what was learnt of imported experiences; None where the agent
            has no Q-values.
    """

    config: RunConfig
    space: Space[Any]
    networks: pd.DataFrame
    q_values: pd.DataFrame | None

    @classmethod
    def of(cls, run: Run) -> Self:
        """What a run has found; it may go on meanwhile.

        Raises:
            MetaqnnError: The memory is not there, or damaged.
        """
        memory = run.memory()
        networks = distinct(memory.frame())
        memory.close()
        agent = run.trained_agent()
        q_values = agent.table.frame() if isinstance(agent, QLearning) else None
        return cls(run.config, run.space(), networks, q_values)

    @property
    def score(self) -> str:
        """What the accuracy is, for labels."""
        return SCORES.get(self.config.evaluation.evaluator, "validation accuracy")

    def succeeded(self) -> pd.DataFrame:
        """The networks that have an accuracy, measured or predicted.

        Raises:
            NothingToShow: There are none.
        """
        found = self.networks.dropna(subset=["accuracy"])
        if found.empty:
            failed = len(self.networks)
            raise NothingToShow(
                f"all {failed} networks failed" if failed else "no network is trained yet"
            )
        return found

    def measured(self) -> pd.DataFrame:
        """The networks whose accuracy was measured.

        Raises:
            NothingToShow: There are none.
        """
        found = self.succeeded().query("not predicted")
        if found.empty:
            raise NothingToShow("every training was stopped, no accuracy is measured")
        return found

    def tried(self) -> pd.DataFrame:
        """The Q-values of actions that some network took; the others are as they began.

        Raises:
            NothingToShow: There are none.
        """
        if self.q_values is None:
            raise NothingToShow(f"the agent {self.config.agent} has no Q-values")
        tried = self.q_values.query("visits > 0") if len(self.q_values) else self.q_values
        if tried.empty:
            raise NothingToShow("no Q-value is learnt yet")
        return tried

    @property
    def q_name(self) -> str:
        """What a Q-value is, for labels."""
        ranks = self.config.q_learning.rank_rewards
        return "Q-value (rank of the reward)" if ranks else "Q-value"
