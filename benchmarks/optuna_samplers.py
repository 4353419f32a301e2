"""Optuna's samplers in a comparison of agents: the same rewards, budget and handover.

    metaqnn compare results/macro --agent q-learning --agent random --budgets 50,100,200 \
        --space macro --evaluator table --table FILE
    python benchmarks/optuna_samplers.py results/macro --sampler tpe --seeds 20
    metaqnn compare ...     # the first command again: the table and the figure have it too

The folder of the comparison says what is searched, for how long and by what it is scored. As in
metaqnn's own loop a network's noise depends on the seed and the network alone, and a network that
was met before costs nothing: the sampler is told its reward again, until it has repeated itself
1,000 times in a row. Every position of a walk is a categorical parameter, so the options must be
the same whatever came before, as they are in NAS-Bench-Macro. Samplers have their defaults, which
differ between versions of Optuna, so its version is part of the label: optuna-tpe-5.0.0. A search
that is there already is not made again.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import optuna
import pandas as pd

from metaqnn.comparison.plan import open_comparison
from metaqnn.comparison.searches import search_path, write_search
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.runs.assembly import make_rules
from metaqnn.search.loop import PATIENCE
from metaqnn.search.rules import Rules
from state_space import Space

SAMPLERS = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sampler", type=click.Choice(list(SAMPLERS)), default="tpe", show_default=True)
@click.option("--seeds", default=20, show_default=True)
@click.option("--first-seed", default=0, show_default=True)
def main(folder: Path, sampler: str, seeds: int, first_seed: int) -> None:
    """Add the searches of a sampler to the comparison in FOLDER."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    comparison = open_comparison(folder)
    base, budget = comparison.base, comparison.budgets[-1]
    space, score = base.space(), base.task.score
    rules = make_rules(base, space)
    for seed in range(first_seed, first_seed + seeds):
        path = search_path(folder, f"optuna-{sampler}-{optuna.__version__}", budget, seed)
        if not path.exists():
            chosen = SAMPLERS[sampler](seed=seed)
            own = replace(rules, seed=seed, budget=budget)
            found = search(space, comparison.evaluator, own, chosen)
            write_search(path, found, score)
            click.echo(
                f"seed {seed}: {len(found)} networks, best {score.show(found['score'].max())}"
            )


def search(
    space: Space[Any],
    evaluator: Evaluator,
    rules: Rules,
    sampler: optuna.samplers.BaseSampler,
) -> pd.DataFrame:
    """A search as `metaqnn.comparison.searches.run_search` gives it."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    rows: dict[str, dict[str, Any]] = {}
    repeats = 0
    while len(rows) < rules.budget and repeats < PATIENCE:
        trial = study.ask()
        architecture = space.architecture(suggest(space, trial))
        repeats += 1
        if architecture.digest not in rows:
            repeats = 0
            seed = rules.training_seed(architecture.digest)
            outcome = evaluator(Job(architecture, seed))
            rows[architecture.digest] = {
                "number": len(rows) + 1,
                "reward": rules.reward(outcome),
                "score": outcome.best,
                "expected": outcome.metrics["expected"],
                "network": architecture.text,
            }
        study.tell(trial, rows[architecture.digest]["reward"])
    return pd.DataFrame(list(rows.values()))


def suggest(space: Space[Any], trial: optuna.Trial) -> list[str]:
    """The walk of a trial, one parameter a position."""
    state = space.initial_state()
    walk: list[str] = []
    while (decision := space.decision(state)) is not None:
        walk.append(trial.suggest_categorical(f"position {len(walk) + 1}", decision.options))
        state = space.step(state, walk[-1])
    return walk


if __name__ == "__main__":
    main()
