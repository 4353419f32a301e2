"""Whether the network that is handed over finds a class that is one image in fifty.

    python benchmarks/rare.py DIR --out results/published

The scans of digits that come with scikit-learn, of which the eights are made rare: 980 other digits
and 20 eights are to learn from, the rest, 643 and 154, are for the test. For every seed, which also
says which images those are, `metaqnn run` with eight networks and `metaqnn finalize -k 1`, without
an option, with each and with both.

Writes rare.csv, a row a run, and rare.md. Runs that are in DIR already are gone on with.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from metaqnn import Search

RARE = 8
COMMON, FEW = 980, 20
"""Images to learn from: of all other digits, and of the rare one."""

WEIGHTS = {"class_weights": "balanced"}
METRIC = {"metric": "balanced-accuracy"}
OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "--metric balanced-accuracy": METRIC,
    "--class-weights balanced": WEIGHTS,
    "both": {**METRIC, **WEIGHTS},
}
SEARCH = {"space": "digits", "budget": 8, "epochs": 10, "batch_size": 64, "learning_rate": 3e-3}
PLACE = {"device": "cpu", "threads": 1}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seeds", default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=".", help="Folder of the tables.")
def main(folder: Path, seeds: int, out: Path) -> None:
    """Make the runs and write the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(seeds):
        dataset = folder / f"digits-{seed}.npz"
        np.savez(dataset, **rare_digits(seed))  # type: ignore[arg-type]  # a mapping of arrays
        for name, options in OPTIONS.items():
            run = folder / f"{name or 'plain'}-{seed}".replace(" ", "").lstrip("-")
            rows.append({"options": name, "seed": seed, **hand_over(run, dataset, seed, options)})
            click.echo(rows[-1])
    table = pd.DataFrame(rows)
    table.to_csv(out / "rare.csv", index=False, float_format="%.4f", lineterminator="\n")
    (out / "rare.md").write_text(render(table) + "\n", encoding="utf-8")


def rare_digits(seed: int) -> dict[str, np.ndarray]:
    """Arrays of a data set in which one digit is rare."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    is_rare = digits.target[order] == RARE
    others, few = order[~is_rare], order[is_rare]
    learnt, kept = np.r_[others[:COMMON], few[:FEW]], np.r_[others[COMMON:], few[FEW:]]
    pixels, labels = (digits.images * (255 / 16)).round().astype(np.uint8), digits.target
    return {
        **{"x_train": pixels[learnt], "y_train": labels[learnt]},
        **{"x_test": pixels[kept], "y_test": labels[kept]},
    }


def hand_over(run: Path, dataset: Path, seed: int, options: dict[str, Any]) -> dict[str, float]:
    """Search, train the best network once more, and see what it answers on the test images."""
    if run.exists():
        search = Search.open(run)
    else:
        where = {"name": run.name, "results_dir": run.parent, "seed": seed}
        search = Search(dataset=f"npz:{dataset}", **where, **PLACE, **SEARCH, **options)
    search.run(quiet=True)
    search.finalize(1, ensemble=1, recipe="search", quiet=True)
    with np.load(dataset) as arrays:
        labels = arrays["y_test"]
        answers = search.model(final="search").scores(arrays["x_test"][:, None]).argmax(1)
    is_rare = labels == RARE
    shares = [np.mean(answers[labels == digit] == digit) for digit in np.unique(labels)]
    return {
        "found": float(np.mean(answers[is_rare] == RARE)),
        "false alarms": float(np.mean(answers[~is_rare] == RARE)),
        "others right": float(np.mean((answers == labels)[~is_rare])),
        "balanced accuracy": float(np.mean(shares)),
    }


def render(table: pd.DataFrame) -> str:
    """Means over the seeds, in percent, and how many eights were found with each."""
    rows = [
        {"options": options or "none", "eights found": f"{runs['found'].mean():.1%}"}
        | {"each seed": ", ".join(f"{found:.1%}" for found in runs["found"])}
        | {name: f"{runs[name].mean():.1%}" for name in ("false alarms", "others right")}
        | {"balanced accuracy": f"{runs['balanced accuracy'].mean():.1%}"}
        for options, runs in table.groupby("options", sort=False)
    ]
    seeds = table["seed"].nunique()
    return (
        f"Digits whose eights are one image in fifty, means over {seeds} seeds: how many of the\n"
        "eights among the test images the network that is handed over finds, how many of the\n"
        "other digits it takes for one, and how many of those it answers right.\n\n"
        f"{pd.DataFrame(rows).to_markdown(index=False)}"
    )


if __name__ == "__main__":
    main()
