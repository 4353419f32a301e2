"""metaqnn top-k."""

from pathlib import Path

import click

from metaqnn.cli.options import format_option, run_folder, trust_option
from metaqnn.reports.columns import COSTS, SORTS, sort_column
from metaqnn.reports.formats import Format

OWN = "objectives"
"""In the place of a cost: those that are objectives of the run."""


@click.command()
@run_folder
@trust_option
@click.option(
    "-k",
    type=click.IntRange(1),
    help="How many at most.  [default: 5; with --pareto all of the front]",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    default="reward",
    show_default=True,
    help=f"One of {', '.join(SORTS)}, or the score's own name, such as accuracy. Scores and "
    "rewards from the best down, all others from the lowest up.",
)
@click.option(
    "--max-parameters", type=click.IntRange(1), help="Only networks of at most so many parameters."
)
@click.option(
    "--pareto",
    type=click.Choice([OWN, *COSTS]),
    is_flag=False,
    flag_value=OWN,
    help="Only networks that no other one beats in accuracy and this cost, or all of the run's "
    "objectives, or parameters where it has none; what is predicted does not count.  [default: "
    "objectives]",
)
@format_option
def top_k(
    folder: Path,
    trust: bool,
    k: int | None,
    sort: str,
    max_parameters: int | None,
    pareto: str | None,
    form: Format,
) -> None:
    """Show the best networks of the run in FOLDER, also while it runs.

    The columns: rank, by reward among all networks of the run, whatever is shown of them, and as
    `metaqnn export --rank` takes it; validation accuracy; test error, after `metaqnn finalize`;
    parameters, multiply-adds an image, latency where it was measured, seconds of training, which
    network of the run it was, and the epsilon at which it was found; and the reward where it is not
    the accuracy. An asterisk marks accuracies that are predicted. Networks that were trained again
    (--confirm) come first, with their means and the number of trainings.
    """
    from metaqnn.reports.distinct import distinct
    from metaqnn.reports.finals import add_test_errors
    from metaqnn.reports.pareto import describe_volume
    from metaqnn.reports.top_k import render
    from metaqnn.reports.top_k import top_k as find_best
    from metaqnn.runs.run import open_run

    run = open_run(folder, trust=trust)
    memory = run.memory()
    networks = distinct(memory.frame())
    costs: tuple[str, ...] = ()
    if pareto is not None:
        objectives = run.config.rewards.costs or ("parameters",)
        costs = objectives if pareto == OWN else (COSTS[pareto],)
    best = find_best(
        add_test_errors(networks, run),
        run.space(),
        5 if k is None and pareto is None else k,
        run.task.score,
        sort=sort_column(sort, run.task.score),
        max_parameters=max_parameters,
        pareto=costs,
    )
    if best.empty:
        chosen = max_parameters is not None or pareto is not None
        click.echo(f"no network {'of this kind ' if chosen else ''}is trained yet", err=True)
    click.echo(render(best, run.task.score, form))
    if costs and form in ("table", "markdown"):
        click.echo(f"\n{describe_volume(networks, costs, run.task.score)}")
