"""The data sets: each function loads one part, "train" or "test", as uint8 images.

All have the signature of `metaqnn.training.data.Source`.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metaqnn.errors import MetaqnnError
from metaqnn.training.data import Images, Part

BROKEN = (
    *(OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error),
    MemoryError,  # its header claims more than there is
)
"""What a damaged npz file raises."""


def digits(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """scikit-learn's 1,797 scans, 8x8; a stratified fifth, 360 images, is the test part."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans = load_digits()
    indices = train_test_split(
        np.arange(len(scans.target)), test_size=360, stratify=scans.target, random_state=0
    )[0 if part == "train" else 1]
    # 17 grey levels, 0 to 16
    pixels = np.round(scans.images[indices] * (255 / 16)).astype(np.uint8)
    return _images(pixels, scans.target[indices], map(str, range(10)), image_size)


def mnist(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """MNIST."""
    return _torchvision("MNIST", part, path, image_size, download)


def fashion_mnist(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """Fashion-MNIST."""
    return _torchvision("FashionMNIST", part, path, image_size, download)


def cifar10(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """CIFAR-10."""
    return _torchvision("CIFAR10", part, path, image_size, download)


def cifar100(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """CIFAR-100."""
    return _torchvision("CIFAR100", part, path, image_size, download)


def svhn(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """SVHN, cropped digits, without its extra images."""
    return _torchvision("SVHN", part, path, image_size, download)


def npz(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """A file of arrays as Keras writes them: x_train, y_train, x_test, y_test.

    x is (images, height, width) or (images, height, width, channels), either 0 to 255 or, as
    floating-point numbers, 0 to 1; y is (images,) or (images, 1), whole numbers from 0.
    """
    names = (f"x_{part}", f"y_{part}")
    try:
        with Path(str(path)).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in names if name not in arrays]
            if missing:
                raise MetaqnnError(
                    f"{path} has no array {' and no '.join(missing)}, only {', '.join(arrays)}"
                )
            x, y = (arrays[name] for name in names)
    except BROKEN as error:
        raise MetaqnnError(f"{path} cannot be read as an npz file: {error}") from None
    labels = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise MetaqnnError(f"{path}: {names[1]} must be a list of whole numbers, one an image")
    if len(labels) != len(x):
        raise MetaqnnError(f"{path}: {len(x)} images in {names[0]}, {len(labels)} labels")
    labels = labels.astype(np.int64)  # -1, below, is no uint8
    classes = int(labels.max(initial=-1)) + 1
    unused = np.setdiff1d(np.arange(classes), labels)
    if labels.min(initial=0) < 0 or classes < 2 or (part == "train" and len(unused)):
        found = ", ".join(map(str, np.unique(labels)[:12]))
        raise MetaqnnError(f"{path}: labels must be 0, 1, ... without gaps, not {found}")
    return _images(_bytes(x, f"{path}: {names[0]}"), labels, map(str, range(classes)), image_size)


def folder(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """Pictures as torchvision's ImageFolder wants them: DIR/train/CLASS/*, DIR/test/CLASS/*."""
    from PIL import Image, UnidentifiedImageError
    from torchvision.datasets import ImageFolder

    root = Path(str(path)) / part
    try:
        found = ImageFolder(str(root), loader=lambda name: Image.open(name).convert("RGB"))
        pictures = [picture for picture, _ in found]
    except (OSError, UnidentifiedImageError) as error:
        raise MetaqnnError(f"{root} cannot be read: {error}") from None
    if image_size is not None:
        pictures = [picture.resize((image_size, image_size)) for picture in pictures]
    sizes = sorted({picture.size for picture in pictures})
    if len(sizes) > 1:
        raise MetaqnnError(
            f"the pictures in {root} differ in size, from {sizes[0]} to {sizes[-1]}; "
            "say with --image-size to which height and width to resize them"
        )
    pixels = np.stack([np.asarray(picture) for picture in pictures])
    return _images(pixels, np.array(found.targets), found.classes, None)


def own(part: Part, path: Path | None, image_size: int | None, download: bool) -> Images:
    """Images that only their owner has: there is nothing to load."""
    raise MetaqnnError(
        "the data set own is not there to be read: its owner trains on it, asked by metaqnn.Search "
        "with shape and classes; npz:FILE and folder:DIR can be read"
    )


def _torchvision(
    name: str, part: Part, path: Path | None, image_size: int | None, download: bool
) -> Images:
    import torchvision

    if path is None:
        raise MetaqnnError(f"say with --data-dir where {name} lies (--download fetches it)")
    kind: Any = getattr(torchvision.datasets, name)
    which: dict[str, Any] = {"split": part} if name == "SVHN" else {"train": part == "train"}
    try:
        found = kind(root=str(path), download=download, **which)
    except Exception as error:  # whatever torchvision trips over in a broken file, it is told
        advice = "" if download else "; --download fetches it"
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{name} is not in {path}, or broken: {reason}{advice}") from None
    pixels = np.asarray(found.data)
    if name == "SVHN":
        pixels = pixels.transpose(0, 2, 3, 1)
    labels = np.asarray(found.labels if name == "SVHN" else found.targets)
    names = getattr(found, "classes", None) or map(str, range(int(labels.max()) + 1))
    return _images(pixels, labels, names, image_size)


def _bytes(x: np.ndarray, name: str) -> np.ndarray:
    """Images as uint8."""
    if x.ndim not in (3, 4) or x.size == 0:
        raise MetaqnnError(
            f"{name} must have the shape (images, height, width[, channels]), not {x.shape}"
        )
    if x.dtype == np.uint8:
        return x
    if not np.issubdtype(x.dtype, np.number) or np.iscomplexobj(x):
        raise MetaqnnError(f"{name} must be numbers, not {x.dtype}")
    low, high = float(x.min()), float(x.max())
    if np.issubdtype(x.dtype, np.floating) and low >= 0 and high <= 1:
        return np.round(x * 255).astype(np.uint8)
    if np.issubdtype(x.dtype, np.integer) and low >= 0 and high <= 255:
        return x.astype(np.uint8)
    raise MetaqnnError(
        f"{name} must be whole numbers from 0 to 255, or floating-point numbers from 0 to 1; "
        f"it is {x.dtype} from {low:g} to {high:g}"
    )


def _images(pixels: np.ndarray, labels: np.ndarray, classes: Any, size: int | None) -> Images:
    """Images of pixels of shape (images, height, width[, channels])."""
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    if size is not None and images.shape[2:] != (size, size):
        resized = torch.nn.functional.interpolate(
            images.float(), (size, size), mode="bilinear", antialias=True, align_corners=False
        )
        images = resized.round_().clamp_(0, 255).to(torch.uint8)
    return Images(images, torch.from_numpy(labels.astype(np.int64)), tuple(classes))
