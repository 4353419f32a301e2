"""Searches of a comparison on the cores of this machine."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from urllib.parse import unquote

from metaqnn.comparison.searches import run_search, search_file, write_search
from metaqnn.errors import MetaqnnError, SearchStopped
from metaqnn.evaluators.base import Evaluator
from metaqnn.executors.spawn import end_with_parent, inherited
from metaqnn.runs.run import Run

_evaluators: list[Evaluator] = []
"""The evaluator of this worker process."""


def run_searches(
    runs: Sequence[Run],
    evaluator: Evaluator,
    jobs: int,
    observe: Callable[[], None] = lambda: None,
) -> None:
    """Make searches in parallel and write the file of each.

    Whatever ends it early, Ctrl-C included, ends the workers too; files that are written stay.

    Args:
        runs: As `Comparison.plan` makes them.
        evaluator: Pickled once a worker.
        jobs: Processes, each with one thread.
        observe: Called after every search.

    Raises:
        MetaqnnError: A search cannot go on; the message names it.
    """
    futures: list[Future[None]] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, _begin, (evaluator,)) as pool:
        try:
            with inherited({"OMP_NUM_THREADS": "1"}):
                for run in runs:
                    futures.append(pool.submit(_work, run))
            for future in as_completed(futures):
                future.result()
                observe()
        except BaseException as error:
            # the pool then fails what waits; cancelled futures would break it (CPython 3.11)
            for process in multiprocessing.active_children():
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise SearchStopped(
                    "a worker process ended, maybe for lack of memory; fewer --jobs need less"
                ) from None
            raise


def _begin(evaluator: Evaluator) -> None:
    _evaluators[:] = [evaluator]
    end_with_parent()


def _work(run: Run) -> None:
    try:
        found = run_search(run, _evaluators[0])
    except MetaqnnError as error:
        label = unquote(run.path.parent.name)
        raise type(error)(f"{label}, seed {run.config.run.seed}: {error}") from None
    write_search(search_file(run), found, run.task.score)
