"""Who watches the search of a run."""

from typing import Any

from metaqnn.registry import need
from metaqnn.reports.failures import LOG, FailureLog
from metaqnn.runs.run import Run
from metaqnn.runs.session import Observer
from state_space import Space

TENSORBOARD = "tensorboard"


def make_observers(run: Run, space: Space[Any]) -> tuple[Observer, ...]:
    """The log of failures, and those that the run asks for.

    Raises:
        MetaqnnError: The package tensorboard is missing.
    """
    log = FailureLog(run.path / LOG, space)
    if not run.config.run.tensorboard:
        return (log,)
    need("--tensorboard", "tensorboard", "tensorboard")
    from metaqnn.reports.tensorboard import Board

    return log, Board(run.path / TENSORBOARD, space, run.task.score, run.config.run.budget)
