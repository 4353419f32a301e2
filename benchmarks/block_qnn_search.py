"""Block-QNN's search in one call that ends in time, and how far it would get.

    python benchmarks/block_qnn_search.py npz:FOLDER/cifar10.npz
    python benchmarks/block_qnn_search.py digits --miniature

Blocks of up to 23 layers in networks of 12, Q-learning with shaped rewards and replay, the reward
of the paper's third version, 12 epochs of Adam, batches of 256. No training begins that would end
after `--minutes`. Prints every block, then how many GPU days all 11,392 blocks of the schedule
would take, and what the paper took: 32 GPUs for three days. Within minutes the whole schedule is at
epsilon 1; `--blocks 40` has the same proportions over 40. `--miniature` is small, and on the CPU.
"""

import argparse
import time
from tempfile import TemporaryDirectory
from typing import Any

import torch

from metaqnn import Search
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.device import resolve_device
from metaqnn.training.loop import train
from metaqnn.training.presets import RECIPES
from metaqnn.training.recipe import Recipe

BLOCKS = 11_392
"""178 iterations of 64."""

PAPER_DAYS = 32 * 3
"""GPU days."""

SECONDS_A_DAY = 86_400

RECIPE = "block-qnn-search"


def main() -> None:
    """Search, and say how far it got."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="npz:FILE, or a name with --data-dir")
    parser.add_argument("--data-dir")
    parser.add_argument("--limit", type=int, help="training images, those of validation included")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="over which epsilon falls")
    parser.add_argument("--reward", default="block-qnn-v3")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--miniature", action="store_true")
    args = parser.parse_args()
    began = time.monotonic()
    device = torch.device("cpu" if args.miniature else resolve_device("auto"))
    if device.type == "cpu" and not args.miniature:
        parser.error("a CUDA GPU is needed, or --miniature")
    space, recipe = "block-qnn-cifar", Recipe(**RECIPES[RECIPE])
    if args.miniature:
        space = "block-qnn-small"
        recipe = recipe.model_copy(update={"epochs": 2, "batch_size": 64})
    data = DataOptions(
        dataset=args.dataset, data_dir=args.data_dir, train_limit=args.limit, validation=0.1
    )
    training, validation = (images.to(device) for images in load_split(data))
    with TemporaryDirectory() as folder:
        search = Search(
            **data.model_dump(exclude_none=True),
            recipe=RECIPE,
            space=space,
            agent="q-learning",
            q_preset="block-qnn",
            reward=args.reward,
            budget=args.blocks,
            seed=args.seed,
            confirm=0,
            results_dir=folder,
            name="search",
        )
        run(search, training, validation, recipe, began + 60 * args.minutes, args.blocks)


def run(
    search: Search, training: Any, validation: Any, recipe: Recipe, deadline: float, most: int
) -> None:
    """Search until the deadline on `time.monotonic`, and print what was found and what it took."""
    began = time.monotonic()
    trained: list[float] = []
    rates: list[float] = []
    print("| block | layers | multiply-adds | epochs | seconds | accuracy |")
    print("|---|---|---|---|---|---|")
    while len(trained) < most and (asked := search.ask()) is not None:
        left = deadline - time.monotonic()
        if trained and left < 1.2 * max(trained):
            break
        start = time.monotonic()
        # only the first may find that all of the time is not enough for it
        limited = recipe.model_copy(update={"seconds": max(1.0, 0.9 * left)})
        outcome = train(asked.architecture, training, validation, limited, asked.seed)
        trained.append(time.monotonic() - start)
        rates.append(outcome.metrics["seconds"] / len(outcome.curve))
        search.tell(asked, curve=outcome.curve, metrics={"seconds": outcome.metrics["seconds"]})
        print(
            f"| {asked.text} | {len(asked.text.split())} | {outcome.metrics['multiply_adds']:,} "
            f"| {len(outcome.curve)} | {trained[-1]:.1f} | {max(outcome.curve):.1%} |",
            flush=True,
        )
    spent = time.monotonic() - began
    best = search.best(k=1).iloc[0]
    mean = sum(rates) / len(rates)
    device = training.images.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    all_days = BLOCKS * mean * recipe.epochs / SECONDS_A_DAY
    print(
        f"\n{len(trained)} blocks in {spent:.0f} s on {name}, {spent - sum(trained):.1f} s of them "
        f"the search itself; {mean:.2f} s an epoch. Best: {best['accuracy']:.1%}, "
        f"{best['network']}.\n{BLOCKS:,} blocks x {recipe.epochs} epochs would take "
        f"{all_days:.2f} GPU days; the paper took {PAPER_DAYS}. This call: "
        f"{spent / SECONDS_A_DAY:.4f} GPU days, {len(trained) / BLOCKS:.2%} of the blocks."
    )


if __name__ == "__main__":
    main()
