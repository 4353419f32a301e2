"""Do networks rank as they will when trained large, if they are trained small, for a short time?

    python benchmarks/practical_ranks.py digits --out DIR
    python benchmarks/practical_ranks.py npz:FILE --limit 3500 --validation 2000 --out DIR

The starts of the practical space and random networks of it that compute no more than the first
start, all trained by the practical recipe at every scale: a unit of widths and a share of the
recipe's epochs. The last scale is the one by which the others are judged. A line a training is
added to practical-ranks.csv, and practical-ranks.md has the table; a second call goes on.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.networks.cost import total_cost
from metaqnn.spaces import bind_space
from metaqnn.training.loop import train
from metaqnn.training.presets import practical
from metaqnn.training.recipe import Recipe
from state_space import Space, Token, random_walk

SCALES = ((2, 0.5), (4, 0.125), (4, 0.25), (4, 0.5), (8, 0.25), (8, 1.0))
"""Unit of the widths, and share of the epochs."""

NETWORKS = 12


def chosen(space: Space, shape: tuple[int, ...]) -> list[tuple[Token, ...]]:
    """The starts, and random networks that are no larger than the first."""
    starts = list(space.starts()[:3])
    most = total_cost(space.architecture(starts[0]), shape).multiply_adds
    generator = np.random.default_rng(0)
    drawn = (random_walk(space, generator) for _ in itertools.count())
    small = (
        walk for walk in drawn if total_cost(space.architecture(walk), shape).multiply_adds <= most
    )
    return starts + list(itertools.islice(small, NETWORKS - len(starts)))


def trained(
    space: Space, walk: tuple[Token, ...], scale: tuple[int, float], images: tuple[Images, Images]
) -> tuple[float, float]:
    """Accuracy after the last epoch, and seconds of processor time."""
    training, validation = images
    width, share = scale
    recipe = practical(len(training), training.shape[1])
    recipe["epochs"] = max(1, round(share * recipe["epochs"]))
    began = time.process_time()
    network = space.architecture(walk, {"width": width})
    outcome = train(network, training, validation, Recipe(**recipe), 0)
    return outcome.curve[-1], time.process_time() - began


def table(rows: pd.DataFrame) -> str:
    """A row a scale: rank correlation with the last one, and what choosing by it loses."""
    lines = []
    for dataset, own in rows.groupby("dataset", sort=False):
        accuracies = own.pivot_table(index="network", columns=["width", "share"], values="accuracy")
        accuracies = accuracies.dropna()
        judge = accuracies[SCALES[-1]]
        for scale in SCALES:
            found = accuracies[scale]
            seconds = own[(own["width"] == scale[0]) & (own["share"] == scale[1])]["seconds"]
            lines.append(
                {
                    "data set": dataset,
                    "unit of widths": scale[0],
                    "epochs of the recipe": f"{scale[1]:g}",
                    "networks": len(found),
                    "rank correlation": f"{found.corr(judge, method='spearman'):.2f}",
                    "its best is worse than the best by": (
                        f"{100 * (judge.max() - judge[found.idxmax()]):.1f} points"
                    ),
                    "seconds a network": f"{seconds.mean():.0f}",
                }
            )
    return pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)


def main() -> None:
    """Train what is not trained yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="npz:FILE, or a name")
    parser.add_argument("--limit", type=int, help="training images, those of validation included")
    parser.add_argument("--validation", type=float, default=0.2)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    images = load_split(
        DataOptions(dataset=args.dataset, train_limit=args.limit, validation=args.validation)
    )
    training = images[0]
    space = bind_space({"space": "practical"}, training.shape, len(training.classes))
    name = Path(args.dataset.removeprefix("npz:")).stem
    file = args.out / "practical-ranks.csv"
    rows = pd.read_csv(file).to_dict("records") if file.exists() else []
    known = {(row["dataset"], row["network"], row["width"], row["share"]) for row in rows}
    for scale, walk in itertools.product(SCALES, chosen(space, training.shape)):
        key = (name, space.text(walk), *scale)
        if key in known:
            continue
        accuracy, seconds = trained(space, walk, scale, images)
        fields = ("dataset", "network", "width", "share", "accuracy", "seconds")
        rows.append(dict(zip(fields, (*key, accuracy, round(seconds, 1)), strict=True)))
        pd.DataFrame(rows).to_csv(file, index=False)
    (args.out / "practical-ranks.md").write_text(table(pd.DataFrame(rows)) + "\n")


if __name__ == "__main__":
    main()
