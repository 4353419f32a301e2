"""What training the best networks again is worth, by how many, how often, and when it is enough.

    python benchmarks/confirm.py --table FILE --seeds 100 --out DIR

FILE is NAS-Bench-Macro's JSON. Seeds begin at 1000: the settings were tuned on these, and are
reported on others. The agent is not told of confirmations, so one search a seed serves all
variants: confirm-searches.csv keeps it, and what is in that is not done again. Writes confirm.csv
and confirm.md, the mean regret of the network handed over.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import pandas as pd
from tabulate import tabulate

from metaqnn.config import RunConfig
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.runs.assembly import make_agent, make_evaluator, make_rules
from metaqnn.runs.creation import plan_run
from metaqnn.search import confirmation
from metaqnn.search.confirmation import Confirmation, standing
from metaqnn.search.rules import Rules
from replay import Trial
from state_space import Space

BUDGETS = (20, 50, 100, 200, 300)
VARIANTS = (
    *((0, 8, 1.0), (5, 8, 1.0), (3, 8, 1.0), (8, 8, 1.0)),
    *((5, 4, 1.0), (5, 12, 1.0), (5, 8, 0.5), (5, 8, 2.0)),
)
"""So many networks, at most so many trainings for each, and half an interval in standard errors."""

SHARE = 4
"""One in so many trainings is for confirming, at most."""

SEARCHES = "confirm-searches.csv"


@click.command()
@click.option("--table", required=True, help="NAS-Bench-Macro's accuracies, a JSON file.")
@click.option("--seeds", default=100, show_default=True)
@click.option("--first-seed", default=1000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def main(table: str, seeds: int, first_seed: int, out: Path) -> None:
    """Search, and confirm the best in every way."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / SEARCHES
    run, _ = plan_run({"space": "macro", "evaluator": "table", "table": table})
    space = run.space()
    evaluator = make_evaluator(run, space)
    there = set(pd.read_csv(path)["seed"]) if path.exists() else set()
    for seed in sorted(set(range(first_seed, first_seed + seeds)) - there):
        options = {"agent": "bayesian", "space": "macro", "evaluator": "table", "table": table}
        config = RunConfig.from_flat({**options, "seed": seed, "budget": max(BUDGETS)})
        changed = replace(run, config=config)
        found = search(make_agent(changed, space), space, evaluator, make_rules(changed, space))
        found.insert(0, "seed", seed)
        found.to_csv(path, mode="a", header=not path.exists(), index=False)
        click.echo(f"seed {seed}", err=True)
    searches = pd.read_csv(path)
    assert evaluator.optimum is not None, "the table knows it"
    rows = []
    for seed, own in searches.groupby("seed"):
        networks = list(own[["network", "reward", "expected"]].itertuples(index=False, name=None))
        rules = replace(make_rules(run, space), seed=int(str(seed)))
        for budget in BUDGETS:
            for size, each, deviations in VARIANTS:
                reserve = min(each * size, budget // SHARE)
                with patch.object(confirmation, "DEVIATIONS", deviations):
                    expected, told = confirm(
                        networks[: budget - reserve], size, reserve, space, evaluator, rules
                    )
                rows.append(
                    {"seed": seed, "budget": budget, "confirm": size, "each": each}
                    | {"deviations": deviations, "again": told}
                    | {"regret": 100 * (evaluator.optimum - expected)}
                )
    results = pd.DataFrame(rows)
    keys = ["confirm", "each", "deviations", "budget"]
    means = results.groupby(keys)[["regret", "again"]].mean().reset_index()
    means.to_csv(out / "confirm.csv", index=False)
    text = render(means, results["seed"].nunique())
    (out / "confirm.md").write_text(text + "\n", encoding="utf-8")
    click.echo(text)


def search(agent: Any, space: Space[Any], evaluator: Evaluator, rules: Rules) -> pd.DataFrame:
    """The distinct networks of a search, the first first."""
    found: dict[str, dict[str, Any]] = {}
    number = 0
    while len(found) < max(BUDGETS):
        walk = agent.ask().walk
        architecture = space.architecture(walk)
        digest = architecture.digest
        if digest not in found:
            outcome = evaluator(Job(architecture, rules.training_seed(digest)))
            found[digest] = {
                "network": space.text(walk),
                "reward": rules.reward(outcome),
                "expected": outcome.metrics["expected"],
            }
        agent.tell(Trial(number, walk, 0, digest, 0, {}), found[digest]["reward"])
        number += 1
    return pd.DataFrame(list(found.values()))


def confirm(
    networks: list[tuple[str, float, float]],
    size: int,
    reserve: int,
    space: Space[Any],
    evaluator: Evaluator,
    rules: Rules,
) -> tuple[float, int]:
    """The expected score of the network handed over, and how many trainings were made again."""
    race = Confirmation(size, reserve)
    known: dict[str, tuple[str, float]] = {}
    for number, (text, reward, expected) in enumerate(networks):
        race.arms[text] = confirmation.Arm(Trial(number, (), 0, text, 0, {}), [reward])
        known[text] = text, expected
    while (arm := race.choose()) is not None:
        text = arm.trial.digest
        architecture = space.architecture(space.parse(text))
        count = arm.begun + 1
        outcome = evaluator(Job(architecture, rules.training_seed(architecture.digest, count)))
        trial = Trial(len(networks) + race.told, (), 0, text, 0, {"confirmation": count})
        race.begin(trial)
        race.tell(trial, outcome, rules.reward(outcome))
    best = max(race.arms.values(), key=lambda arm: standing(len(arm.rewards), arm.mean))
    return known[best.trial.digest][1], race.told


def render(means: pd.DataFrame, seeds: int) -> str:
    """A line a variant: mean regret, and in brackets the mean number of trainings made again."""
    rows = []
    keys = ["confirm", "each", "deviations"]
    for variant in VARIANTS:
        own = means[(means[keys] == list(variant)).all(axis=1)]
        row: dict[str, Any] = dict(zip(keys, variant, strict=True))
        for budget, regret, again in own[["budget", "regret", "again"]].itertuples(index=False):
            row[f"{budget:g} trainings"] = f"{regret:.3f} ({again:.0f})"
        rows.append(row)
    return (
        f"NAS-Bench-Macro, agent bayesian, {seeds} seeds: mean regret of the network handed over,\n"
        "in points of expected accuracy, and how many trainings were of the best again. each: at\n"
        "most so many for each of the best to confirm, and a quarter of all. deviations: half an\n"
        "interval, in standard errors.\n\n" + tabulate(rows, headers="keys", tablefmt="github")
    )


if __name__ == "__main__":
    main()
