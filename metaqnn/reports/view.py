"""What a run has found, as notebooks look at it."""

from contextlib import closing
from pathlib import Path

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.language.use import TextModel
from metaqnn.models.model import Model
from metaqnn.objectives.names import metrics_of
from metaqnn.reports.distinct import distinct
from metaqnn.reports.export import load, write_network
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.gallery import Figures, draw_figure, draw_figures
from metaqnn.reports.finals import add_test_errors, final_weights
from metaqnn.reports.state import describe_state, render_state
from metaqnn.reports.top_k import top_k, weights_file
from metaqnn.reports.trials import list_trials
from metaqnn.runs.assembly import trained_agent
from metaqnn.runs.quantising import write_int8
from metaqnn.runs.run import Run
from metaqnn.storage import as_path


class View:
    """A run and its folder, to be looked at by anybody, also while it goes on."""

    _run: Run

    @property
    def folder(self) -> Path:
        """The folder."""
        return self._run.path

    def trials(self) -> pd.DataFrame:
        """Every proposal: its network, what came of it, metrics and curve, in a row."""
        with closing(self._run.memory()) as memory:
            return list_trials(memory.frame(refused=True), self._run.space(), self._run.task.score)

    def best(self, k: int = 5) -> pd.DataFrame:
        """The best k networks, as `metaqnn top-k` has them."""
        networks = add_test_errors(distinct(self._frame()), self._run)
        return top_k(networks, self._run.space(), k, self._run.task.score)

    def front(self, *costs: str) -> pd.DataFrame:
        """The networks that no other one beats, as `metaqnn top-k --pareto` has them.

        Args:
            costs: Such as "parameters"; none are the run's objectives, or parameters.

        Raises:
            MetaqnnError: There is no such cost, or the networks have none.
        """
        wanted = metrics_of(costs) or self._run.config.rewards.costs or ("parameters",)
        networks = add_test_errors(distinct(self._frame()), self._run)
        return top_k(networks, self._run.space(), None, self._run.task.score, pareto=wanted)

    def figures(self, *names: str) -> Figures:
        """The figures of these names, or all that have something to show; a dict.

        Raises:
            MetaqnnError: There is no such figure, or nothing that it could show.
        """
        findings = Findings.of(self._run)
        if names:
            return Figures({name: draw_figure(name, findings) for name in names})
        return Figures(draw_figures(findings)[0])

    def q_table(self) -> pd.DataFrame:
        """What Q-learning has learnt, a row a state and action.

        Raises:
            MetaqnnError: The agent has no Q-table.
        """
        learnt = trained_agent(self._run).knowledge()
        if learnt is None:
            raise MetaqnnError(
                f"{self.folder} has no Q-table: its agent is {self._run.config.run.agent}"
            )
        return learnt

    def model(self, rank: int | None = None, final: str | None = None) -> Model | TextModel:
        """A trained network.

        Args:
            rank: Its rank in `best`; None is the best one that is there.
            final: As it was trained in the end: the name of a folder in `folder`/final.

        Raises:
            MetaqnnError: There are fewer networks, or its weights are not kept.
        """
        return load(self._weights(rank, final))

    def export(
        self,
        path: str | Path,
        rank: int | None = None,
        final: str | None = None,
        *,
        int8: bool = False,
    ) -> None:
        """Write a network of `model` in the format of the path's suffix, as `metaqnn export` does.

        Raises:
            MetaqnnError: See `model`; or the suffix is unknown, or the file cannot be written.
        """
        weights, target = self._weights(rank, final), as_path(path, "the file to write")
        if int8:
            write_int8(self._run, weights, target)
        else:
            write_network(weights, target)

    def _weights(self, rank: int | None, final: str | None) -> Path:
        if final is None:
            return weights_file(self._run, rank or 1)
        return final_weights(self._run, rank, final)

    def _frame(self) -> pd.DataFrame:
        with closing(self._run.memory()) as memory:
            return memory.frame()

    def _repr_html_(self) -> str:
        return render_state(self._run, self._frame())

    def __repr__(self) -> str:
        """Where it is and how far it has come."""
        return f"<search in {self.folder}: {describe_state(self._run, self._frame())}>"
