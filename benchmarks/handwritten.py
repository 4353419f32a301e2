"""Networks as a user would write them, in plain PyTorch, and what each reaches.

    python benchmarks/handwritten.py C npz:FOLDER/cifar10.npz --limit 6000 --validation 1000

A, B and C differ in their layers and in what is done to the images; C is residual.
"""

import argparse
import time
from collections.abc import Iterator

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
    name: str, images: Images, epochs: int, seed: int, *, mirrored: bool
) -> Iterator[nn.Module]:
    """The network after every epoch, which reads standardised images.

    Args:
        name: A, B or C.
        images: To train on.
        epochs: How often to see them.
        seed: Of weights and batches.
        mirrored: Mirror every other batch, left to right.
    """
    torch.manual_seed(seed)
    x = standardised(images, images)
    make = residual if name == "C" else plain
    network = make(x.shape[1], len(images.classes))
    optimizer = torch.optim.AdamW(network.parameters(), PEAK, weight_decay=DECAY)
    steps = -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, epochs * steps)
    smoothing = 0.0 if name == "A" else SMOOTHING
    for _ in range(epochs):
        network.train()
        for number, batch in enumerate(torch.randperm(len(x)).split(BATCH)):
            read = x[batch]
            if mirrored and number % 2:
                read = read.flip(3)
            if name != "A":
                read = shifted(read)
            optimizer.zero_grad()
            loss = cross_entropy(network(read), images.labels[batch], label_smoothing=smoothing)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            schedule.step()
        yield network.eval()


def standardised(images: Images, training: Images) -> Tensor:
    """Images by the mean and deviation of those that are trained on."""
    mean, deviation = training.statistics
    return (images.images.float() - mean) / deviation


@torch.inference_mode()
def probabilities(network: nn.Module, images: Tensor) -> Tensor:
    """Of the classes of standardised images, (images, classes)."""
    return torch.cat([network(part).softmax(1) for part in images.split(500)])


def accuracy(found: Tensor, labels: Tensor) -> float:
    """The share of images whose most probable class is their own."""
    return float((found.argmax(1) == labels).float().mean())


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
    began, curve = time.process_time(), []
    for network in handwritten(args.name, training, epochs, args.seed, mirrored=not args.no_mirror):
        found = probabilities(network, standardised(held, training))
        curve.append(accuracy(found, held.labels))
    print(
        f"{args.name}, seed {args.seed}, {epochs} epochs: {curve[-1]:.1%} after the last, "
        f"{max(curve):.1%} at best, {time.process_time() - began:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
