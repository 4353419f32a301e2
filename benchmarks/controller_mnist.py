"""Lei & Xiong's figure 3, small: the controller against random search on MNIST, with connections.

    python benchmarks/controller_mnist.py DIR --data-dir FOLDER

Searches the space `mnist-skip.toml` with `reinforce` and with `random`, the same budget and several
seeds, two searches at a time with one thread each: 1,500 training and 2,000 validation images of
14x14, three epochs a network. A run in DIR that is there is resumed. Writes controller-mnist.csv
(agent, seed, networks, mean accuracy of the last 20, best so far) and the figure into DIR, and
prints both agents' means at the end with the difference's 95 % confidence interval over the seeds.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import matplotlib
import numpy as np
import pandas as pd
from scipy import stats

from metaqnn.runs.run import open_run

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  # behind the choice of backend

LAST = 20
SPACE = Path(__file__).with_name("mnist-skip.toml")
COLOURS = {"reinforce": ("#0072B2", "-"), "random": ("#D55E00", "--")}
"""The agents with colour and line (Okabe & Ito's palette)."""

OPTIONS = {
    "dataset": "mnist",
    "space": SPACE,
    "image-size": 14,
    "train-limit": 3500,
    "validation": 2000,
    "epochs": 3,
    "batch-size": 50,
    "learning-rate": 3e-3,
    "keep": 0,
    "device": "cpu",
}

AGENTS: dict[str, dict[str, float]] = {
    "reinforce": {
        "controller-batch": 8,
        "controller-rate": 0.03,
        "controller-decay": 0.0,
        "entropy": 2e-3,
        "baseline-decay": 0.95,
        "logit-bound": 0.0,
    },
    "random": {},
}
"""The options of the agents."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--data-dir", required=True, help="Where MNIST lies, as for `metaqnn run`.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--budget", default=400, show_default=True)
def main(folder: Path, data_dir: str, seeds: int, budget: int) -> None:
    """Search, and write table and figure."""
    searches = [(agent, seed) for seed in range(seeds) for agent in AGENTS]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda search: run(folder, data_dir, budget, *search), searches))
    table = pd.concat([curves(folder, *search) for search in searches])
    table.to_csv(
        folder / "controller-mnist.csv", index=False, float_format="%.5f", lineterminator="\n"
    )
    draw(table, folder)
    end = table[table["networks"] == budget].pivot(index="seed", columns="agent")
    for column in ("last_20", "best"):
        click.echo(end[column].mean().to_string())
        difference = end[column]["reinforce"] - end[column]["random"]
        low, high = stats.t.interval(
            0.95, seeds - 1, loc=difference.mean(), scale=stats.sem(difference)
        )
        click.echo(f"{column}: difference {difference.mean():.4f}, {low:.4f} to {high:.4f}\n")


def run(folder: Path, data_dir: str, budget: int, agent: str, seed: int) -> None:
    """Search, or go on with a search, in a process of its own."""
    name = f"{agent}-{seed}"
    if (folder / name).exists():
        command = ["resume", str(folder / name), "--quiet"]
    else:
        given = {**OPTIONS, "agent": agent, **AGENTS[agent]}
        given |= {"seed": seed, "budget": budget, "data-dir": data_dir}
        options = [word for key, value in given.items() for word in (f"--{key}", str(value))]
        command = ["run", "--results-dir", str(folder), "--name", name, "--quiet", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "metaqnn", *command], env=environment, check=True)


def curves(folder: Path, agent: str, seed: int) -> pd.DataFrame:
    """Mean accuracy of the last distinct networks, and the best so far, after each."""
    trials = open_run(folder / f"{agent}-{seed}").memory().frame().query("first")
    accuracy = trials["curve"].map(lambda curve: max(curve, default=np.nan)).reset_index(drop=True)
    return pd.DataFrame(
        {
            "agent": agent,
            "seed": seed,
            "networks": np.arange(1, len(accuracy) + 1),
            "last_20": accuracy.rolling(LAST, min_periods=LAST).mean(),
            "best": accuracy.cummax(),
        }
    )


def draw(table: pd.DataFrame, folder: Path) -> None:
    """Both curves: thin lines are seeds, thick ones their means."""
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    titles = {"last_20": f"mean of the last {LAST} networks", "best": "best so far"}
    for axis, (column, title) in zip(axes, titles.items(), strict=True):
        for agent, (colour, line) in COLOURS.items():
            seeds = table[table["agent"] == agent].pivot(
                index="networks", columns="seed", values=column
            )
            axis.plot(100 * seeds, color=colour, linewidth=0.6, alpha=0.5, linestyle=line)
            mean = 100 * seeds.mean(axis=1)
            axis.plot(mean, color=colour, linewidth=2, linestyle=line, label=agent)
        axis.set(title=title, xlabel="networks trained", ylabel="validation accuracy (%)")
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].set_ylim(bottom=93)
    axes[0].legend(frameon=False)
    for kind in ("svg", "png"):
        figure.savefig(folder / f"controller-mnist.{kind}", dpi=150)


if __name__ == "__main__":
    main()
