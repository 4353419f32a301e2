"""Drives a search in the foreground, with a progress bar where there is a terminal."""

import shlex
import sys
from typing import TYPE_CHECKING

import click

from metaqnn.cli.bar import make_bar
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator
from metaqnn.executors.base import Executor
from metaqnn.extras import need
from metaqnn.reports.networks import distinct
from metaqnn.reports.stopping import Savings
from metaqnn.reports.top_k import render, top_k
from metaqnn.runs import NETWORKS, Run, lock_folder, write_config
from metaqnn.search import Event, Search
from metaqnn.training.data import load_split
from metaqnn.winners import Winners
from replay import Memory

if TYPE_CHECKING:
    from metaqnn.reports.board import Board

TENSORBOARD = "tensorboard"
"""The folder of TensorBoard's files in that of a run."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def open_board(run: Run) -> "Board | None":
    """What writes the files for TensorBoard; None where nobody asked for them.

    Raises:
        MetaqnnError: The package tensorboard is missing.
    """
    if not run.config.tensorboard:
        return None
    need("--tensorboard", "tensorboard", "tensorboard")
    from metaqnn.reports.board import Board

    return Board(run.path / TENSORBOARD, run.space(), run.config.budget)


def drive(
    run: Run, evaluator: Evaluator, executor: Executor, board: "Board | None", *, quiet: bool
) -> None:
    """Search until the budget is spent, and print the five best networks.

    Ctrl-C leaves the memory whole, says how to resume, and exits with 130.

    Raises:
        MetaqnnError: Another process works on the run, its data, memory or inputs are broken, or
            the search cannot go on.
    """
    if not quiet and run.config.evaluation.evaluator != "train":
        for name, value in evaluator.facts.items():
            click.echo(f"{name}: {value}", err=True)
    with lock_folder(run.path):
        memory = run.memory()
        write_config(run)  # `resume` may have changed it
        if run.config.budget and run.config.evaluation.evaluator == "train":
            check_images(run)
        winners = Winners(run.path / NETWORKS, run.config.keep)
        try:
            ending = _search(run, evaluator, executor, board, memory, winners, quiet=quiet)
        except KeyboardInterrupt:
            folder = shlex.quote(str(run.path))
            trained = sum(1 for _ in memory.trained())
            click.echo(
                f"stopped after {trained} of {run.config.budget} networks; "
                f"`metaqnn resume {folder}` goes on",
                err=True,
            )
            sys.exit(INTERRUPTED)
        if not quiet:
            _summarise(run, memory, ending)
        memory.close()


def check_images(run: Run) -> None:
    """Load the images of a run.

    Raises:
        MetaqnnError: They cannot be loaded, or are not those for which the run was made.
    """
    training, _ = load_split(run.config.data)
    if (training.shape, len(training.classes)) != (run.shape, len(run.classes)):
        raise MetaqnnError(
            f"{run.config.data.dataset} has images of shape {training.shape} in "
            f"{len(training.classes)} classes; the run was made for {run.shape} in "
            f"{len(run.classes)}"
        )


def _search(
    run: Run,
    evaluator: Evaluator,
    executor: Executor,
    board: "Board | None",
    memory: Memory,
    winners: Winners,
    *,
    quiet: bool,
) -> str:
    """Search with a progress bar; returns why the search ended."""
    config = run.config
    with make_bar(quiet=quiet) as progress:
        task = progress.add_task(run.path.name, total=config.budget, state="")

        def observe(event: Event) -> None:
            best = max(winners.trained.values(), default=0.0)
            epsilon = event.trial.note.get("epsilon")
            state = "" if epsilon is None else f"epsilon {epsilon:g}  "
            last = f"{event.reward:.2%}" if event.outcome.error is None else "failed"
            state += f"last {last}  best {best:.2%} "
            progress.update(task, completed=event.trained, state=state)
            if board and event.is_new:
                board.record(event.trial, event.outcome, event.reward)

        search = Search(
            run.space(),
            run.agent(),
            evaluator,
            executor,
            memory,
            run.rules(),
            winners=winners,
            stopper=run.stopper(),
            observe=observe,
        )
        if board:
            progress.update(task, state="writing TensorBoard's files")
            board.restore(memory.trained())
        if memory.snapshot() is None:
            progress.update(task, state="learning from experiences")
            search.learn_from(run.experiences())
        progress.update(task, completed=len(search.trained), state="")
        try:
            return search.run()
        finally:
            executor.shutdown()
            if board:
                board.close()


def _summarise(run: Run, memory: Memory, ending: str) -> None:
    trials = memory.frame()
    trained = trials[trials["first"]]
    if len(trained):
        click.echo(render(top_k(distinct(trials), run.space(), 5), "table") + "\n")
    if run.config.stopping.stopper:
        click.echo(f"{Savings.of(trials, run.config.recipe.epochs)}.")
    refused = len({trial.digest for trial in memory.refused()})
    click.echo(
        f"{len(trained)} networks trained, {trained['error'].notna().sum()} of them failed; "
        + (f"{refused} refused as too large; " if refused else "")
        + f"{ending}. Results are in {run.path}"
    )
