"""Whether practical Q-learning gains from the candidates, or the model, of the agent bayesian.

    python benchmarks/q_candidates.py --table FILE --seeds 50 --out DIR

FILE is NAS-Bench-Macro's JSON. Seeds begin at 1000. Writes q-candidates.csv, a row a search and
number of networks, and q-candidates.md; what is in the first is not done again.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from tabulate import tabulate

from metaqnn.agents.acquisition import Acquisition
from metaqnn.agents.bayesian import Bayesian
from metaqnn.agents.mutation import mutate
from metaqnn.agents.q_learning import QLearning
from metaqnn.comparison.statistics import mean_interval
from metaqnn.config import RunConfig
from metaqnn.evaluators.base import Job
from metaqnn.runs.assembly import make_evaluator, make_rules
from metaqnn.runs.creation import plan_run
from replay import Trial
from state_space import Space, Token

BUDGETS = (50, 100)

PARTS = ("its own", "all one-edits", "those of bayesian")
"""Candidates: those of the preset; with all networks that differ from the five best in one decision
besides; and with the two-edits and random walks of bayesian too."""

VARIANTS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "practical": ({}, "its own", False),
    "128 candidates": ({"candidates": 128}, "its own", False),
    "one-edits of the best besides": ({}, "all one-edits", False),
    "the model's candidates besides": ({}, "those of bayesian", False),
    "its candidates, the model's choice": ({}, "its own", True),
    "both candidates, the model's choice": ({}, "those of bayesian", True),
}
"""Options of the agent; which candidates; and whether the model's upper confidence bound, not the
Q-table, says which of them is the most promising."""


class Guided(QLearning):
    """Q-learning beside which a model is told the same."""

    def __init__(self, space: Space[Any], seed: int, options: Any, part: str, chooses: bool):
        """See `VARIANTS`."""
        super().__init__(space, seed, options)
        self.guide = Bayesian(space, seed)
        self.part = part
        self.chooses = chooses

    def _most_promising(self, stage: int, epsilon: float) -> tuple[Token, ...]:
        options = self.options
        acquisition = Acquisition(self.table, options.prior, options.bonus)
        variants = round(options.variants * options.candidates)
        walks = [
            self._walk(stage, epsilon, acquisition) for _ in range(options.candidates - variants)
        ]
        walks += self._variants(variants, stage)
        if self.part != "its own":
            found = self.guide._candidates(stage)
            if self.part == "all one-edits":
                near = set().union(*self.guide._near.values())
                found = [walk for walk in found if walk in near]
            walks += found
        if self.chooses:
            walks = list(self.guide._ranked(list(dict.fromkeys(walks))))
        else:
            walks.sort(key=lambda walk: acquisition.promise(self.space, walk, stage), reverse=True)
        new = (walk for walk in walks if self.known.digest(walk) not in self.known)
        return next(new, walks[0])

    def _variants(self, number: int, stage: int) -> list[tuple[Token, ...]]:
        best = list(self._best)
        drawn = self.generator.integers(len(best), size=number).tolist()
        return [mutate(self.space, best[parent], self.generator, stage) for parent in drawn]

    def tell(self, trial: Trial, reward: float) -> None:
        """Learn, and let the model learn."""
        super().tell(trial, reward)
        self.guide.tell(trial, reward)


@click.command()
@click.option("--table", required=True, help="NAS-Bench-Macro's accuracies, a JSON file.")
@click.option("--variant", "names", type=click.Choice(list(VARIANTS)), multiple=True)
@click.option("--seeds", default=50, show_default=True)
@click.option("--first-seed", default=1000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def main(table: str, names: tuple[str, ...], seeds: int, first_seed: int, out: Path) -> None:
    """Search with every variant."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "q-candidates.csv"
    base = {"space": "macro", "evaluator": "table", "table": table, "budget": BUDGETS[-1]}
    run, _ = plan_run({**base, "agent": "q-learning"})
    space = run.space()
    evaluator = make_evaluator(run, space)
    assert evaluator.optimum is not None, "the table knows it"
    for name in names or VARIANTS:
        own, part, chooses = VARIANTS[name]
        there = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["variant", "seed"])
        done = set(there[there["variant"] == name]["seed"])
        for seed in sorted(set(range(first_seed, first_seed + seeds)) - done):
            config = RunConfig.from_flat({**base, "agent": "q-learning", **own, "seed": seed})
            rules = make_rules(replace(run, config=config), space)
            agent = Guided(space, seed, config.parts["agent"], part, chooses)
            found: dict[str, tuple[float, float]] = {}
            number = 0
            while len(found) < BUDGETS[-1]:
                walk = agent.ask().walk
                architecture = space.architecture(walk)
                digest = architecture.digest
                if digest not in found:
                    outcome = evaluator(Job(architecture, rules.training_seed(digest)))
                    found[digest] = rules.reward(outcome), outcome.metrics["expected"]
                agent.tell(Trial(number, walk, 0, digest, 0, {}), found[digest][0])
                number += 1
            rows = []
            for budget in BUDGETS:
                _, expected = max(list(found.values())[:budget], key=lambda one: one[0])
                regret = 100 * (evaluator.optimum - expected)
                rows.append({"variant": name, "seed": seed, "networks": budget, "regret": regret})
            pd.DataFrame(rows).to_csv(path, mode="a", header=not path.exists(), index=False)
        click.echo(name, err=True)
    text = render(pd.read_csv(path))
    (out / "q-candidates.md").write_text(text + "\n", encoding="utf-8")
    click.echo(text)


def render(searches: pd.DataFrame) -> str:
    """A line a variant: means, and differences to the preset with the same seeds."""
    rows = []
    first = next(iter(VARIANTS))
    values = searches.pivot_table(index="seed", columns=["variant", "networks"], values="regret")
    for variant in VARIANTS:
        if variant not in values:
            continue
        row: dict[str, Any] = {"variant": variant}
        for budget in BUDGETS:
            own = values[variant, budget].dropna()
            pairs = (own - values[first, budget]).dropna().to_numpy()
            low, high = mean_interval(np.asarray(pairs))
            row[f"{budget} networks"] = f"{own.mean():.3f}"
            row[f"difference at {budget}"] = (
                "" if variant == first else f"{pairs.mean():+.3f} [{low:+.3f}, {high:+.3f}]"
            )
        rows.append({**row, "seeds": len(own)})
    return (
        "Q-learning on NAS-Bench-Macro: mean regret of the network handed over, in points of\n"
        "expected accuracy, lower is better; and its difference to the practical preset with the\n"
        "same seeds, mean [95 % interval].\n\n"
        + tabulate(rows, "keys", "github", disable_numparse=True)
    )


if __name__ == "__main__":
    main()
