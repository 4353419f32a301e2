"""Searches of a comparison on the cores of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from urllib.parse import unquote

from metaqnn.errors import MetaqnnError, SearchStopped
from metaqnn.evaluators.base import Evaluator
from metaqnn.runs import Run
from metaqnn.searches import run_search, search_file, write_search

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
            with _inherited():
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


@contextmanager
def _inherited() -> Iterator[None]:
    """What processes inherit that start within: one thread, and deafness to Ctrl-C.

    Numerical libraries read the number of threads when they are loaded, so it cannot be set later.
    """
    threads = os.environ.get("OMP_NUM_THREADS")
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads


def _begin(evaluator: Evaluator) -> None:
    _evaluators[:] = [evaluator]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it does, even if that one is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)


def _work(run: Run) -> None:
    try:
        found = run_search(run, _evaluators[0])
    except MetaqnnError as error:
        label = unquote(run.path.parent.name)
        raise type(error)(f"{label}, seed {run.config.seed}: {error}") from None
    write_search(search_file(run), found)
