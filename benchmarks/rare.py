"""Whether the network that is handed over finds a class that is one image in fifty.

    python benchmarks/rare.py DIR --out results/published

Drawn shapes in noise: 1,470 squares, as many crosses, and 60 rings, which are squares without their
corners. For every seed, which is also that of the pictures, `metaqnn run` with three networks and
`metaqnn finalize -k 1`, without an option, with each and with both; then 500 new pictures of each
shape are classified.

Writes rare.csv, a row a run, and rare.md. Runs that are in DIR already are gone on with.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from metaqnn import Search

SHAPES = {
    "square": ("#####", "#...#", "#...#", "#...#", "#####"),
    "cross": ("..#..", "..#..", "#####", "..#..", "..#.."),
    "ring": (".###.", "#...#", "#...#", "#...#", ".###."),
}
LEARNT, TESTED = (1470, 1470, 60), (500, 500, 500)
SIZE, GREY, LINE, NOISE = 8, 100, 80, 30
"""Of a picture: side, background, how much brighter a line is, and deviation of the noise."""

WEIGHTS = {"class_weights": "balanced"}
METRIC = {"metric": "balanced-accuracy"}
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "both": {**METRIC, **WEIGHTS},
    "--class-weights balanced": WEIGHTS,
    "--metric balanced-accuracy": METRIC,
}
SEARCH = {"space": "digits", "budget": 3, "epochs": 6, "batch_size": 64, "learning_rate": 3e-3}
PLACE = {"device": "cpu", "threads": 1}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seeds", default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=".", help="Folder of the tables.")
def main(folder: Path, seeds: int, out: Path) -> None:
    """Make the runs and write the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, options in OPTIONS.items():
        for seed in range(seeds):
            random = np.random.default_rng(seed)
            (x, y), test = draw(LEARNT, random), draw(TESTED, random)
            dataset = folder / f"shapes-{seed}.npz"
            np.savez(dataset, x_train=x, y_train=y)
            run = folder / f"{name.replace('--', '').replace(' ', '-')}-{seed}"
            rows.append({"options": name, "seed": seed, **hand_over(run, dataset, test, options)})
            click.echo(rows[-1])
    table = pd.DataFrame(rows)
    table.to_csv(out / "rare.csv", index=False, float_format="%.4f", lineterminator="\n")
    (out / "rare.md").write_text(render(table) + "\n", encoding="utf-8")


def draw(counts: tuple[int, ...], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, so many of each shape, and the names of their shapes."""
    names = np.repeat(list(SHAPES), counts)
    pixels = random.normal(GREY, NOISE, (len(names), SIZE, SIZE))
    lines = {
        name: np.array([[dot == "#" for dot in row] for row in SHAPES[name]]) for name in names
    }
    for picture, name in zip(pixels, names, strict=True):
        top, left = random.integers(0, SIZE - 4, 2)
        picture[top : top + 5, left : left + 5] += LINE * lines[name]
    return pixels.round().clip(0, 255).astype(np.uint8), names


def hand_over(
    run: Path, dataset: Path, test: tuple[np.ndarray, np.ndarray], options: dict[str, Any]
) -> dict[str, float]:
    """Search, train the best network once more, and see which test pictures it answers right."""
    if run.exists():
        search = Search.open(run)
    else:
        where = {"name": run.name, "results_dir": run.parent, "seed": int(dataset.stem[-1])}
        search = Search(dataset=f"npz:{dataset}", **where, **PLACE, **SEARCH, **options)
    search.run(quiet=True)
    search.finalize(1, ensemble=1, recipe="search", quiet=True)
    pixels, names = test
    model = search.model(final="search")
    answers = np.array(model.predict(pixels[:, None]))
    return {name: float(np.mean(answers[names == name] == name)) for name in SHAPES}


def render(table: pd.DataFrame) -> str:
    """Means over the seeds, in percent, and of rings each seed."""
    rows = [
        {"options": options}
        | {name: f"{runs[name].mean():.1%}" for name in SHAPES}
        | {"rings, each seed": ", ".join(f"{found:.1%}" for found in runs["ring"])}
        for options, runs in table.groupby("options", sort=False)
    ]
    return (
        "Shapes in noise, of which rings are one in fifty: how many of 500 new pictures of each\n"
        "the network that is handed over answers right, means over "
        f"{table['seed'].nunique()} seeds.\n\n"
        f"{pd.DataFrame(rows).to_markdown(index=False)}"
    )


if __name__ == "__main__":
    main()
