"""The best networks are trained anew, with a progress bar, and tested."""

from collections.abc import Callable
from contextlib import nullcontext

import pandas as pd

from metaqnn.environment import keep_test, read_data
from metaqnn.runs.assembly import make_executor, make_trainer
from metaqnn.runs.finals import Finals
from metaqnn.search.events import Event
from metaqnn.storage import going_on
from metaqnn.terminal import make_bar, printable, ticking


def finalize(
    finals: Finals,
    networks: pd.DataFrame,
    seeds: int,
    ensemble: int,
    *,
    quiet: bool = False,
    warn: Callable[[str], None] = lambda text: None,
) -> pd.DataFrame:
    """Train the networks with a progress bar, and test them; the columns of RESULTS.

    Args:
        finals: Of the run.
        networks: `metaqnn.reports.top_k.best_networks`.
        seeds: Trainings of each.
        ensemble: How many of the best are tested together.
        quiet: Show no bar.
        warn: Told what looks wrong about the test part.

    Raises:
        MetaqnnError: See `Finals.train` and `Finals.test`.
    """
    run = finals.run
    with going_on(run.path, "metaqnn finalize"):
        return _finalize(finals, networks, seeds, ensemble, quiet, warn)


def _finalize(
    finals: Finals,
    networks: pd.DataFrame,
    seeds: int,
    ensemble: int,
    quiet: bool,
    warn: Callable[[str], None],
) -> pd.DataFrame:
    run = finals.run
    evaluator = make_trainer(run)
    evaluator.check(run.task, read_data(run.path))
    examination = evaluator.examination()  # else it is found missing after hours
    if examination is not None:
        keep_test(run.path, examination.fingerprint)
        for text in examination.warnings():
            warn(text)
    done = 0
    with finals.lock():
        executor = make_executor(run, evaluator)
        with make_bar(quiet=quiet) as progress:
            total = seeds * len(networks)
            # of one training nothing else is known meanwhile
            seconds = run.config.values()["seconds"] if total == 1 else None
            task = progress.add_task(f"final: {finals.path.name}", total=total, state="")

            def observe(event: Event) -> None:
                nonlocal done
                done += event.is_new
                progress.update(task, state=printable(event.outcome.error or ""))
                if seconds is None:
                    progress.update(task, completed=done)

            try:
                for seed in range(seeds):
                    with ticking(progress, task, seconds) if seconds else nullcontext():
                        finals.train(networks, seed, executor, observe)
                    done = (seed + 1) * len(networks)  # some may have been trained before
            finally:
                executor.shutdown()
        return finals.test(networks, range(seeds), ensemble, examination)
