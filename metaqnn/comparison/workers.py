"""Searches of a comparison on the cores of this machine."""

from collections.abc import Callable, Sequence
from urllib.parse import unquote

from metaqnn.comparison.searches import run_search, search_file, write_search
from metaqnn.errors import MetaqnnError, SearchStopped
from metaqnn.evaluators.base import Evaluator
from metaqnn.executors.base import WorkerLost
from metaqnn.executors.processes import Processes
from metaqnn.runs.run import Run


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
        evaluator: Pickled once a search.
        jobs: Processes, each with one thread.
        observe: Called after every search.

    Raises:
        MetaqnnError: A search cannot go on; the message names it.
    """
    pool = Processes([{"OMP_NUM_THREADS": "1"}] * min(jobs, len(runs)))
    try:
        waiting = {pool.submit(_work, run, evaluator) for run in runs}
        while waiting:
            done = pool.wait(waiting)
            waiting -= done
            for future in done:
                future.result()
                observe()
    except WorkerLost:
        raise SearchStopped(
            "a worker process ended, maybe for lack of memory; fewer --jobs need less"
        ) from None
    finally:
        pool.shutdown()


def _work(run: Run, evaluator: Evaluator) -> None:
    try:
        found = run_search(run, evaluator)
    except MetaqnnError as error:
        label = unquote(run.path.parent.name)
        raise type(error)(f"{label}, seed {run.config.run.seed}: {error}") from None
    write_search(search_file(run), found, run.task.score)
