"""Files of arrays, .npz and .npy: what is in them, under which names; sizes before pixels."""

import math
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from metaqnn.errors import MetaqnnError
from metaqnn.networks.memory import machine_memory

IMAGES = ("x", "images", "image", "imgs", "img", "data", "pixels", "inputs")
LABELS = ("y", "labels", "label", "targets", "target", "classes")
PARTS = {
    "train": ("train", "training", ""),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""How arrays are called, together or apart, in either order: x_train, TestLabels, val_images."""

ADVICE = "--arrays IMAGES,LABELS says which (and ,IMAGES,LABELS of the test part)"

DEFLATE = 1100
"""To how many bytes one of a zip file may grow; it cannot be more."""

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How numpy packs arrays."""

KINDS = ("images", "labels")

LONGEST_HEADER = 10_000
"""Characters of an array's header: that of an array of numbers has about a hundred."""


@dataclass(frozen=True)
class Array:
    """An array in a file that is not read yet.

    Attributes:
        name: Of it and its file, for messages.
        shape: As the file says it.
        dtype: Likewise.
        read: Reads it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Arrays:
    """The arrays of a data set.

    Attributes:
        parts: Images and labels of train, validation and test, where they are there.
        left_out: What was not understood, and why.
    """

    parts: Mapping[str, tuple[Array, Array]]
    left_out: tuple[str, ...] = ()


def open_arrays(path: str, names: str | None) -> Arrays:
    """The arrays at a path, of which only the headers are read.

    Args:
        path: A .npz file, a folder of .npy files, one .npy file beside which the others lie, or
            several .npy files with commas between them.
        names: IMAGES,LABELS of train[, test[, validation]]; None finds the usual names.

    Raises:
        MetaqnnError: They are not there, broken, or not to be told apart.
    """
    with told(path):
        if "," in path and not os.path.exists(path):  # of several names it may be too long for one
            files = [Path(name.strip()).expanduser() for name in path.split(",")]
            for file in files:
                check_is_file(file)
            found = {str(file): _npy(file) for file in files}
            return _choose(path, found, list(found))
        place = Path(path).expanduser()
        check_is_file(place)
        wanted = [name.strip() for name in names.split(",")] if names else None
        if place.is_dir() or place.suffix.lower() == ".npy":
            folder = place if place.is_dir() else place.parent
            found = {file.stem: _npy(file) for file in sorted(folder.glob("*.npy"))}
            if place.is_dir() and not found:
                raise ValueError("it is a folder without .npy files")
            if place.is_dir() or _slots(found).get(place.stem):
                return _choose(path, found, wanted)
            raise MetaqnnError(
                f"{path} cannot be read as an npz file: it is one array; say where the labels are, "
                "as npz:IMAGES.npy,LABELS.npy"
            )
        return _choose(path, _npz(place), wanted)


def check_is_file(path: Path) -> None:
    """See whether what is there can be read to its end, as a pipe cannot.

    Raises:
        MetaqnnError: It is neither a file nor a folder.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise MetaqnnError(f"{path} is neither a file nor a folder")


@contextmanager
def told(path: str | Path, kind: str = "an npz file") -> Iterator[None]:
    """Whatever numpy and zipfile trip over in a broken file becomes one line that names it.

    Raises:
        MetaqnnError: Something did.
    """
    try:
        yield
    except MetaqnnError:
        raise
    except Exception as error:  # their errors share no base class
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise MetaqnnError(f"{path} cannot be read as {kind}: {reason}") from None


def _choose(path: str, found: Mapping[str, Array], names: list[str] | None) -> Arrays:
    """The arrays of the parts, by the names that were asked for or the usual ones."""
    only = f"only {', '.join(found) or 'nothing'}"
    if names is not None:
        if len(names) not in (2, 4, 6) or len(set(names)) < len(names):
            raise MetaqnnError(f"the arrays {', '.join(names)} are not pairs; {ADVICE}")
        missing = [name for name in names if name not in found]
        if missing:
            raise MetaqnnError(f"{path} has no array {' and no '.join(missing)}, {only}")
        pairs = zip(names[::2], names[1::2], strict=True)
        parts = ("train", "test", "validation")
        return _with_images(
            {part: (found[x], found[y]) for part, (x, y) in zip(parts, pairs, strict=False)}
        )
    slots: dict[tuple[str, str], str] = {}
    for name, slot in _slots(found).items():
        if slot in slots:
            raise MetaqnnError(f"{path} has {slots[slot]} and {name}: {ADVICE}")
        slots[slot] = name
    lacking = [
        f"{'xy'[place]}_train" for place, kind in enumerate(KINDS) if ("train", kind) not in slots
    ]
    if lacking:
        raise MetaqnnError(f"{path} has no array {' and no '.join(lacking)}, {only}; {ADVICE}")
    chosen: dict[str, tuple[Array, Array]] = {}
    for part in PARTS:
        pair = [slots.get((part, kind)) for kind in KINDS]
        if None not in pair:
            chosen[part] = (found[str(pair[0])], found[str(pair[1])])
    used = {array.name for pair in chosen.values() for array in pair}
    left_out = tuple(
        f"the array {name}{' without ' + _other(slot) if slot else ''}"
        for name, slot in ((name, _slots(found).get(name)) for name in found)
        if found[name].name not in used
    )
    return _with_images(chosen, left_out)


def _with_images(
    parts: Mapping[str, tuple[Array, Array]], left_out: tuple[str, ...] = ()
) -> Arrays:
    """The parts that have images, and that of training."""
    empty = [part for part, (x, _) in parts.items() if x.shape[:1] == (0,) and part != "train"]
    kept = {part: pair for part, pair in parts.items() if part not in empty}
    return Arrays(kept, (*left_out, *(f"the {part} part, which has no images" for part in empty)))


def _other(slot: tuple[str, str]) -> str:
    return KINDS[1 - KINDS.index(slot[1])]


def _slots(names: Mapping[str, Array]) -> dict[str, tuple[str, str]]:
    """The part and the kind of those names that say them; train may go without saying."""
    found = {}
    for name in names:
        plain = re.sub("[^a-z0-9]", "", name.lower())
        for part, words in PARTS.items():
            for kind, nouns in zip(KINDS, (IMAGES, LABELS), strict=True):
                if any(plain in (word + noun, noun + word) for word in words for noun in nouns):
                    found[name] = (part, kind)
    said = {slot for name, slot in found.items() if "train" in name.lower()}
    return {
        name: slot
        for name, slot in found.items()
        if slot not in said or "train" in name.lower() or slot[0] != "train"
    }


def _npz(path: Path) -> dict[str, Array]:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        size = os.fstat(file.fileno()).st_size
        found = {}
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            name = info.filename.removesuffix(".npy")
            if name in found:
                raise ValueError(f"it has {name} twice")
            if info.compress_type not in PACKED:
                raise ValueError(f"{name} is packed otherwise than np.savez_compressed does")
            stored = info.compress_type == zipfile.ZIP_STORED
            most = info.compress_size * (1 if stored else DEFLATE) + (0 if stored else 1000)
            with archive.open(info) as stream:
                shape, dtype, header = read_header(stream)
            room = info.file_size if info.compress_size <= size else 0
            read = _reader(path, name, shape, dtype, header, min(room, most))
            found[name] = Array(f"{path}: {name}", shape, dtype, read)
    return found


def _npy(path: Path) -> Array:
    with path.open("rb") as stream:
        shape, dtype, header = read_header(stream)
        size = os.fstat(stream.fileno()).st_size
    return Array(str(path), shape, dtype, _reader(path, None, shape, dtype, header, size))


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape and type of an array, and how many bytes the header has."""
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"an array of version {version}, which is of none that are known")
    try:
        shape, _, dtype = readers[version](stream, max_header_size=LONGEST_HEADER)
    except ValueError as error:
        if "max_header_size" in str(error):
            raise ValueError(f"its header has over {LONGEST_HEADER:,} characters") from None
        raise
    return tuple(shape), dtype, stream.tell()


def _reader(
    path: Path, name: str | None, shape: tuple[int, ...], dtype: np.dtype, header: int, size: int
) -> Callable[[], np.ndarray]:
    """What reads an array, after a look whether its file can hold so many bytes."""
    what = name or "it"

    def read() -> np.ndarray:
        wanted = math.prod(shape) * dtype.itemsize
        problem = None
        if dtype.hasobject:
            problem = (
                f"{what} holds Python objects, whose reading could run code: write names as "
                "y.astype(str), and pictures of different sizes as files, for folder:DIR"
            )
        elif min(shape, default=1) < 0 or header + wanted != size:
            problem = (
                f"{what} says of itself that it is {shape} of {dtype}, {wanted:,} bytes, but has "
                f"{max(0, size - header):,}"
            )
        elif wanted > machine_memory():
            problem = (
                f"{what} needs {wanted / 1e9:,.3g} GB, this machine has "
                f"{machine_memory() / 1e9:,.3g} GB"
            )
        if problem:
            raise MetaqnnError(f"{path} cannot be read as an npz file: {problem}")
        with told(path):
            if name is None:
                return np.asarray(np.load(path, allow_pickle=False))
            with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)

    return read
