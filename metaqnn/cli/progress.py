"""Drives a search in the foreground, with a progress bar where there is a terminal."""

import shlex
import sys

import click

from metaqnn.evaluators.base import Evaluator
from metaqnn.executors.base import Executor
from metaqnn.reports.networks import distinct
from metaqnn.reports.stopping import Savings
from metaqnn.reports.top_k import render, top_k
from metaqnn.runs import Run
from metaqnn.sessions import open_search, search_with_bar
from metaqnn.terminal import printable
from replay import Memory

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def drive(run: Run, evaluator: Evaluator, executor: Executor, *, quiet: bool) -> None:
    """Search until the budget is spent, and print the five best networks.

    Ctrl-C leaves the memory whole, says how to resume, and exits with 130.

    Raises:
        MetaqnnError: Another process works on the run, its data, memory or inputs are broken, or
            the search cannot go on.
    """
    if not quiet and run.config.evaluation.evaluator != "train":
        for name, value in evaluator.facts.items():
            click.echo(printable(f"{name}: {value}"), err=True)
    try:
        with open_search(run, evaluator, executor) as search:
            ending = search_with_bar(run, search, quiet=quiet)
            if not quiet:
                _summarise(run, search.memory, ending)
    except KeyboardInterrupt:
        memory = run.memory()
        trained = sum(1 for _ in memory.trained())
        memory.close()
        click.echo(
            f"stopped after {trained} of {run.config.budget} networks; "
            f"`metaqnn resume {shlex.quote(str(run.path))}` goes on",
            err=True,
        )
        sys.exit(INTERRUPTED)


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
