"""Pictures that any network learns, as files and arrays; a network that learns them; others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import metaqnn
from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.models.model import Model
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from state_space.notation import read

NAMES = ("ant", "bee", "cow")

Convert = Callable[[Image.Image, int], Image.Image]


def bars(
    n: int, classes: int = 3, size: int = 12, channels: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A bright bar whose place says the class: uint8 (n, size, size, channels), and labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    pixels = random.integers(0, 60, (n, size, size, channels))
    for image, label in zip(pixels, labels, strict=True):
        image[:, label * size // classes : (label + 1) * size // classes] += 150
    return pixels.astype(np.uint8), labels


def write_folder(
    root: Path,
    n: int = 60,
    parts: tuple[str, ...] = ("train", "test"),
    names: tuple[str, ...] = NAMES,
    convert: Convert = lambda picture, place: picture,
    suffix: str = "png",
    **how: int,
) -> Path:
    """ROOT/PART/CLASS/000.png of `bars`, fifteen for the test."""
    for part in parts:
        pixels, labels = bars(15 if part == "test" else n, len(names), seed=part == "test", **how)
        for place, (array, label) in enumerate(zip(pixels, labels, strict=True)):
            folder = root / part / names[label]
            folder.mkdir(parents=True, exist_ok=True)
            convert(Image.fromarray(array.squeeze()), place).save(folder / f"{place:03}.{suffix}")
    return root


def write_npz(path: Path, **arrays: np.ndarray) -> str:
    """The name of a data set of these arrays."""
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return f"npz:{path}"


def learn(folder: Path, epochs: int = 6, **options: Any) -> tuple[float, Model]:
    """Train a small network; its best validation accuracy, and the network from its file."""
    training, validation = load_split(DataOptions(**options))
    architecture = read(f"[C(8,3,1), P(2,2), SM({len(training.classes)})]")
    recipe = Recipe(epochs=epochs, batch_size=16, learning_rate=0.01, restart_below=0.0)
    outcome = train(architecture, training, validation, recipe, 0, keep_above=-1.0)
    path = folder / "learnt.safetensors"
    path.write_bytes(outcome.weights or b"")
    return max(outcome.curve), metaqnn.load(path)


def images(count: int, classes: int = 10) -> Images:
    """Black images, as many of every class."""
    return Images(
        torch.zeros(count, 1, 4, 4, dtype=torch.uint8),
        torch.arange(count) % classes,
        tuple(map(str, range(classes))),
    )
