"""Drives a search in the foreground, with a progress bar where there is a terminal."""

import shlex
import sys

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from metaqnn.evaluators.train import TrainEvaluator
from metaqnn.executors.in_process import InProcess
from metaqnn.reports.top_k import render, top_k
from metaqnn.runs import NETWORKS, Run
from metaqnn.search import Event, Search
from metaqnn.winners import Winners
from replay import Memory

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def drive(run: Run, device: str, *, quiet: bool) -> None:
    """Search until the budget is spent, and print the five best networks.

    Ctrl-C leaves the memory whole, says how to resume, and exits with 130.

    Raises:
        MetaqnnError: The run's memory or inputs are broken, or the search cannot go on.
    """
    memory = run.memory()
    space = run.space()
    config = run.config
    winners = Winners(run.path / NETWORKS, config.keep)
    console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        console=console,
    ) as progress:
        task = progress.add_task(run.path.name, total=config.budget, state="")
        best = 0.0

        def observe(event: Event) -> None:
            nonlocal best
            best = max(best, event.reward)
            epsilon = event.trial.note.get("epsilon")
            state = "" if epsilon is None else f"epsilon {epsilon:g}  "
            last = f"{event.reward:.2%}" if event.outcome.error is None else "failed"
            state += f"last {last}  best {best:.2%} "
            progress.update(task, completed=event.trained, state=state)

        try:
            search = Search(
                space,
                run.agent(),
                TrainEvaluator(config.data, config.recipe, device),
                InProcess(),
                memory,
                seed=config.seed,
                budget=config.budget,
                failure_reward=1 / len(run.classes),
                winners=winners,
                observe=observe,
            )
            best = max(winners.trained.values(), default=0.0)
            if memory.snapshot() is None:
                progress.update(task, state="learning from experiences")
                search.learn_from(run.experiences())
            progress.update(task, completed=len(search.trained), state="")
            ending = search.run()
        except KeyboardInterrupt:
            progress.stop()
            folder = shlex.quote(str(run.path))
            click.echo(
                f"stopped after {len(winners.trained)} of {config.budget} networks; "
                f"`metaqnn resume {folder}` goes on",
                err=True,
            )
            sys.exit(INTERRUPTED)
    if not quiet:
        _summarise(run, memory, len(search.trained), ending)
    memory.close()


def _summarise(run: Run, memory: Memory, trained: int, ending: str) -> None:
    trials = memory.frame()
    if trained:
        click.echo(render(top_k(trials, run.space(), 5), "table"))
    failed = int((trials["first"] & trials["error"].notna()).sum())
    click.echo(
        f"\n{trained} networks trained, {failed} of them failed; {ending}. "
        f"Results are in {run.path}"
    )
