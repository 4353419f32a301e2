"""Searches with hundreds of workers, on a virtual clock: are they busy, and what do they cost?

    python benchmarks/scale.py load --workers 800 --networks 12800 --out DIR
    python benchmarks/scale.py regret --table FILE --seeds 30 --out DIR

Trainings take a log-normal time with a mean of 20 minutes, and one in 200 loses its worker. The
clock stands still while the search thinks (`metaqnn/executors/virtual.py`); its real time is
measured beside it, with a memory on disk that is as durable as ever.

`load` searches the space metaqnn-cifar10 for an additive score, and writes scale.csv, a row an
agent, and scale-windows.csv, the real milliseconds a result in windows of 100 results. `regret`
searches NAS-Bench-Macro, whose best network is known, with several numbers of workers, and writes
asynchrony.csv and asynchrony.md. Both go on where they were when called again.
"""

import hashlib
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import numpy as np
import pandas as pd
from tabulate import tabulate

from metaqnn.comparison.statistics import mean_interval
from metaqnn.config import RunConfig
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.executors.virtual import Virtual
from metaqnn.runs.assembly import make_agent, make_evaluator, make_rules
from metaqnn.runs.creation import plan_run
from metaqnn.runs.run import Run
from metaqnn.search.loop import Search
from metaqnn.spaces import made_for, read_space
from replay import Memory, Outcome
from state_space import Space

AGENTS: dict[str, dict[str, Any]] = {
    "random": {"agent": "random"},
    "evolution": {"agent": "evolution"},
    "local-search": {"agent": "local-search"},
    "q-learning, paper": {"agent": "q-learning", "q-preset": "paper"},
    "q-learning, practical": {"agent": "q-learning", "q-preset": "practical"},
    "reinforce": {"agent": "reinforce"},
    "bayesian": {"agent": "bayesian"},
}

WINDOW = 100
"""Results."""

WORKERS = (1, 4, 16, 64)
BUDGETS = (100, 200, 500)


@click.group()
def main() -> None:
    """Simulate many workers."""


@main.command()
@click.option("--agent", "agents", type=click.Choice(list(AGENTS)), multiple=True)
@click.option("--workers", default=800, show_default=True)
@click.option("--networks", default=12_800, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--real-time", is_flag=True, help="The clock goes on while the search thinks.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def load(
    agents: tuple[str, ...], workers: int, networks: int, seed: int, real_time: bool, out: Path
) -> None:
    """Keep many workers busy, and time the search."""
    out.mkdir(parents=True, exist_ok=True)
    for label in agents or AGENTS:
        executor = Virtual(workers, real_time=real_time)
        with tempfile.TemporaryDirectory() as folder:
            summary, windows = simulate(label, networks, seed, executor, Path(folder))
        add_rows(out / "scale.csv", [summary])
        add_rows(out / "scale-windows.csv", windows)
        click.echo("  ".join(f"{name} {value}" for name, value in summary.items()))


def simulate(
    label: str, networks: int, seed: int, executor: Virtual, folder: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A search with its memory in a folder; its row of each file."""
    options = {**AGENTS[label], "space": "metaqnn-cifar10", "budget": networks, "seed": seed}
    task = made_for(read_space("metaqnn-cifar10"))
    run, _ = plan_run(options, {"evaluator": additive_score}, task)
    space = run.space()
    agent, rules = make_agent(run, space), make_rules(run, space)
    memory = Memory.create(folder / "memory.sqlite", {})
    began, computing = time.perf_counter(), time.process_time()
    search = Search(space, agent, additive_score, executor, memory, rules)
    ending = search.run()
    seconds, computed = time.perf_counter() - began, time.process_time() - computing
    trials, snapshot = memory.frame(), memory.snapshot() or b""
    aged = ages(memory, run.config)
    memory.close()
    milliseconds = 1000 * np.array(executor.thinking[1:])
    full = milliseconds[: len(milliseconds) // WINDOW * WINDOW].reshape(-1, WINDOW)
    shared = {
        "agent": label,
        "workers": executor.slots,
        "real_time": executor.real_time,
        "seed": seed,
    }
    windows = [
        {**shared, "results": WINDOW * (number + 1)}
        | {"mean_ms": window.mean().round(2), "p99_ms": np.quantile(window, 0.99).round(2)}
        | {"max_ms": window.max().round(2)}
        for number, window in enumerate(full)
    ]
    means = full.mean(1)
    quarter = max(1, len(means) // 4)
    summary = {
        **shared,
        "networks": trials["digest"].nunique(),
        "ending": ending,
        "busy": round(executor.busy, 5),
        "computing_ms": round(1000 * computed / len(executor.starts), 2),
        "mean_ms": round(milliseconds.mean(), 2),
        "first_quarter_ms": round(means[:quarter].mean(), 2),
        "last_quarter_ms": round(means[-quarter:].mean(), 2),
        "worst_window_ms": round(means.max(), 2),
        "p99_ms": round(np.quantile(milliseconds, 0.99), 2),
        "max_ms": round(milliseconds.max(), 2),
        "first_proposals_s": round(executor.thinking[0], 2),
        "repeats": len(trials) - trials["digest"].nunique(),
        "failed": int(trials.loc[trials["first"], "error"].notna().sum()),
        "best": trials["reward"].max(),
        "snapshot_kB": round(len(snapshot) / 1000),
        "seconds": round(seconds),
        **aged,
    }
    return summary, windows


def additive_score(job: Job) -> Outcome:
    """The mean of a fixed random number for each layer at each place."""
    scores = [
        int.from_bytes(hashlib.blake2b(f"{place} {layer}".encode(), digest_size=4).digest()) / 2**32
        for place, layer in enumerate(job.architecture.layers)
    ]
    return Outcome(curve=(sum(scores) / len(scores),))


def ages(memory: Memory, config: RunConfig) -> dict[str, float]:
    """How many updates of the policy lie between proposing a trial and learning from it."""
    batch = config.values().get("controller_batch", 1)  # an agent without has no updates
    found = [
        told // batch - trial.note["update"]
        for told, (trial, _) in enumerate(memory.history())
        if "update" in trial.note
    ]
    return {"mean_age": fmean(found), "max_age": max(found)} if found else {}


@main.command()
@click.option("--table", required=True, help="NAS-Bench-Macro's accuracies, a JSON file.")
@click.option("--agent", "agents", type=click.Choice(list(AGENTS)), multiple=True)
@click.option("--workers", multiple=True, type=int, default=WORKERS, show_default=True)
@click.option("--budget", "budgets", multiple=True, type=int, default=BUDGETS, show_default=True)
@click.option("--seeds", default=30, show_default=True)
@click.option("--first-seed", default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
def regret(
    table: str,
    agents: tuple[str, ...],
    workers: tuple[int, ...],
    budgets: tuple[int, ...],
    seeds: int,
    first_seed: int,
    out: Path,
) -> None:
    """Measure what asynchrony costs, against one worker."""
    out.mkdir(parents=True, exist_ok=True)
    options = {"space": "macro", "evaluator": "table", "table": table}
    base, _ = plan_run(options)
    space = base.space()
    evaluator = make_evaluator(base, space)
    path = out / "asynchrony.csv"
    for seed in range(first_seed, first_seed + seeds):
        for label in agents or AGENTS:
            there = pd.read_csv(path).query("seed == @seed")["agent"] if path.exists() else ()
            if label not in set(there):
                rows = []
                for number in workers:
                    own = {**options, **AGENTS[label], "seed": seed}
                    rows += regrets(label, number, budgets, own, base, space, evaluator)
                add_rows(path, rows)
        click.echo(f"seed {seed}", err=True)
    text = render(pd.read_csv(path))
    (out / "asynchrony.md").write_text(text + "\n", encoding="utf-8")
    click.echo(text)


def regrets(
    label: str,
    workers: int,
    budgets: tuple[int, ...],
    options: Mapping[str, Any],
    base: Run,
    space: Space[Any],
    evaluator: Evaluator,
) -> list[dict[str, Any]]:
    """A row a budget: the regret of the network handed over, in points, and what it took.

    An agent that plans for its budget searches once a budget; of any other the networks of a small
    budget are the first of a larger.
    """
    rows: list[dict[str, Any]] = []
    for budget in sorted(budgets, reverse=True):
        run = replace(base, config=RunConfig.from_flat({**options, "budget": budget}))
        agent = make_agent(run, space)
        if not rows or agent.plans_for_budget:
            memory = Memory.create(Path(":memory:"), {})
            executor = Virtual(workers)
            Search(space, agent, evaluator, executor, memory, make_rules(run, space)).run()
            trials = memory.frame()
            aged = ages(memory, run.config)
            memory.close()
        first = trials[trials["first"]].head(budget)
        best = first[first["error"].isna()].sort_values("reward", ascending=False, kind="stable")
        assert evaluator.optimum is not None, "a table has an optimum"
        rows.append(
            {"agent": label, "workers": workers, "budget": budget}
            | {"seed": run.config.run.seed}
            | {"regret": 100 * (evaluator.optimum - best["expected"].iloc[0])}
            | {"networks": len(first), "hours": max(executor.ends[:budget]) / 3600}
            | {"repeats": len(trials) - trials["digest"].nunique(), **aged}
        )
    return rows


def render(searches: pd.DataFrame) -> str:
    """Mean regrets with their standard errors, and what asynchrony adds to them."""
    groups = searches.groupby(["agent", "workers", "budget"], sort=False)["regret"]
    cells = groups.mean().map("{:.3f}".format) + " ± " + groups.sem().map("{:.3f}".format)
    table = cells.unstack()
    budgets = sorted(searches["budget"].unique())
    rows = [
        {"agent": label, "workers": workers}
        | {f"{budget} networks": table.loc[(label, workers), budget] for budget in budgets}
        for label in searches["agent"].unique()
        for workers in sorted(searches["workers"].unique())
    ]
    return (
        "Regret of the network handed over, in points of expected accuracy, lower is better:\n"
        f"mean ± standard error over {searches['seed'].nunique()} seeds.\n\n"
        + tabulate(rows, headers="keys", tablefmt="github")
        + "\n\nWhat that is more than with one worker, with 95 % by a paired bootstrap over\n"
        "the seeds:\n\n" + tabulate(costs(searches), headers="keys", tablefmt="github")
    )


def costs(searches: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean additional regret with its confidence interval, a row an agent and number of workers."""
    by_seed = searches.pivot(index="seed", columns=["agent", "workers", "budget"], values="regret")
    rows = []
    for label in searches["agent"].unique():
        for workers in sorted(set(searches["workers"]) - {1}):
            row: dict[str, Any] = {"agent": label, "workers": workers}
            for budget in sorted(searches["budget"].unique()):
                more = (by_seed[label, workers, budget] - by_seed[label, 1, budget]).to_numpy()
                low, high = mean_interval(more)
                row[f"{budget} networks"] = f"{more.mean():+.3f} ({low:+.3f} to {high:+.3f})"
            rows.append(row)
    return rows


def add_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Add rows to a CSV file, which may not be there yet."""
    there = [pd.read_csv(path)] if path.exists() else []
    pd.concat([*there, pd.DataFrame(rows)]).to_csv(path, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
