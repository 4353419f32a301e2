"""The search of a run, while somebody works on it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from metaqnn.evaluators.base import Evaluator
from metaqnn.executors.base import Executor
from metaqnn.progress import make_bar
from metaqnn.runs.creation import check_images
from metaqnn.runs.run import NETWORKS, Run, write_config
from metaqnn.search.events import Event
from metaqnn.search.kept_weights import KeptWeights
from metaqnn.search.loop import Search
from metaqnn.storage import lock_folder


@contextmanager
def open_search(run: Run, evaluator: Evaluator, executor: Executor) -> Iterator[Search]:
    """The search as far as it has come; meanwhile nobody else works on the run.

    At the end the executor is shut down.

    Raises:
        MetaqnnError: Another process works on the run, or its memory or inputs are broken.
    """
    run.board()
    with lock_folder(run.path), closing(run.memory()) as memory:
        write_config(run)  # it may have changed
        try:
            yield Search(
                run.space(),
                run.agent(),
                evaluator,
                executor,
                memory,
                run.rules(),
                kept=KeptWeights(run.path / NETWORKS, run.config.keep),
                stopper=run.stopper(),
            )
        finally:
            executor.shutdown()


def teach(run: Run, search: Search) -> None:
    """Tell a new search of the run's experiences of elsewhere, one that has begun of nothing."""
    if search.memory.snapshot() is None:
        search.learn_from(run.experiences())


def search_with_bar(
    run: Run, search: Search, *, quiet: bool, observe: Callable[[], None] = lambda: None
) -> str:
    """Search with a progress bar until the budget is spent; returns why the search ended.

    Args:
        run: What is searched.
        search: Of the run, as `open_search` gives it.
        quiet: Show no bar.
        observe: Called after every trial.

    Raises:
        MetaqnnError: The images cannot be loaded, or the search cannot go on.
    """
    check_images(run)
    kept = search.kept
    assert kept is not None, "a run keeps weights"
    board = run.board()
    with make_bar(quiet=quiet) as progress:
        task = progress.add_task(run.path.name, total=run.config.budget, state="")

        def show(event: Event) -> None:
            best = max(kept.trained.values(), default=0.0)
            epsilon = event.trial.note.get("epsilon")
            state = "" if epsilon is None else f"epsilon {epsilon:g}  "
            last = f"{event.reward:.2%}" if event.outcome.error is None else "failed"
            state += f"last {last}  best {best:.2%} "
            progress.update(task, completed=event.trained, state=state)
            if board and event.is_new:
                board.record(event.trial, event.outcome, event.reward)
            observe()

        search.observe = show
        if board:
            progress.update(task, state="writing TensorBoard's files")
            board.restore(search.memory.trained())
        progress.update(task, state="learning from experiences")
        teach(run, search)
        progress.update(task, completed=len(search.trained), state="")
        try:
            return search.run()
        finally:
            if board:
                board.close()
