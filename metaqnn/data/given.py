"""Arrays that a program has, as a data set."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metaqnn.errors import MetaqnnError
from metaqnn.storage import why, write_file
from metaqnn.terminal import counted

NAMES = ("x_train", "y_train", "x_test", "y_test")

NUMPY = (torch.float32, torch.float64)
"""Of the kinds of floats that tensors have, those that every array can have."""

WANTED = "dataset wants a name, (images, labels), or (images, labels, test images, test labels)"


def keep_arrays(given: Sequence[Any], folder: Path) -> str:
    """Write arrays, tensors or lists to a file, and say how it is named as a data set.

    The file is called by its content: the same arrays are one file. A run reads it again when it
    goes on.

    Args:
        given: Images (number, ...) and their labels, those for testing behind them or not at all.
        folder: Of the file; it is made if need be.

    Raises:
        MetaqnnError: They are not two or four, are no arrays, or cannot be written.
    """
    if len(given) not in (2, 4):
        raise MetaqnnError(f"{WANTED}; it has {counted(len(given), 'part')}")
    arrays = {name: as_array(value, name) for name, value in zip(NAMES, given, strict=False)}
    stream = BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's names are options to mypy
    content = stream.getvalue()
    path = folder / f"arrays-{hashlib.sha256(content).hexdigest()[:8]}.npz"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_file(path, content)
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be written: {why(error, path)}") from None
    return f"npz:{path}"


@contextmanager
def kept_arrays(given: Sequence[Any], folder: Path) -> Iterator[str]:
    """`keep_arrays`; what it has made is gone again where something is refused within.

    Args:
        given: See `keep_arrays`.
        folder: Likewise.

    Raises:
        MetaqnnError: Likewise.
    """
    is_new, before = not folder.exists(), set(folder.glob("arrays-*.npz"))
    name = keep_arrays(given, folder)
    try:
        yield name
    except BaseException:
        path = Path(name.removeprefix("npz:"))
        if path not in before:
            path.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # somebody else has put something there
                folder.rmdir()
        raise


def as_array(value: Any, name: str) -> np.ndarray:
    """A tensor, list or column of a table as an array of numbers or texts.

    Raises:
        MetaqnnError: It is none, such as a list of images of different sizes.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        if value.is_floating_point() and value.dtype not in NUMPY:
            value = value.float()
    try:
        array = np.asarray(value)
        if array.dtype == object and all(isinstance(own, str) for own in array.flat):
            array = array.astype(str)
    except (TypeError, ValueError, RuntimeError) as error:
        raise MetaqnnError(f"{name} cannot be read as an array: {error}") from None
    if array.dtype == object or not array.ndim:
        raise MetaqnnError(f"{name} is {value!r:.60}, not an array of numbers or texts; {WANTED}")
    return array
