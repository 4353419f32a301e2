"""Drives a search in the foreground, with a progress bar where there is a terminal."""

import shlex
import sys
from dataclasses import replace

import click

from metaqnn.environment import check_content, read_data
from metaqnn.errors import MetaqnnError
from metaqnn.reports.chance import advise
from metaqnn.reports.distinct import distinct
from metaqnn.reports.finals import render as render_finals
from metaqnn.reports.finals import summarise
from metaqnn.reports.observers import make_observers
from metaqnn.reports.stopping import Savings
from metaqnn.reports.top_k import best_networks, render, top_k
from metaqnn.runs.assembly import Parts, assemble
from metaqnn.runs.clock import Clock
from metaqnn.runs.creation import create_run
from metaqnn.runs.finals import finalize
from metaqnn.runs.run import Run
from metaqnn.runs.session import open_search, search_with_bar
from metaqnn.terminal import printable
from replay import Memory

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def drive(
    run: Run, *, quiet: bool, command: list[str] | None = None, clock: Clock | None = None
) -> None:
    """Search until the budget is spent, and print the five best networks.

    Where there is a time, search for a part of it, and then train the best network large.

    Ctrl-C leaves the memory whole, says how to resume, and exits with 130.

    Args:
        run: Which.
        quiet: Print nothing.
        command: That began a run whose folder is not there yet.
        clock: Of the time for it all, if any.

    Raises:
        MetaqnnError: Another process works on the run, its data, memory or inputs are broken, or
            the search cannot go on.
    """
    if clock and run.config.run.confirm:
        raise MetaqnnError("confirm is a part of a budget: with --time-limit it must be 0")
    parts = assemble(run)
    if clock:
        parts = replace(parts, rules=replace(parts.rules, deadline=clock.search_ends))
    observers = make_observers(run, parts.space)
    if command is None:
        check_content(run.path, parts.evaluator.facts)
    else:
        create_run(parts, command)
        data = None if quiet else read_data(run.path)
        for line in data["lines"] if data else ():
            click.echo(printable(line), err=True)
    if not quiet and not parts.evaluator.trains:
        for name, value in parts.evaluator.facts.items():
            click.echo(printable(f"{name}: {value}"), err=True)
    try:
        with open_search(parts) as search:
            ending = search_with_bar(parts, search, quiet=quiet, observers=observers)
            if not quiet:
                _summarise(parts, search.memory, ending)
        if clock:
            _train_last(run, clock, quiet=quiet)
    except KeyboardInterrupt:
        memory = run.memory()
        trained = len([*memory.trained(), *memory.confirmations()])
        memory.close()
        budget, more = ("", " --time-limit ...") if clock else (f" of {run.config.run.budget}", "")
        click.echo(
            f"stopped after {trained}{budget} networks; "
            f"`metaqnn resume {shlex.quote(str(run.path))}{more}` goes on",
            err=True,
        )
        sys.exit(INTERRUPTED)


def _train_last(run: Run, clock: Clock, *, quiet: bool) -> None:
    """Train the best network for what is left of the time, and test it."""
    from metaqnn.runs.timed import choose, plan_last

    networks = choose(run, best_networks(run, sys.maxsize))
    finals = plan_last(run, clock, networks.iloc[0])
    epochs = finals.run.config.parts["evaluator"].recipe.epochs
    if not quiet:
        click.echo(
            f"\nThe network of rank {networks['rank'].item()} is trained anew on all images, for "
            f"{epochs} epochs.",
            err=True,
        )
    results = finalize(finals, networks, 1, 1, quiet=quiet)
    if reason := results["error"].dropna().to_list():
        raise MetaqnnError(f"the last training failed: {reason[0]}")
    if not quiet:
        click.echo(render_finals(summarise(results), "table"))
        where = shlex.quote(str(run.path))
        click.echo(
            f"\n`metaqnn export {where} --final {finals.path.name} --to network.onnx` takes it "
            f"home; `metaqnn resume {where} --time-limit ...` goes on"
        )


def _summarise(parts: Parts, memory: Memory, ending: str) -> None:
    score = parts.run.task.score
    trials = memory.frame()
    trained = trials[trials["first"]]
    if len(trained):
        best = top_k(distinct(trials), parts.space, 5, score)
        click.echo(render(best, score, "table") + "\n")
    if parts.stopper and parts.evaluator.epochs:
        click.echo(f"{Savings.of(trials, parts.evaluator.epochs)}.")
    if hint := advise(trained):
        click.echo(hint)
    refused = len({trial.digest for trial in memory.refused()})
    again = trials[trials["finished"] & (trials["confirmation"] > 0)]
    click.echo(
        f"{len(trained)} networks trained, {trained['error'].notna().sum()} of them failed; "
        + (f"{refused} refused as too large; " if refused else "")
        + (
            f"the best {again['digest'].nunique()} were trained again, {len(again)} times in all; "
            if len(again)
            else ""
        )
        + f"{ending}. Results are in {parts.run.path}"
    )
