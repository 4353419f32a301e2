"""What a run has found so far: all that its figures are drawn of."""

from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.reports.distinct import distinct
from metaqnn.runs.assembly import trained_agent
from metaqnn.runs.run import Run
from metaqnn.task import Score
from state_space import Space


class NothingToShow(MetaqnnError):
    """A run has nothing yet, or will never have anything, that a figure could show."""


@dataclass(frozen=True)
class Findings:
    """What a run has found so far.

    Attributes:
        run: Which.
        space: That it searches.
        networks: A row a distinct network that was trained or failed, in the order in which they
            were proposed: the columns of `metaqnn.reports.distinct.distinct`.
        knowledge: `Agent.knowledge`, with what was learnt of imported experiences; None where the
            agent has no such numbers, or is not known here.
        knows: What the numbers are.
    """

    run: Run
    space: Space[Any]
    networks: pd.DataFrame
    knowledge: pd.DataFrame | None
    knows: str

    @classmethod
    def of(cls, run: Run) -> Self:
        """What a run has found; it may go on meanwhile.

        Raises:
            MetaqnnError: The memory is not there, or damaged.
        """
        memory = run.memory()
        networks = distinct(memory.frame())
        memory.close()
        try:
            agent = trained_agent(run)
        except MetaqnnError:  # of another program, which need not be here to look at the run
            return cls(run, run.space(), networks, None, "")
        return cls(run, run.space(), networks, agent.knowledge(), agent.knows)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The metrics of which less is better, beside the score."""
        return self.run.config.rewards.costs

    @property
    def score(self) -> Score:
        """Of the networks."""
        return self.run.task.score

    def succeeded(self) -> pd.DataFrame:
        """The networks that have a score, measured or predicted.

        Raises:
            NothingToShow: There are none.
        """
        found = self.networks.dropna(subset=["score"])
        if found.empty:
            failed = len(self.networks)
            told = {0: "no network is trained yet", 1: "the only network failed"}
            raise NothingToShow(told.get(failed, f"all {failed} networks failed"))
        return found

    def measured(self) -> pd.DataFrame:
        """The networks whose score was measured.

        Raises:
            NothingToShow: There are none.
        """
        found = self.succeeded().query("not predicted")
        if found.empty:
            raise NothingToShow(f"every training was stopped, no {self.score.word} is measured")
        return found

    def tried(self) -> pd.DataFrame:
        """The Q-values of actions that some network took; the others are as they began.

        Raises:
            NothingToShow: There are none.
        """
        if self.knowledge is None:
            raise NothingToShow(f"the agent {self.run.config.run.agent} has no Q-values")
        tried = self.knowledge.query("visits > 0") if len(self.knowledge) else self.knowledge
        if tried.empty:
            raise NothingToShow("no Q-value is learnt yet")
        return tried
