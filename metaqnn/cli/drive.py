"""Drives a search in the foreground, with a progress bar where there is a terminal."""

import shlex
import sys

import click

from metaqnn.environment import check_content, read_data
from metaqnn.reports.chance import advise
from metaqnn.reports.classes import list_final_classes, reads_images, render_classes
from metaqnn.reports.distinct import distinct
from metaqnn.reports.finals import render as render_finals
from metaqnn.reports.finals import summarise
from metaqnn.reports.observers import make_observers
from metaqnn.reports.stopping import Savings
from metaqnn.reports.top_k import best_networks, render, top_k
from metaqnn.runs.assembly import Parts, assemble
from metaqnn.runs.clock import Clock
from metaqnn.runs.creation import create_run
from metaqnn.runs.results import ANSWERS
from metaqnn.runs.run import Run
from metaqnn.runs.session import open_search, search_with_bar
from metaqnn.runs.timed import train_last, with_deadline
from metaqnn.storage import going_on
from metaqnn.terminal import counted, printable
from replay import Memory

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def drive(run: Run, *, quiet: bool, began: float, command: list[str] | None = None) -> None:
    """Search until the budget is spent, and print the five best networks.

    Where there is a time, search for a part of it, and then train the best network large.

    Ctrl-C leaves the memory whole, says how to resume, and exits with 130.

    Args:
        run: Which.
        quiet: Print nothing.
        began: When the time for it all did, on `time.monotonic`, if there is one.
        command: That began a run whose folder is not there yet.

    Raises:
        MetaqnnError: Another process works on the run, its data, memory or inputs are broken, or
            the search cannot go on.
    """
    with going_on(run.path):
        _drive(run, quiet, began, command)


def _drive(run: Run, quiet: bool, began: float, command: list[str] | None) -> None:
    clock = Clock.of(run.config, began)
    parts = with_deadline(assemble(run), clock)
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
                _summarise(parts, search.memory, ending, hints=clock is None)
        if clock:
            _train_last(run, clock, quiet=quiet)
    except KeyboardInterrupt:
        memory = run.memory()
        trained = len([*memory.trained(), *memory.confirmations()])
        memory.close()
        done = counted(trained, "network")
        if not clock:
            done = f"{trained} of {counted(run.config.run.budget, 'network')}"
        click.echo(
            f"stopped after {done}; `metaqnn resume {shlex.quote(str(run.path))}` goes on",
            err=True,
        )
        sys.exit(INTERRUPTED)


def _train_last(run: Run, clock: Clock, *, quiet: bool) -> None:
    """Train the best network for what is left of the time, and test it."""

    def say(line: str) -> None:
        if not quiet:
            click.echo(f"\n{line}", err=True)

    trained = train_last(run, clock, best_networks(run, sys.maxsize), say, quiet=quiet)
    if quiet:
        return
    where, final = shlex.quote(str(run.path)), ""
    if trained:
        finals, results = trained
        score = run.task.score
        click.echo(render_finals(summarise(results, score), score, "table"))
        if (finals.path / ANSWERS).is_file():
            rows = list_final_classes(finals.path, run.task.outputs)
            click.echo(f"\n{render_classes(rows)}")
        final = f" --final {finals.path.name}"
    # of a language model .onnx is one step, which neither predict nor generate reads
    suffix = "onnx" if reads_images(run) else "safetensors"
    click.echo(
        f"\n`metaqnn export {where}{final} --to network.{suffix}` takes it home; `metaqnn resume "
        f"{where}` goes on for another {run.config.run.time_limit}"
    )


def _summarise(parts: Parts, memory: Memory, ending: str, *, hints: bool) -> None:
    score = parts.run.task.score
    trials = memory.frame()
    trained = trials[trials["first"]]
    if len(trained):
        best = top_k(distinct(trials), parts.space, 5, score)
        click.echo(render(best, score, "table") + "\n")
    if parts.stopper and parts.evaluator.epochs:
        click.echo(f"{Savings.of(trials, parts.evaluator.epochs)}.")
    if hints and (hint := advise(trained)):  # short trainings of small networks say little
        click.echo(hint)
    refused = len({trial.digest for trial in memory.refused()})
    slow = " or slow" if parts.run.config.rewards.limit else ""
    again = trials[trials["finished"] & (trials["confirmation"] > 0)]
    click.echo(
        f"{counted(len(trained), 'network')} trained, "
        f"{trained['error'].notna().sum()} of them failed; "
        + (f"{refused} refused as too large{slow}; " if refused else "")
        + (
            f"the best {counted(again['digest'].nunique(), 'was', 'were')} trained again, "
            f"{counted(len(again), 'time')} in all; "
            if len(again)
            else ""
        )
        + f"{ending}. Results are in {parts.run.path}"
    )
