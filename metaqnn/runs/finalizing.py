"""The best networks are trained anew, with a progress bar, and tested."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from metaqnn.environment import keep_test, read_data
from metaqnn.evaluators.base import Evaluator
from metaqnn.evaluators.trainer import Examination, Trainer
from metaqnn.executors.base import Executor
from metaqnn.runs.assembly import make_executor, make_trainer
from metaqnn.runs.finals import Finals
from metaqnn.runs.quantising import find_images, quantise_finals
from metaqnn.runs.run import Run
from metaqnn.search.events import Event
from metaqnn.storage import going_on
from metaqnn.terminal import make_bar, printable, ticking

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def finalize(
    finals: Finals,
    networks: pd.DataFrame,
    seeds: int,
    ensemble: int,
    *,
    int8: bool = False,
    quiet: bool = False,
    warn: Callable[[str], None] = lambda text: None,
) -> pd.DataFrame:
    """Train the networks with a progress bar, and test them; the columns of RESULTS.

    Args:
        finals: Of the run.
        networks: `metaqnn.reports.top_k.best_networks`.
        seeds: Trainings of each.
        ensemble: How many of the best are tested together.
        int8: Quantise the networks too, see `quantise_finals`.
        quiet: Show no bar.
        warn: Told what looks wrong about the test part.

    Raises:
        MetaqnnError: See `Finals.train`, `Finals.test`, `find_images` and `quantise_finals`.
    """
    run = finals.run
    with going_on(run.path, "metaqnn finalize"):
        calibration = find_images(run) if int8 else None
        results = _finalize(finals, networks, seeds, ensemble, quiet, warn)
        if calibration is None:
            return results
        with finals.lock():
            return quantise_finals(finals, results, calibration, quiet=quiet)


def _finalize(
    finals: Finals,
    networks: pd.DataFrame,
    seeds: int,
    ensemble: int,
    quiet: bool,
    warn: Callable[[str], None],
) -> pd.DataFrame:
    evaluator, examination = prepare(finals.run, warn)
    done = 0
    with finals.lock():
        total = seeds * len(networks)
        # of one training nothing else is known meanwhile
        seconds = finals.run.config.values()["seconds"] if total == 1 else None
        title = f"final: {finals.path.name}"
        with executor_and_bar(finals.run, evaluator, title, total, quiet) as (executor, bar):

            def observe(event: Event) -> None:
                nonlocal done
                done += event.is_new
                bar.progress.update(bar.task, state=printable(event.outcome.error or ""))
                if seconds is None:
                    bar.progress.update(bar.task, completed=done)

            for seed in range(seeds):
                with ticking(*bar, seconds) if seconds else nullcontext():
                    finals.train(networks, seed, executor, observe)
                done = (seed + 1) * len(networks)  # some may have been trained before
        return finals.test(networks, range(seeds), ensemble, examination)


def prepare(
    run: Run, warn: Callable[[str], None] = lambda text: None
) -> tuple[Trainer, Examination | None]:
    """What trains the networks of a run, and what tests them, None where there is nothing.

    Both are looked for before anything is trained, else they are found missing after hours.

    Args:
        run: Of the final trainings.
        warn: Told what looks wrong about the test part.

    Raises:
        MetaqnnError: The data are not there, or not those of the run.
    """
    evaluator = make_trainer(run)
    evaluator.check(run.task, read_data(run.path))
    examination = evaluator.examination()
    if examination is not None:
        keep_test(run.path, examination.fingerprint)
        for text in examination.warnings():
            warn(text)
    return evaluator, examination


class Bar(NamedTuple):
    """A progress bar and its task."""

    progress: "Progress"
    task: "TaskID"


@contextmanager
def executor_and_bar(
    run: Run, evaluator: Evaluator, title: str, total: int, quiet: bool
) -> Iterator[tuple[Executor, Bar]]:
    """Where networks are trained, which is shut down in the end, and a bar of so many trainings."""
    executor = make_executor(run, evaluator)
    try:
        with make_bar(quiet=quiet) as progress:
            yield executor, Bar(progress, progress.add_task(title, total=total, state=""))
    finally:
        executor.shutdown()
