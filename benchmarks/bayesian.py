"""What each part of the agent bayesian is worth, on two landscapes.

    python benchmarks/bayesian.py --table FILE --surrogate-from FILE --seeds 30 --out DIR

FILE is NAS-Bench-Macro's JSON and the replay_database.csv of the 2017 code. Seeds begin at 1000:
the agent was tuned on these, and is reported on others. Writes bayesian-ablation.csv, a row a
search and number of networks, and bayesian-ablation.md; what is in the first is not done again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np
import pandas as pd
from tabulate import tabulate

from metaqnn.agents import bayesian, walk_features, walk_model
from metaqnn.comparison.statistics import mean_interval
from metaqnn.config import RunConfig
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.runs.assembly import make_agent, make_evaluator, make_rules
from metaqnn.runs.creation import plan_run
from metaqnn.runs.run import Run
from replay import Trial
from state_space import Space

BUDGETS = (20, 30, 50)


@contextmanager
def changed(module: Any, **values: Any) -> Iterator[None]:
    """The module with other constants."""
    with patch.multiple(module, **values):
        yield


def groups(without: str = "", **more: Callable[..., Any]) -> Any:
    """The groups of features but one, or with others."""
    kept = {name: group for name, group in walk_features.GROUPS.items() if name != without}
    return changed(walk_features, GROUPS={**kept, **more})


def raw(rewards: list[float]) -> Any:
    """Rewards as they are, with mean 0 and variance 1."""
    return (np.array(rewards) - np.mean(rewards)) / (np.std(rewards) or 1)


VARIANTS: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "as it is": ({}, groups),
    "expected improvement": ({"acquisition": "ei"}, groups),
    "Thompson sampling": ({"acquisition": "thompson"}, groups),
    "confidence 1": ({"confidence": 1.0}, groups),
    "confidence 2": ({"confidence": 2.0}, groups),
    "10 random first": ({"model-after": 10}, groups),
    "without places": ({}, lambda: groups("places")),
    "without tokens": ({}, lambda: groups("tokens")),
    "without pairs": ({}, lambda: groups("pairs")),
    "without attributes": ({}, lambda: groups("attributes")),
    "with lengths": ({}, lambda: groups(length=lambda walk, _: ["layers"] * len(walk))),
    "with pairs at places": ({}, lambda: groups(chain=lambda walk, _: enumerate(pairwise(walk)))),
    "raw rewards": ({}, lambda: changed(walk_model, normal_scores=raw)),
    "random candidates": (
        {},
        lambda: changed(bayesian, ONE_EDITS=0, TWO_EDITS=0, RANDOM_WALKS=500),
    ),
    "q-learning": ({"agent": "q-learning"}, groups),
    "evolution": ({"agent": "evolution"}, groups),
}


@click.command()
@click.option("--table", required=True, help="NAS-Bench-Macro's accuracies, a JSON file.")
@click.option("--surrogate-from", "log", required=True, help="A replay_database.csv[.gz].")
@click.option("--variant", "names", type=click.Choice(list(VARIANTS)), multiple=True)
@click.option("--seeds", default=30, show_default=True)
@click.option("--first-seed", default=1000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def main(
    table: str, log: str, names: tuple[str, ...], seeds: int, first_seed: int, out: Path
) -> None:
    """Search both landscapes with every variant."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "bayesian-ablation.csv"
    landscapes = {
        "NAS-Bench-Macro": {"space": "macro", "evaluator": "table", "table": table},
        "2017 log": {
            "space": "metaqnn-svhn",
            "evaluator": "surrogate",
            "surrogate-from": log,
        },
    }
    for landscape, options in landscapes.items():
        run, _ = plan_run(options)
        space = run.space()
        evaluator = make_evaluator(run, space)
        for name in names or VARIANTS:
            own, change = VARIANTS[name]
            there = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["seed"])
            if not there.empty:
                there = there[(there["landscape"] == landscape) & (there["variant"] == name)]
            for seed in sorted(set(range(first_seed, first_seed + seeds)) - set(there["seed"])):
                values = {"agent": "bayesian", **options, **own, "seed": seed}
                with change():
                    config = RunConfig.from_flat({**values, "budget": max(BUDGETS)})
                    found = search(replace(run, config=config), space, evaluator)
                rows = [
                    {"landscape": landscape, "variant": name, "seed": seed}
                    | {"networks": budget, "points": points(found[:budget], evaluator.optimum)}
                    for budget in BUDGETS
                ]
                pd.DataFrame(rows).to_csv(path, mode="a", header=not path.exists(), index=False)
            click.echo(f"{landscape}: {name}", err=True)
    text = render(pd.read_csv(path))
    (out / "bayesian-ablation.md").write_text(text + "\n", encoding="utf-8")
    click.echo(text)


def search(run: Run, space: Space[Any], evaluator: Evaluator) -> list[tuple[float, float]]:
    """Reward and expected score of every distinct network; no memory on disk, one worker."""
    agent, rules = make_agent(run, space), make_rules(run, space)
    found: dict[str, tuple[float, float]] = {}
    number = 0
    while len(found) < run.options.budget:
        walk = agent.ask().walk
        architecture = space.architecture(walk)
        digest = architecture.digest
        if digest not in found:
            outcome = evaluator(Job(architecture, rules.training_seed(digest)))
            found[digest] = rules.reward(outcome), outcome.metrics["expected"]
        agent.tell(Trial(number, walk, 0, digest, 0, {}), found[digest][0])
        number += 1
    return list(found.values())


def points(found: list[tuple[float, float]], optimum: float | None) -> float:
    """Regret of the network of the highest reward, or its accuracy, in points."""
    _, expected = max(found, key=lambda one: one[0])
    return 100 * expected if optimum is None else 100 * (optimum - expected)


def render(searches: pd.DataFrame) -> str:
    """A table a landscape: means with their 95 % intervals."""
    parts = []
    for landscape, group in searches.groupby("landscape", sort=False):
        rows = []
        for variant, own in group.groupby("variant", sort=False):
            row: dict[str, Any] = {"variant": variant}
            for budget, cell in own.groupby("networks"):
                low, high = mean_interval(cell["points"].to_numpy())
                row[f"{budget} networks"] = f"{cell['points'].mean():.3f} [{low:.3f}, {high:.3f}]"
            rows.append({**row, "seeds": own["seed"].nunique()})
        parts.append(f"{landscape}\n\n{tabulate(rows, headers='keys', tablefmt='github')}")
    return (
        "The network handed over, that of the highest reward: on NAS-Bench-Macro its regret in\n"
        "points of expected accuracy, lower is better; on the surrogate of the 2017 log its\n"
        "accuracy in %, higher is better. Mean [95 % interval].\n\n" + "\n\n".join(parts)
    )


if __name__ == "__main__":
    main()
