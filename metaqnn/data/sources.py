"""The data sets: each function loads one part, with the classes and preparation of training.

All have the signature of `metaqnn.data.parts.Source`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metaqnn.data.images import Images, Origin
from metaqnn.data.options import DataOptions
from metaqnn.data.preparation import Preparation, resized
from metaqnn.errors import MetaqnnError


def digits(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """scikit-learn's 1,797 scans, 8x8; a stratified fifth, 360 images, is the test part."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    if part == "validation":
        return None
    scans = load_digits()
    indices = train_test_split(
        np.arange(len(scans.target)), test_size=360, stratify=scans.target, random_state=0
    )[0 if part == "train" else 1]
    # 17 grey levels, 0 to 16
    pixels = np.round(scans.images[indices] * (255 / 16)).astype(np.uint8)
    names = tuple(map(str, range(10)))
    return _images(pixels[:, None], scans.target[indices], names, config)


def mnist(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """MNIST."""
    return _torchvision("MNIST", part, path, config)


def fashion_mnist(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """Fashion-MNIST."""
    return _torchvision("FashionMNIST", part, path, config)


def cifar10(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """CIFAR-10."""
    return _torchvision("CIFAR10", part, path, config)


def cifar100(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """CIFAR-100."""
    return _torchvision("CIFAR100", part, path, config)


def svhn(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """SVHN, cropped digits, without its extra images."""
    return _torchvision("SVHN", part, path, config)


def own(part: str, path: Path | None, config: DataOptions) -> Images | None:
    """Images that only their owner has: there is nothing to load."""
    raise MetaqnnError(
        "the data set own is not there to be read: its owner trains on it, asked by metaqnn.Search "
        "with shape and classes; npz:FILE and folder:DIR can be read"
    )


def _torchvision(name: str, part: str, path: Path | None, config: DataOptions) -> Images | None:
    import torchvision

    if part == "validation":
        return None
    if path is None:
        raise MetaqnnError(f"say with --data-dir where {name} lies (--download fetches it)")
    kind: Any = getattr(torchvision.datasets, name)
    which: dict[str, Any] = {"split": part} if name == "SVHN" else {"train": part == "train"}
    try:
        found = kind(root=str(path), download=config.download, **which)
    except Exception as error:  # whatever torchvision trips over in a broken file, it is told
        advice = "" if config.download else "; --download fetches it"
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{name} is not in {path}, or broken: {reason}{advice}") from None
    pixels = np.asarray(found.data)
    if name != "SVHN":
        pixels = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 1)
    labels = np.asarray(found.labels if name == "SVHN" else found.targets)
    names = getattr(found, "classes", None) or map(str, range(int(labels.max()) + 1))
    return _images(pixels, labels, tuple(names), config)


def _images(
    pixels: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], config: DataOptions
) -> Images:
    """Images of bytes of shape (images, channels, height, width)."""
    height, width = pixels.shape[2:]
    wanted = (config.image_size or height, config.image_size or width)
    preparation = Preparation(size=None if wanted == (height, width) else (height, width))
    images = resized(pixels, wanted)
    places = torch.from_numpy(labels.astype(np.int64))
    made = Images(images, places, classes, preparation=preparation)
    return replace(made, origin=Origin({"train": made.counts}))
