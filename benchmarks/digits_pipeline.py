"""From a data set to a tested ensemble: digits, by Q-learning, by random search, and an SVC.

    python benchmarks/digits_pipeline.py DIR --out results/published

For every seed and both agents `metaqnn run` with its defaults, 70 networks, then `metaqnn finalize
-k 5 --ensemble 5`: the errors on the 360 test images, which nothing before has seen, of the network
with the best validation accuracy and of the ensemble. Beside them scikit-learn's SVC(gamma=0.001),
the classifier of its own example on digits, fitted to the same 1,437 training images. The split is
the same for all.

Writes digits-pipeline.csv, a row a pipeline, and digits-pipeline.md. Runs that are in DIR already
are gone on with.
"""

import subprocess
import sys
from pathlib import Path

import click
import pandas as pd
from sklearn.svm import SVC

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from metaqnn.runs.results import FINAL, RESULTS

AGENTS = ("q-learning", "random")
KINDS = ("best network", "ensemble")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seeds", default=5, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=".", help="Folder of the tables.")
def main(folder: Path, seeds: int, workers: int, out: Path) -> None:
    """Make the pipelines and write the tables."""
    rows = [
        {"agent": agent, "seed": seed, **pipeline(folder, agent, seed, workers)}
        for seed in range(seeds)
        for agent in AGENTS
    ]
    found = pd.DataFrame(rows)
    found.to_csv(out / "digits-pipeline.csv", index=False, lineterminator="\n")
    text = render(found, svc_error())
    (out / "digits-pipeline.md").write_text(text + "\n", encoding="utf-8")
    click.echo(text)


def pipeline(folder: Path, agent: str, seed: int, workers: int) -> dict[str, float]:
    """Search, train and test; the validation accuracy of the best, and the test errors."""
    run = folder / f"{agent}-{seed}"
    options = ["--workers", str(workers), "--device", "cpu"]
    if run.exists():
        call("resume", str(run), *options, "--quiet")
    else:
        named = ["--name", run.name, "--results-dir", str(folder)]
        call("run", "--agent", agent, "--seed", str(seed), *named, *options, "--quiet")
    call("finalize", str(run), "-k", "5", "--ensemble", "5", *options)
    results = pd.read_csv(run / FINAL / "short" / RESULTS)
    ensemble = results[results["network"].str.startswith("ensemble")]
    return {
        "validation accuracy": results["accuracy"].iloc[0],
        "best network": results["test_error"].iloc[0],
        "ensemble": ensemble["test_error"].item(),
    }


def call(*arguments: str) -> None:
    """Call metaqnn."""
    subprocess.run([sys.executable, "-m", "metaqnn", *arguments], check=True)


def svc_error() -> float:
    """The test error of SVC(gamma=0.001) on pixels from 0 to 16, as scikit-learn has them."""
    (x, y), (x_test, y_test) = (
        (images.images.flatten(1).numpy() * (16 / 255), images.labels.numpy())
        for images in (load(DataOptions(), "train"), load(DataOptions(), "test"))
    )
    return 1 - float(SVC(gamma=0.001).fit(x, y).score(x_test, y_test))


def render(found: pd.DataFrame, svc: float) -> str:
    """Means and standard deviations over the seeds, in percent."""
    seeds = found["seed"].nunique()
    rows = [
        {"classifier": f"{kind}, {agent}"}
        | {"test error": "{:.2%} ± {:.2%}".format(*errors[kind].agg(["mean", "std"]))}
        | {"each seed": ", ".join(f"{error:.2%}" for error in errors[kind])}
        for agent, errors in found.groupby("agent", sort=False)
        for kind in KINDS
    ]
    rows.append({"classifier": "SVC(gamma=0.001)", "test error": f"{svc:.2%}", "each seed": ""})
    table = pd.DataFrame(rows).to_markdown(index=False)
    return (
        f"Errors on the 360 test images of digits, mean ± standard deviation over {seeds} seeds\n"
        f"of search and training.\n\n{table}"
    )


if __name__ == "__main__":
    main()
