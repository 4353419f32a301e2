"""What the starts of the practical space reach by the practical recipe, and by parts of it.

python benchmarks/practical.py npz:FOLDER/cifar10.npz --limit 6000 --validation 1000 --start 0
python benchmarks/practical.py npz:FOLDER/cifar10.npz ... --set label_smoothing=0 --set shift=0
"""

import argparse
import json
import time

import torch

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.spaces import bind_space
from metaqnn.training.loop import train
from metaqnn.training.presets import PAPER, PRACTICAL, practical
from metaqnn.training.recipe import Recipe
from state_space import Architecture


def main() -> None:
    """Train one, and say what it reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="npz:FILE, or a name with --data-dir")
    parser.add_argument("--data-dir")
    parser.add_argument("--limit", type=int, help="training images, those of validation included")
    parser.add_argument("--validation", type=float, default=0.2)
    parser.add_argument("--start", default="0", help="number of a start, or the text of a network")
    parser.add_argument("--width", type=int, default=8, help="unit of the widths")
    parser.add_argument("--recipe", choices=(PAPER, PRACTICAL), default=PRACTICAL)
    parser.add_argument("--set", action="append", default=[], help="an option of the recipe")
    parser.add_argument("--no-mirror", action="store_true", help="whatever the network sets")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = DataOptions(
        dataset=args.dataset,
        data_dir=args.data_dir,
        train_limit=args.limit,
        validation=args.validation,
    )
    training, validation = load_split(data)
    space = bind_space({"space": "practical"}, training.shape, len(training.classes))
    walk = space.starts()[int(args.start)] if args.start.isdigit() else space.parse(args.start)
    network = space.architecture(walk, {"width": args.width})
    if args.no_mirror:
        network = Architecture(network.nodes, network.outputs, {}, network.cells)
    changes = {key: _value(value) for key, _, value in (text.partition("=") for text in args.set)}
    optimizer = {key: str(changes[key]) for key in changes.keys() & {"optimizer"}}
    chosen = practical(len(training), training.shape[1], **optimizer)
    if args.recipe == PAPER:
        chosen = {}
    recipe = Recipe(**{**chosen, **changes})
    began = time.process_time()
    outcome = train(network, training, validation, recipe, args.seed)
    print(
        f"{space.text(walk)}, width {args.width}, {args.recipe}"
        f"{''.join(f', {change}' for change in args.set)}{', no mirror' * args.no_mirror}, seed "
        f"{args.seed}: {len(outcome.curve)} epochs, {outcome.curve[-1]:.1%} after the last, "
        f"{max(outcome.curve):.1%} at best, {time.process_time() - began:.0f} s of processor time"
    )


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    main()
