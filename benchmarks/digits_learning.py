"""Does the agent propose better networks as epsilon falls, in real searches of digits?

    python benchmarks/digits_learning.py --out results/published/digits-learning.csv

Runs the default search with several seeds, and compares the mean validation accuracy of the
distinct networks proposed at the smallest epsilon with that of those at epsilon 1: a row a seed,
the mean difference, and its 95 % confidence interval (Student's t over the seeds).
"""

import tempfile
from pathlib import Path

import click
import pandas as pd
from scipy import stats

from metaqnn.cli import main as metaqnn
from metaqnn.runs import open_run


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(seeds: int, out: Path) -> None:
    """Write the table, and print it with the interval."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            name = f"seed-{seed}"
            arguments = ["run", "--seed", str(seed), "--name", name, "--results-dir", folder]
            metaqnn([*arguments, "--quiet"], standalone_mode=False)
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
            click.echo(rows[-1])
    table = pd.DataFrame(rows)
    table["difference"] = table["mean_at_smallest"] - table["mean_at_epsilon_1"]
    table.to_csv(out, index=False, float_format="%.4f", lineterminator="\n")
    click.echo(table.to_string(index=False))
    mean = table["difference"].mean()
    low, high = stats.t.interval(0.95, seeds - 1, loc=mean, scale=stats.sem(table["difference"]))
    click.echo(f"difference {mean:.3f}, 95 % confidence interval {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
