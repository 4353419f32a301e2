"""The data sets that can be chosen by name."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metaqnn.errors import MetaqnnError
from metaqnn.registry import Table, resolve
from metaqnn.storage import is_file, is_folder
from state_space.settings import suggestion

IMAGES, TEXT = "images", "text"
"""What a data set can have."""


@dataclass(frozen=True)
class DataSetEntry:
    """A data set that can be chosen by name.

    Attributes:
        source: "module:function" that loads it; see `metaqnn.data.parts.Source`.
        description: For people.
        shape: (channels, height, width), where it is fixed.
        classes: Number of classes, where it is fixed.
        space: Preset that a run searches unless told otherwise.
        time_limit: Of a run that says neither what to search nor for how long, if any.
        validation: Validation images: a number, or a share below 1 of the training images.
        holds: What it has: IMAGES or TEXT.
        options: Other defaults of a run on this data set.
    """

    source: str
    description: str
    shape: tuple[int, int, int] | None = None
    classes: int | None = None
    space: str = "practical"
    time_limit: str | None = None
    validation: float = 0.1
    holds: str = IMAGES
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def evaluator(self) -> str:
        """Of runs on it."""
        return {IMAGES: "train", TEXT: "language"}[self.holds]


_SOURCES = "metaqnn.data.sources"
_TEXTS = "metaqnn.language.corpus"

DATASETS: Table[DataSetEntry] = Table(
    "data set",
    {
        "digits": DataSetEntry(
            f"{_SOURCES}:digits",
            "1,797 scans of digits, 1,437 for training (part of scikit-learn, no download)",
            (1, 8, 8),
            10,
            space="digits",
            validation=0.2,
            options={"batch_size": 64, "learning_rate": 3e-3, "threads": 1},
        ),
        "mnist": DataSetEntry(
            f"{_SOURCES}:mnist",
            "70,000 digits, 60,000 for training",
            (1, 28, 28),
            10,
            "metaqnn-mnist",
        ),
        "fashion-mnist": DataSetEntry(
            f"{_SOURCES}:fashion_mnist",
            "70,000 pictures of clothes, 60,000 for training",
            (1, 28, 28),
            10,
            "metaqnn-mnist",
        ),
        "ptb": DataSetEntry(
            f"{_TEXTS}:read_ptb",
            "Penn Treebank, ptb.train.txt, ptb.valid.txt and ptb.test.txt in --data-dir",
            space="recurrent-small",
            holds=TEXT,
        ),
        "ptb-char": DataSetEntry(
            f"{_TEXTS}:read_ptb",
            "the same character by character",
            space="recurrent-small",
            holds=TEXT,
            options={"tokens": "characters"},
        ),
        "cifar10": DataSetEntry(
            f"{_SOURCES}:cifar10",
            "60,000 photographs, 50,000 for training",
            (3, 32, 32),
            10,
            "metaqnn-cifar10",
        ),
        "cifar100": DataSetEntry(
            f"{_SOURCES}:cifar100",
            "60,000 photographs, 50,000 for training",
            (3, 32, 32),
            100,
            "metaqnn-cifar10",
        ),
        "svhn": DataSetEntry(
            f"{_SOURCES}:svhn",
            "99,289 house numbers, 73,257 for training",
            (3, 32, 32),
            10,
            "metaqnn-svhn",
        ),
        "own": DataSetEntry(
            f"{_SOURCES}:own",
            "images that metaqnn never sees: metaqnn.Search asks you to train on them",
        ),
    },
    "metaqnn.datasets",
    lambda found: isinstance(found, DataSetEntry),
)
"""Data sets with a name of their own."""

FILE_DATASETS = {
    "npz": DataSetEntry(
        "metaqnn.data.npz:npz",
        "npz:FILE, your own arrays x_train, y_train, x_test, y_test",
        time_limit="10m",
    ),
    "folder": DataSetEntry(
        "metaqnn.data.folder:folder",
        "folder:DIR, your own pictures as DIR/train/CLASS/*, DIR/test/CLASS/*, or DIR/CLASS/*",
        time_limit="10m",
    ),
    "text": DataSetEntry(
        f"{_TEXTS}:read_text",
        "text:FILE, your own text, read in words or with --tokens characters",
        space="recurrent-small",
        holds=TEXT,
    ),
}
"""Data sets that are named by what they are and where they lie, as npz:FILE."""


FORMS = (
    "a data set is npz:FILE, folder:DIR, text:FILE, the path of any, a name that `metaqnn "
    "datasets` lists, or module:NAME of one's own"
)


def find_dataset(name: str) -> tuple[DataSetEntry, str | None]:
    """The entry of a data set, and the path behind "npz:" or "folder:".

    Raises:
        MetaqnnError: There is no such data set.
    """
    kind, colon, path = full_name(name).partition(":")
    if colon and kind in FILE_DATASETS:
        if not path:
            raise MetaqnnError(f"data set {name!r}: a path must follow {kind}:")
        return FILE_DATASETS[kind], path
    if name not in DATASETS.names() and not colon:
        known = [*DATASETS.names(), *(f"{kind}:..." for kind in FILE_DATASETS)]
        if is_file(at_home(name)):
            raise MetaqnnError(
                f"the file {name} is no data set: unpack an archive, and name the folder of "
                "pictures in class folders, or an .npz file"
            )
        raise MetaqnnError(f"there is no data set {name!r}{suggestion(name, known)}")
    if colon and not re.fullmatch(r"[\w.]+:[\w.]+", name):
        raise MetaqnnError(f"there is no data set, file or folder {name!r}; {FORMS}")
    try:
        return DATASETS.find(name), None
    except MetaqnnError as error:
        raise MetaqnnError(f"{error}; {FORMS}" if colon else str(error)) from None


def names_of(holds: str) -> str:
    """The data sets that have images or texts, as they are chosen."""
    names = [name for name in DATASETS if DATASETS.find(name).holds == holds]
    ours = [
        entry.description.split(",")[0] for entry in FILE_DATASETS.values() if entry.holds == holds
    ]
    return ", ".join([*names, *ours])


def at_home(path: str) -> Path:
    """The path, with ~ written out.

    Raises:
        MetaqnnError: There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise MetaqnnError(f"{path}: {error}") from None


def full_name(name: str) -> str:
    """The name of a data set with its kind, where it is the path of a file or folder alone.

    Raises:
        MetaqnnError: It is on the web.
    """
    kind, colon, path = name.partition(":")
    if "://" in name:
        raise MetaqnnError(
            f"{name} is an address: download it, and name the file or folder; {FORMS}"
        )
    if colon and kind.lower() in FILE_DATASETS:
        return f"{kind.lower()}:{path}"
    if name in DATASETS:
        return name
    place = at_home(name)
    if place.suffix.lower() in (".npz", ".npy"):
        return f"npz:{name}"
    if place.suffix.lower() == ".txt":
        return f"text:{name}"
    return f"folder:{name}" if name and is_folder(place) else name


def find_source(entry: DataSetEntry) -> Callable[..., Any]:
    """The function that loads a data set."""
    found: Callable[..., Any] = resolve(entry.source)
    return found
