"""Does the agent propose better networks as epsilon falls, in real searches of digits?

    python benchmarks/digits_learning.py --out results/published/digits-learning.csv

The paper's Q-learning searches 70 networks of digits with several seeds, 30 of them at epsilon 1
and 30 at 0.1, and compares the mean validation accuracy of the distinct networks proposed at
either: a row a seed, the mean difference, and its 95 % confidence interval (Student's t over the
seeds).
"""

import tempfile
from pathlib import Path

import click
import pandas as pd
from scipy import stats

from metaqnn.cli import main as metaqnn
from metaqnn.runs.run import open_run

SCHEDULE = "1.0:30,0.5:10,0.1:30"


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(seeds: int, out: Path) -> None:
    """Write the table, and print it with the interval."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            name = f"seed-{seed}"
            arguments = ["--seed", str(seed), "--name", name, "--results-dir", folder, "--quiet"]
            search = ["run", "--q-preset", "paper", "--epsilon-schedule", SCHEDULE]
            metaqnn([*search, *arguments], standalone_mode=False)
            trials = open_run(Path(folder) / name).memory().frame().query("first")
            by_epsilon = trials.groupby("epsilon")["reward"]
            smallest = trials["epsilon"].min()
            rows.append(
                {
                    "seed": seed,
                    "networks": len(trials),
                    "networks_at_epsilon_1": by_epsilon.size()[1.0],
                    "mean_at_epsilon_1": by_epsilon.mean()[1.0],
                    "smallest_epsilon": smallest,
                    "networks_at_smallest": by_epsilon.size()[smallest],
                    "mean_at_smallest": by_epsilon.mean()[smallest],
                    "best": trials["reward"].max(),
                }
            )
            click.echo(f"seed {seed} is done")
    table = pd.DataFrame(rows)
    table["difference"] = table["mean_at_smallest"] - table["mean_at_epsilon_1"]
    table.to_csv(out, index=False, float_format="%.4f", lineterminator="\n")
    click.echo(table.to_string(index=False))
    mean = table["difference"].mean()
    low, high = stats.t.interval(0.95, seeds - 1, loc=mean, scale=stats.sem(table["difference"]))
    click.echo(f"difference {mean:.3f}, 95 % confidence interval {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
