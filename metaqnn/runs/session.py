"""The search of a run, while somebody works on it."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from math import isinf
from typing import Protocol

from metaqnn.environment import NETWORKS, read_data
from metaqnn.runs.assembly import Parts
from metaqnn.runs.run import Run, write_config
from metaqnn.search.events import Event
from metaqnn.search.kept_weights import KeptWeights
from metaqnn.search.loop import Search
from metaqnn.storage import lock_folder
from metaqnn.terminal import make_bar, ticking
from replay import Memory


class Observer(Protocol):
    """Somebody who watches a search."""

    def begin(self, memory: Memory) -> None:
        """Look at what the search has found so far."""
        ...

    def __call__(self, event: Event) -> None:
        """Look at what has happened."""
        ...

    def close(self) -> None:
        """The search has ended."""
        ...


@contextmanager
def open_search(parts: Parts) -> Iterator[Search]:
    """The search as far as it has come; meanwhile nobody else works on the run.

    A new one learns from the experiences first. At the end the executor is shut down.

    Raises:
        MetaqnnError: Another process works on the run, or its memory is broken.
    """
    run, wanted = parts.run, parts.run.config.run
    costs = run.config.rewards.costs
    with lock_folder(run.path), closing(run.memory()) as memory:
        try:
            search = Search(
                parts.space,
                parts.agent,
                parts.evaluator,
                parts.executor,
                memory,
                parts.rules,
                kept=KeptWeights(run.path / NETWORKS, wanted.keep, costs, wanted.confirm),
                stopper=parts.stopper,
            )
            yield search
        finally:
            parts.executor.shutdown()


def teach(parts: Parts, search: Search) -> None:
    """Tell a new search of the run's experiences of elsewhere, one that has begun of nothing."""
    if search.memory.snapshot() is None:
        search.learn_from(parts.experiences)


def search_with_bar(
    parts: Parts,
    search: Search,
    *,
    quiet: bool,
    observers: tuple[Observer, ...] = (),
    observe: Callable[[], None] = lambda: None,
) -> str:
    """Search with a progress bar until the budget is spent; returns why the search ended.

    Args:
        parts: Of the run.
        search: Of the run, as `open_search` gives it.
        quiet: Show no bar.
        observers: Who watches, too.
        observe: Called after every trial.

    Raises:
        MetaqnnError: What scoring needs is not there, or the search cannot go on.
    """
    run = parts.run
    if run.config.run.budget:
        parts.evaluator.check(run.task, read_data(run.path))
    write_config(run)  # it may have changed, and does not name data that were refused
    with make_bar(quiet=quiet) as progress:
        task = progress.add_task(run.path.name, total=run.config.run.budget, state="")
        line, left = StateLine(run, search), parts.rules.deadline - time.monotonic()

        def show(event: Event) -> None:
            if isinf(left):
                progress.update(task, completed=event.trained, state=line.of(event))
            else:
                state = f"seconds, networks {event.trained}  {line.of(event)}"
                progress.update(task, state=state)
            for observer in observers:
                observer(event)
            observe()

        search.observe = show
        for observer in observers:
            progress.update(task, state="writing what was found so far")
            observer.begin(search.memory)
        progress.update(task, state="learning from experiences")
        teach(parts, search)
        progress.update(task, completed=search.trainings, state="")
        try:
            with nullcontext() if isinf(left) else ticking(progress, task, left):
                return search.run()
        finally:
            for observer in observers:
                observer.close()


class StateLine:
    """What the progress bar says behind the bar: epsilon, the last and the best network."""

    def __init__(self, run: Run, search: Search) -> None:
        """Begin with the best network so far."""
        self.score = run.task.score
        found = [
            (reward, outcome.best)
            for _, outcome, reward in search.memory.trained()
            if outcome.error is None and outcome.is_measured
        ]
        self.best = max(found, default=None)

    def of(self, event: Event) -> str:
        """The line after an event."""
        epsilon, outcome = event.trial.note.get("epsilon"), event.outcome
        last = "failed" if outcome.error is not None else self.score.show(outcome.best)
        if event.trial.confirmation:
            last = f"{last} again"
        elif outcome.error is None and outcome.is_measured:
            self.best = max(filter(None, (self.best, (event.reward, outcome.best))))
        best = "" if self.best is None else f"best {self.score.show(self.best[1])} "
        return f"{'' if epsilon is None else f'epsilon {epsilon:g}  '}last {last}  {best}"
