"""What --objective parameters is worth: the hypervolume of networks that are trained on digits.

    python benchmarks/objectives.py results/objectives

Every agent searches with and without the objective: 60 networks, trained for five epochs. A
training depends on its network and the seed of the run alone, so that what several searches with
one seed ask for is trained once: FOLDER/trainings.jsonl keeps all. What is there is not made again.
Writes comparison.csv and comparison.md, as `metaqnn compare` does, for the seeds that all agents
have. What is proposed was tuned on other seeds, from 1000 on.
"""

import sys
from pathlib import Path

import click
import torch
from real_trainings import SPACE, TASKS, Cached

from metaqnn.comparison.costs import with_costs
from metaqnn.comparison.plan import Entrant, plan_comparison, prepare
from metaqnn.comparison.searches import read_searches, run_search, search_file, write_search
from metaqnn.comparison.statistics import Measure, compare
from metaqnn.comparison.tables import render
from metaqnn.comparison.volumes import objectives_of, with_volumes
from metaqnn.evaluators.base import FunctionEvaluator

BUDGETS = (30, 60)

AGENTS = ("bayesian", "q-learning", "evolution")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--agent", "agents", multiple=True, default=AGENTS, show_default=True)
@click.option("--objective", default="parameters", show_default=True)
@click.option("--seeds", default=3, show_default=True)
def main(folder: Path, agents: tuple[str, ...], objective: str, seeds: int) -> None:
    """Search with and without the objective, and write the table."""
    torch.set_num_threads(1)
    entrants = [label for agent in agents for label in (agent, f"{agent},objective={objective}")]
    comparison = plan_comparison(folder, {"space": str(SPACE), **TASKS["digits"]}, BUDGETS[-1:])
    runs = comparison.plan(map(Entrant.parse, entrants), range(seeds))
    prepare(comparison, sys.argv, comparison.evaluator.facts)
    cached = Cached(comparison.evaluator, folder / "trainings.jsonl")
    score = comparison.base.task.score
    for run in sorted(runs, key=lambda run: run.config.run.seed):
        if not search_file(run).exists():
            write_search(search_file(run), run_search(run, FunctionEvaluator(cached)), score)
            click.echo(f"{run.path.parent.name} {run.path.name}", err=True)
    searches = read_searches(folder, score)
    shared = set.intersection(*(set(own["seed"]) for _, own in searches.groupby("agent")))
    # the time of a training is that of the agent that asked first, beside whatever else ran
    searches = searches[searches["seed"].isin(shared)].drop(columns="seconds")
    measure = Measure.of(searches, score, None)
    table = compare(searches, BUDGETS, measure, entrants, entrants[0])
    table = with_costs(table, searches, measure)
    table = with_volumes(table, searches, measure, objectives_of(comparison, entrants))
    (folder / "comparison.csv").write_text(render(table, measure, entrants[0], "csv") + "\n")
    text = render(table, measure, entrants[0], "markdown")
    (folder / "comparison.md").write_text(text + "\n")
    click.echo(text)


if __name__ == "__main__":
    main()
