"""A search as notebooks and programs use it: `metaqnn.Search`."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from metaqnn.agents.base import Agent
from metaqnn.environment import check_content
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.notebook import show_live
from metaqnn.reports.finals import summarise
from metaqnn.reports.observers import make_observers
from metaqnn.reports.top_k import best_networks
from metaqnn.reports.view import View
from metaqnn.runs.assembly import Parts, assemble
from metaqnn.runs.clock import Clock
from metaqnn.runs.creation import create_run
from metaqnn.runs.finalizing import finalize
from metaqnn.runs.grid import choose_setting, plan_grid
from metaqnn.runs.keywords import data_kept, keywords, split_objects
from metaqnn.runs.program import plan_program
from metaqnn.runs.run import Run, open_run
from metaqnn.runs.session import open_search, search_with_bar, teach
from metaqnn.runs.timed import train_last, with_deadline
from metaqnn.search.asked import Asked
from metaqnn.search.loop import Search as Loop
from metaqnn.storage import as_path, going_on
from metaqnn.task import Score
from state_space import Space
from state_space.settings import suggestion


class Search(View):
    """A search and its folder.

    `run` searches on its own; with `ask` and `tell` somebody trains the networks in a way of their
    own. Both go by the same rules and may be mixed. While one Search works on a folder, from the
    first `ask` to `close` or the end of `run`, nobody else can; everybody can look at it.

    Attributes:
        ending: Why the last `ask` gave nothing, or the last `run` ended.
    """

    def __init__(
        self,
        *,
        space: str | Path | Space[Any] | None = None,
        agent: str | Agent | None = None,
        evaluator: str | Evaluator | Callable[[Job], Any] | None = None,
        shape: Sequence[int] | None = None,
        classes: int | Sequence[str] | None = None,
        score: Score | None = None,
        **options: Any,
    ) -> None:
        """Make the folder of a new search.

        Args:
            space: A name, a TOML file, or a space of your own.
            agent: A name, or an agent of your own that has done nothing yet.
            evaluator: A name, an evaluator of your own, or any function of a
                `metaqnn.evaluators.base.Job` that returns a score, the scores of the epochs, or an
                `Outcome`; higher is better.
            shape: Of examples that only you have, such as (channels, size, size) of images.
            classes: How many classes they have, or the names of these.
            score: What your function's scores are, or those that you tell.
            options: Those of `metaqnn run`, _ for -; arrays are a dataset too: `keep_arrays`.

        Raises:
            MetaqnnError: An option is unknown or impossible, or the name is taken.
        """
        named = {"space": space, "agent": agent, "evaluator": evaluator}
        with data_kept(keywords(options)) as values:
            run, given = plan_program(values, named, shape, classes, score)
            if run.path.exists():
                raise MetaqnnError(
                    f"{run.path} exists: Search.open({str(run.path)!r}) goes on with it, "
                    "name='...' chooses another name"
                )
            command = ["metaqnn.Search", *(f"{name}={value!r}" for name, value in given.items())]
            parts = assemble(run)
            make_observers(run, parts.space)
            create_run(parts, command, reads_data=shape is None and classes is None)
        parts.executor.shutdown()
        self._take(run)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        space: Space[Any] | None = None,
        agent: Agent | None = None,
        evaluator: Evaluator | Callable[[Job], Any] | None = None,
        trust: bool = False,
        **options: Any,
    ) -> Self:
        """The search in a folder, also one of `metaqnn run`.

        Args:
            folder: Of the run.
            space: As it was given when the search was made, if it was.
            agent: Likewise, anew.
            evaluator: Likewise.
            trust: Whoever made the folder is trusted: code that it alone names is imported.
            options: Those of `metaqnn resume`, such as a larger budget.

        Raises:
            MetaqnnError: The folder is not that of a run, or an option unknown or impossible.
        """
        objects, _ = split_objects(space=space, agent=agent, evaluator=evaluator)
        run = open_run(as_path(folder, "the folder of a run"), objects, trust=trust)
        known = [name for name, key in run.config.keys().items() if key.is_changeable]
        given = keywords(options)
        for name in given:
            if name not in known:
                raise MetaqnnError(f"unknown option {name}{suggestion(name, known)}")
        search = cls.__new__(cls)
        search._take(replace(run, config=run.config.changed(given, run.objects)))
        return search

    def _take(self, run: Run) -> None:
        self._run = run
        self._loop: Loop | None = None
        self._parts: Parts | None = None
        self._held = ExitStack()
        self.ending: str | None = None

    def run(self, budget: int | None = None, *, quiet: bool = False) -> str:
        """Search until the budget or the share of the time is spent, and return why it ended.

        Where there is a time, the best network is then trained large and tested.

        Interrupted, it loses only the networks in training; called again, it goes on. What was
        asked for and not told is trained too.

        Args:
            budget: Distinct networks, in all; None is as many as before.
            quiet: Show no progress.

        Raises:
            MetaqnnError: The images are not there, the search cannot go on, or somebody else works
                on the folder.
        """
        if budget is not None:
            self.close()
            changed = self._run.config.changed({"budget": budget}, self._run.objects)
            self._run = replace(self._run, config=changed)
        clock = Clock.of(self._run.config, time.monotonic())
        if clock:
            self.close()
        try:
            loop = self._open(clock)
            show: Callable[..., None] = (lambda now=False: None) if quiet else show_live(self)
            assert self._parts is not None, "the search is open"
            observers = make_observers(self._run, loop.space)
            with going_on(self.folder):
                self.ending = search_with_bar(
                    self._parts, loop, quiet=quiet, observers=observers, observe=show
                )
        finally:
            self.close()
        show(now=True)
        if clock:
            networks = best_networks(self._run, sys.maxsize)
            with going_on(self.folder):
                train_last(self._run, clock, networks, say=lambda line: None, quiet=quiet)
        return self.ending

    def ask(self) -> Asked | None:
        """The next network to be trained; None where there is none, and `ending` says why.

        Several may be asked for before one is told. Those that are never told come up again once
        the search is closed and opened.

        Raises:
            MetaqnnError: Somebody else works on the folder, or its files are broken.
        """
        try:
            loop = self._open()
            with going_on(self.folder):
                trial = loop.ask()
        except BaseException:
            self.close()  # what was begun in memory is not what the folder has
            raise
        self.ending = None if trial else loop.ending
        if trial is None:
            return None
        space = loop.space
        architecture = space.architecture(trial.walk)
        text = space.text(trial.walk)
        return Asked(trial, architecture, text, self._run.task, space.trainable)

    def tell(
        self,
        asked: Asked,
        score: float | None = None,
        *,
        accuracy: float | None = None,
        curve: Sequence[float] | None = None,
        error: str | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Take in what came of a network, once and for all.

        Args:
            asked: The network.
            score: On validation images; an accuracy is 0 to 1, and always higher is better.
            accuracy: The same by its name.
            curve: Instead of it, that after each epoch.
            error: Instead of both, why the training failed.
            metrics: What else is worth keeping, such as seconds; columns of `trials`.

        Raises:
            MetaqnnError: It makes no sense, the network was told already or never asked for here,
                or somebody else works on the folder.
            SearchStopped: Ten networks in a row failed; that the last one did is taken in.
        """
        if not isinstance(asked, Asked):
            raise MetaqnnError(f"tell takes what ask has returned, not {asked!r}")
        outcome = asked.outcome(score if accuracy is None else accuracy, curve, error, metrics)
        loop = self._open()
        with going_on(self.folder):
            try:
                loop.tell(asked.trial, outcome)
            except MetaqnnError:
                raise
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let others work on the folder; the next `ask`, `tell` or `run` opens it again."""
        self._loop = self._parts = None
        self._held.close()

    def _open(self, clock: Clock | None = None) -> Loop:
        if self._loop is None:
            parts = with_deadline(assemble(self._run), clock)
            check_content(self._run.path, parts.evaluator.facts)
            with going_on(self.folder), ExitStack() as held:
                loop = held.enter_context(open_search(parts))
                teach(parts, loop)
                self._held, self._loop, self._parts = held.pop_all(), loop, parts
        return self._loop

    def finalize(
        self,
        k: int = 10,
        *,
        ensemble: int = 5,
        recipe: str = "short",
        seeds: int = 1,
        scale: Mapping[str, int] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        int8: bool = False,
        name: str | None = None,
        quiet: bool = False,
        **options: Any,
    ) -> pd.DataFrame:
        """Train the best networks anew and test them, as `metaqnn finalize` does.

        Args:
            k: How many networks.
            ensemble: So many of the best are also tested together.
            recipe: Its name.
            seeds: Trainings of each.
            scale: How large to make the networks, by the keys of the space's scale.
            grid: Values of options of the recipe, of which the best are found first; the table of
                all is grid.csv in the folder of the trainings.
            int8: Write the networks in whole numbers of 8 bits too.
            name: Of the folder of the trainings; the recipe's unless given.
            quiet: Show no progress.
            options: Those of `metaqnn finalize`, with _ for -.

        Returns:
            A row a network or ensemble: see `metaqnn.reports.finals.summarise`.

        Raises:
            MetaqnnError: No network is trained yet, or something is impossible.
        """
        given = keywords(options)
        networks = best_networks(self._run, k)
        plan = plan_grid(self._run, recipe, name, given, scale, keywords(grid or {}))
        finals, _ = choose_setting(plan, networks, quiet=quiet)
        results = finalize(finals, networks, seeds, ensemble, int8=int8, quiet=quiet)
        return summarise(results, self._run.task.score)
