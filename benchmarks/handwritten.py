"""Networks as a user would write them, in plain PyTorch, and what each reaches.

    python benchmarks/handwritten.py C npz:FOLDER/cifar10.npz --limit 6000 --validation 1000

A, B and C differ in their layers and in what is done to the images; C is residual.
"""

import argparse
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load, load_split

EPOCHS = {"A": 30, "B": 40, "C": 40}
BATCH = 64
PEAK, DECAY = 5e-3, 0.01
SHIFT, SMOOTHING = 3, 0.1


class Residual(nn.Module):
    """Two convolutions, and what they read added to what they make."""

    def __init__(self, channels: int) -> None:
        """As many channels as it reads."""
        super().__init__()
        self.change = nn.Sequential(
            convolution(channels, channels), convolution(channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Of the input's shape."""
        return x + self.change(x)


def convolution(read: int, filters: int) -> nn.Sequential:
    """Convolution of 3x3, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(read, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()
    )


def plain(channels: int, classes: int) -> nn.Sequential:
    """The layers of A and B."""
    return nn.Sequential(
        *(convolution(channels, 32), convolution(32, 32), nn.MaxPool2d(2)),
        *(convolution(32, 64), convolution(64, 64), nn.MaxPool2d(2)),
        *(convolution(64, 128), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(nn.Dropout(0.2), nn.Linear(128, classes)),
    )


def residual(channels: int, classes: int) -> nn.Sequential:
    """The layers of C."""
    layers: list[nn.Module] = [convolution(channels, 24)]
    for read, filters in ((24, 48), (48, 96), (96, 192)):
        layers += [convolution(read, filters), nn.MaxPool2d(2), Residual(filters)]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(192, classes))


def shifted(images: Tensor) -> Tensor:
    """A batch, all of it moved by up to SHIFT pixels."""
    height, width = images.shape[2:]
    row, column = torch.randint(2 * SHIFT + 1, (2,)).tolist()
    moved = pad(images, (SHIFT, SHIFT, SHIFT, SHIFT))
    return moved[:, :, row : row + height, column : column + width]


def handwritten(
    name: str, training: Images, validation: Images, epochs: int, seed: int, *, mirrored: bool
) -> tuple[list[float], float]:
    """Validation accuracy after every epoch, and the processor time in seconds.

    Args:
        name: A, B or C.
        training: The images.
        validation: Those that are not trained on.
        epochs: How often to see them.
        seed: Of weights and batches.
        mirrored: Mirror every other batch, left to right.
    """
    torch.manual_seed(seed)
    mean, deviation = training.statistics
    x, held = ((part.images.float() - mean) / deviation for part in (training, validation))
    make = residual if name == "C" else plain
    network = make(x.shape[1], len(training.classes))
    optimizer = torch.optim.AdamW(network.parameters(), PEAK, weight_decay=DECAY)
    steps = -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, epochs * steps)
    smoothing = 0.0 if name == "A" else SMOOTHING
    began, curve = time.process_time(), []
    for _ in range(epochs):
        network.train()
        for number, batch in enumerate(torch.randperm(len(x)).split(BATCH)):
            images = x[batch]
            if mirrored and number % 2:
                images = images.flip(3)
            if name != "A":
                images = shifted(images)
            optimizer.zero_grad()
            loss = cross_entropy(network(images), training.labels[batch], label_smoothing=smoothing)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.inference_mode():
            found = torch.cat([network(part).argmax(1) for part in held.split(500)])
        curve.append(float((found == validation.labels).float().mean()))
    return curve, time.process_time() - began


def main() -> None:
    """Train one, and say what it reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=EPOCHS)
    parser.add_argument("dataset", help="npz:FILE, or a name with --data-dir")
    parser.add_argument("--data-dir")
    parser.add_argument("--limit", type=int, help="training images, those of validation included")
    parser.add_argument("--validation", type=float, default=0.2)
    parser.add_argument("--epochs", type=int, help="30 of A, 40 of B and C, unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-mirror", action="store_true")
    parser.add_argument("--test", action="store_true", help="train on all, look at the test part")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = DataOptions(
        dataset=args.dataset,
        data_dir=args.data_dir,
        train_limit=args.limit,
        validation=args.validation,
    )
    epochs = args.epochs or EPOCHS[args.name]
    training, held = load_split(data)
    if args.test:
        test = load(data, "test")
        assert test is not None, "the data set has a test part"
        training, held = training.join(held), test
    curve, seconds = handwritten(
        args.name, training, held, epochs, args.seed, mirrored=not args.no_mirror
    )
    print(
        f"{args.name}, seed {args.seed}, {epochs} epochs: {curve[-1]:.1%} after the last, "
        f"{max(curve):.1%} at best, {seconds:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
