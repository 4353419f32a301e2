"""metaqnn compare."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaqnn.cli.help import WIDE
from metaqnn.cli.options import CompareCommand, format_option, given
from metaqnn.reports.formats import Format

if TYPE_CHECKING:
    from metaqnn.comparison.plan import Comparison
    from metaqnn.evaluators.base import Evaluator
    from metaqnn.runs.run import Run


def parse_budgets(context: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
    """The distinct budgets of a text such as 50,100,200, ascending; a callback of click."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*", value):
        raise click.BadParameter(f"{value!r} is not NUMBER,NUMBER,..., such as 50,100,200")
    return tuple(sorted(set(map(int, value.split(",")))))


@click.command(
    cls=CompareCommand,
    first=(
        *("agents", "budgets", "seeds", "first_seed", "reference", "until", "jobs", "form"),
        *("dataset", "space", "evaluator", "epochs"),
    ),
    **WIDE,
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--agent",
    "agents",
    multiple=True,
    required=True,
    metavar="NAME[,OPTION=VALUE...]",
    help="An agent, if need be with options of its own: q-learning,alpha=0.1. May be given "
    "several times.",
)
@click.option(
    "--budgets",
    required=True,
    metavar="N,N,...",
    callback=parse_budgets,
    help="Distinct networks after which the agents are compared.",
)
@click.option(
    "--seeds", default=20, show_default=True, type=click.IntRange(1), help="How many seeds."
)
@click.option("--first-seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--reference", help="Agent to compare the others with.  [default: the first]")
@click.option(
    "--until",
    type=click.FloatRange(0),
    metavar="REGRET",
    help="Also tell after how many networks the regret is at most this, where it is known.",
)
@click.option(
    "--jobs", type=click.IntRange(1), help="Searches at a time.  [default: one a processor core]"
)
@format_option
def compare(
    folder: Path,
    agents: tuple[str, ...],
    budgets: tuple[int, ...],
    seeds: int,
    first_seed: int,
    reference: str | None,
    until: float | None,
    jobs: int | None,
    form: Format,
    **options: Any,
) -> None:
    """Compare agents by searches with several seeds, and keep all of it in FOLDER.

    Called again, it makes only those searches that are not there yet; agents and seeds may be
    added. Every other option is that of `metaqnn run`, and holds for all agents.
    """
    from metaqnn.comparison.costs import check_until
    from metaqnn.comparison.plan import Entrant, plan_comparison, prepare
    from metaqnn.comparison.searches import labels, search_file
    from metaqnn.registry import check_name
    from metaqnn.storage import lock_folder

    entrants = [Entrant.parse(text) for text in dict.fromkeys(agents)]
    shared = {key.replace("_", "-"): value for key, value in given(options).items()}
    comparison = plan_comparison(folder, shared, budgets)
    runs = comparison.plan(entrants, range(first_seed, first_seed + seeds))
    known = dict.fromkeys([*agents, *labels(folder)])
    reference = check_name("agent", known, reference or agents[0])
    evaluator = comparison.evaluator
    check_until(until, evaluator.optimum)
    prepare(comparison, ["metaqnn", *sys.argv[1:]], evaluator.facts)
    with lock_folder(comparison.base.path):
        left = [run for run in runs if not search_file(run).exists()]
        if left:
            _make(left, evaluator, min(jobs or os.cpu_count() or 1, len(left)), folder)
        _report(comparison, list(known), reference, evaluator.optimum, until, form)


def _make(runs: "list[Run]", evaluator: "Evaluator", jobs: int, folder: Path) -> None:
    """Make the searches, with a progress bar where there is a terminal."""
    from metaqnn.cli.drive import INTERRUPTED
    from metaqnn.comparison.workers import run_searches
    from metaqnn.terminal import counted, make_bar

    done = 0
    with make_bar() as progress:
        task = progress.add_task(f"{folder.name}: searches", total=len(runs), state="")

        def observe() -> None:
            nonlocal done
            done += 1
            progress.update(task, completed=done)

        try:
            run_searches(runs, evaluator, jobs, observe)
        except KeyboardInterrupt:
            progress.stop()
            click.echo(
                f"stopped after {done} of {counted(len(runs), 'search', 'searches')}, kept in "
                f"{folder}; the same command goes on",
                err=True,
            )
            sys.exit(INTERRUPTED)


def _report(
    comparison: "Comparison",
    agents: list[str],
    reference: str,
    optimum: float | None,
    until: float | None,
    form: Format,
) -> None:
    """Print the table, and write table and figure into the folder."""
    from metaqnn.comparison import statistics as reports
    from metaqnn.comparison.costs import with_costs
    from metaqnn.comparison.figure import draw_comparison
    from metaqnn.comparison.searches import read_searches
    from metaqnn.comparison.tables import render
    from metaqnn.comparison.volumes import objectives_of, with_volumes
    from metaqnn.errors import MetaqnnError

    folder = comparison.path
    score = comparison.base.task.score
    searches = read_searches(folder, score)
    measure = reports.Measure.of(searches, score, optimum)
    table = reports.compare(searches, comparison.budgets, measure, agents, reference)
    if table.empty:
        raise MetaqnnError(f"no search in {folder} has a network that did not fail")
    table = with_costs(table, searches, measure, until)
    table = with_volumes(table, searches, measure, objectives_of(comparison, agents))
    files: tuple[tuple[str, Format], ...] = (("csv", "csv"), ("md", "markdown"))
    for suffix, written in files:
        text = render(table, measure, reference, written)
        (folder / f"comparison.{suffix}").write_text(text + "\n", encoding="utf-8")
    draw_comparison(searches, measure, agents, folder)
    click.echo(render(table, measure, reference, form))
