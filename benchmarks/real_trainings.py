"""Agents against each other on networks that are trained, not looked up: digits and MNIST.

    python benchmarks/real_trainings.py digits results/real-digits
    python benchmarks/real_trainings.py mnist results/real-mnist --data-dir DIR
    python benchmarks/real_trainings.py digits results/cells --space nasnet-small --seeds 2 \
        --agent ppo --agent random

60 networks a search, trained for a few epochs so that many searches can be made. A training depends
on its network and the seed of the run alone, so that what several agents with one seed ask for is
trained once: DIR/trainings.jsonl keeps all. The searches are those of `metaqnn compare`, one after
the other, seed by seed; what is there is not made again. An agent that plans for its budget has a
search of 60 networks only, whose beginning stands for smaller budgets. Writes tables and figure of
all searches in the folder, for the seeds that all agents have. With --signals it also tells how
what `bayesian,zero-cost=true` looks at ranks the networks that were trained.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import click
import pandas as pd
import torch
from tabulate import tabulate

from metaqnn.comparison.costs import with_costs
from metaqnn.comparison.figure import draw_comparison
from metaqnn.comparison.plan import Entrant, plan_comparison, prepare
from metaqnn.comparison.searches import read_searches, run_search, search_file, write_search
from metaqnn.comparison.statistics import Measure, compare
from metaqnn.comparison.tables import render
from metaqnn.evaluators.base import Evaluator, FunctionEvaluator, Job
from metaqnn.networks.zero_cost import SIGNALS
from replay import Outcome
from state_space import Space

BUDGETS = (15, 30, 60)

SPACE = Path(__file__).with_name("small.toml")

TASKS: Mapping[str, Mapping[str, Any]] = {
    "digits": {"dataset": "digits", "validation": 0.5, "epochs": 5},
    "mnist": {
        **{"dataset": "mnist", "image-size": 14, "train-limit": 3000, "validation": 1000.0},
        **{"epochs": 3},
    },
}
"""1,437 images of digits, half of them for validation; 2,000 of MNIST, and 1,000 for validation."""

AGENTS = ("bayesian", "q-learning", "evolution", "random")


class Cached:
    """Scores by an evaluator, a network and seed once; what was scored is a line of a file each."""

    def __init__(self, evaluator: Evaluator, path: Path) -> None:
        """Read what is there; a line that was cut off is none."""
        self.evaluator = evaluator
        self.path = path
        self.known: dict[tuple[str, int], Outcome] = {}
        self.texts: dict[tuple[str, int], str] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            if line.endswith("}"):
                found = json.loads(line)
                outcome = Outcome(found["metrics"], tuple(found["curve"]))
                key = found["digest"], found["seed"]
                self.known[key], self.texts[key] = outcome, found["network"]

    def __call__(self, job: Job) -> Outcome:
        """Look the job up, or have it scored."""
        key = job.architecture.digest, job.seed
        if key not in self.known:
            outcome = self.known[key] = self.evaluator(job)
            text = self.texts[key] = job.architecture.text
            line = {"digest": key[0], "seed": job.seed, "network": text}
            line |= {"metrics": dict(outcome.metrics), "curve": outcome.curve}
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return self.known[key]


@click.command()
@click.argument("task", type=click.Choice(list(TASKS)))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--agent", "agents", multiple=True, default=AGENTS, show_default=True)
@click.option("--seeds", default=5, show_default=True)
@click.option("--space", default=str(SPACE), help="Of the networks.  [default: small.toml]")
@click.option("--data-dir", help="Where MNIST lies.")
@click.option("--signals", "looks", is_flag=True, help="Also rank by zero-cost signals.")
def main(
    task: str,
    folder: Path,
    agents: tuple[str, ...],
    seeds: int,
    space: str,
    data_dir: str | None,
    looks: bool,
) -> None:
    """Search with every agent and seed, and write the tables."""
    torch.set_num_threads(1)
    options = {"space": space, **TASKS[task], **({"data-dir": data_dir} if data_dir else {})}
    comparison = plan_comparison(folder, options, BUDGETS[-1:])
    runs = comparison.plan(map(Entrant.parse, agents), range(seeds))
    prepare(comparison, sys.argv, comparison.evaluator.facts)
    cached = Cached(comparison.evaluator, folder / "trainings.jsonl")
    score = comparison.base.task.score
    for run in sorted(runs, key=lambda run: run.config.run.seed):
        if not search_file(run).exists():
            found = run_search(run, FunctionEvaluator(cached))
            write_search(search_file(run), found, score)
            label = f"{run.path.parent.name} {run.path.name}"
            click.echo(f"{label}: {score.show(found['score'].max())}", err=True)
    searches = read_searches(folder, score)
    shared = set.intersection(
        *(set(own["seed"]) for _, own in searches.groupby("agent", sort=False))
    )
    # the time of a training is that of the agent that asked first, beside whatever else ran
    searches = searches[searches["seed"].isin(shared)].drop(columns="seconds")
    known = [*agents, *sorted(set(searches["agent"]) - set(agents))]
    measure = Measure.of(searches, score, None)
    table = compare(searches, BUDGETS, measure, known, known[0])
    table = with_costs(table, searches, measure)
    (folder / "comparison.csv").write_text(render(table, measure, known[0], "csv") + "\n")
    text = render(table, measure, known[0], "markdown")
    (folder / "comparison.md").write_text(text + "\n")
    draw_comparison(searches, measure, known, folder)
    click.echo(text)
    if looks:
        text = correlate(cached, comparison.base.space())
        (folder / "signals.md").write_text(text + "\n")
        click.echo(text)


def correlate(cached: Cached, space: Space[Any]) -> str:
    """The rank correlations of signals and accuracies, of all networks and of the better half."""
    accuracies: dict[str, list[float]] = {}
    for key, outcome in cached.known.items():
        accuracies.setdefault(cached.texts[key], []).append(outcome.best)
    look = cached.evaluator.signals()
    began = time.process_time()
    found = [look(space.architecture(space.parse(text))) for text in accuracies]
    milliseconds = 1000 * (time.process_time() - began) / len(found)
    frame = pd.DataFrame(found, columns=list(SIGNALS))
    known = pd.Series([mean(own) for own in accuracies.values()])
    better = known > known.median()
    rows = [
        {
            "signal": name,
            "all": f"{frame[name].corr(known, 'spearman'):.2f}",
            "the better half": f"{frame[name][better].corr(known[better], 'spearman'):.2f}",
        }
        for name in SIGNALS
    ]
    return (
        f"Spearman's rank correlation with the accuracy, of {len(found)} networks; looking at one\n"
        f"took {milliseconds:.1f} ms of processor time.\n\n"
        + tabulate(rows, "keys", "github", disable_numparse=True)
    )


if __name__ == "__main__":
    main()
