"""Which pictures a folder has, of which class and part, and what in it is none."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metaqnn.data.files import (
    READ,
    Passed,
    describe_instead,
    describe_passed,
    entries_of,
    is_picture,
    pictures_in,
    subfolders,
)
from metaqnn.data.labels import check_classes, folded, listed, match_classes
from metaqnn.errors import MetaqnnError
from metaqnn.storage import is_folder, look
from metaqnn.terminal import counted

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""How the folders of the parts are called, in capitals or not."""

TEST_SHARE = 5
"""Where there are but class folders, one picture in so many is for the test."""


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder.

    Attributes:
        root: The folder.
        classes: Names of the classes of the training pictures, in their order.
        parts: Of each part that is there, the files and the places of their classes.
        folders: Where each part lies.
        left_out: What was there and is no picture, and why.
        warnings: What looks wrong.
    """

    root: Path
    classes: tuple[str, ...]
    parts: Mapping[str, tuple[tuple[Path, ...], np.ndarray]]
    folders: Mapping[str, Path]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


def list_folder(root: Path) -> Listing:
    """The pictures in DIR/train/CLASS, DIR/val/CLASS and DIR/test/CLASS, or in DIR/CLASS.

    Raises:
        MetaqnnError: There are none, of too few classes, or the folders look like other ones.
    """
    if not is_folder(root):
        problem = "it is a file, no folder" if look(root) else "there is no such folder"
        raise MetaqnnError(f"{root} cannot be read: {problem}")
    passed: Passed = {}
    folders = _find_parts(root, passed)
    split = "train" not in folders
    train = root if split else folders["train"]
    found = {name: pictures_in(path, passed) for name, path in subfolders(train, passed)}
    _check_folders(root, train, found)
    classes = tuple(found)
    empty = [name for name, files in found.items() if not files]
    if empty:
        raise MetaqnnError(
            f"{train} cannot be read: the class {listed(empty)} has no pictures "
            f"({', '.join(READ)}){describe_instead(passed)}; remove the folder if it is no class"
        )
    files = [file for name in classes for file in found[name]]
    places = np.repeat(np.arange(len(classes)), [len(found[name]) for name in classes])
    loose = sum(is_picture(entry) for entry in entries_of(train))
    warnings = _suspicions(train, found)
    if loose:
        warnings += (
            counted(loose, f"picture in {train} lies", f"pictures in {train} lie")
            + " in no class folder: left out",
        )
    parts = {"train": (tuple(files), places)}
    if split:
        parts, told = _split_test(files, places)
        warnings += told
        folders = {"train": root}
    for part, path in folders.items():
        if part == "train":
            continue
        others = {name: pictures_in(sub, passed) for name, sub in subfolders(path, passed)}
        others = {name: some for name, some in others.items() if some}
        if not others:
            warnings += (f"{path} has no pictures in class folders: there is no {part} part",)
            continue
        try:
            matched, told = match_classes(list(others), classes, str(path), str(train))
        except MetaqnnError as error:
            if part == "validation":
                raise
            warnings += (f"the test part cannot be used: {error}",)
            matched, told = [-1] * len(others), ()
        warnings += told
        counts = [len(some) for some in others.values()]
        chosen = tuple(file for some in others.values() for file in some)
        parts[part] = chosen, np.repeat(np.array(matched, np.int64), counts)
    return Listing(root, classes, parts, folders, describe_passed(passed), warnings)


def _find_parts(root: Path, passed: Passed) -> dict[str, Path]:
    """The folders of the parts; none where all folders are classes.

    Raises:
        MetaqnnError: There are several of one, or no train beside the others.
    """
    found: dict[str, Path] = {}
    below = dict(subfolders(root, {}))
    for name, path in below.items():
        for part, names in PARTS.items():
            if name.lower() in names:
                if part in found:
                    raise MetaqnnError(f"{root} has {found[part].name} and {name}: which is it?")
                found[part] = path
    others = [name for name, path in below.items() if path not in found.values()]
    # a class may be called train, or dev; a part has class folders in it
    filled = [path for path in found.values() if any(True for _ in subfolders(path, {}))]
    if not filled and others:
        return {}
    if filled and "train" not in found:
        raise MetaqnnError(
            f"{root} has {listed([path.name for path in filled])}, but no train; wanted are "
            f"{root}/train/CLASS/*"
        )
    for name in others:
        passed.setdefault(f"folders beside {found['train'].name}", []).append(name)
    return found


def _check_folders(root: Path, train: Path, found: Mapping[str, list[Path]]) -> None:
    """See whether the class folders look like classes.

    Raises:
        MetaqnnError: They look like parts, or there are fewer than two.
    """
    names = {name for some in PARTS.values() for name in some}
    within = {name: [sub for sub, _ in subfolders(train / name, {})] for name in found}
    split = [
        name for name, subs in within.items() if any(sub.lower() in PARTS["train"] for sub in subs)
    ]
    if len(split) > 1:
        raise MetaqnnError(
            f"{train} has train in each of {listed(split)}; wanted are the classes in the parts, "
            f"{root}/train/CLASS/*"
        )
    for name, inner in within.items():
        if name in split:
            raise MetaqnnError(
                f"{train} has the folder {name!r}, which has train in it: is the data set "
                f"folder:{train / name}?"
            )
        if name.lower() in names and inner and all(n.lower() in names for n in found):
            raise MetaqnnError(
                f"the classes would be {listed(list(found))}, which look like parts, one level too "
                f"deep: is the data set folder:{train}?"
            )
    if not found:
        loose = sum(is_picture(entry) for entry in entries_of(train))
        there = counted(loose, "picture") if loose else "no pictures"
        raise MetaqnnError(
            f"{train} cannot be read: it has {there} and no class folders; wanted are "
            f"{root}/train/CLASS/* and {root}/test/CLASS/*, or {root}/CLASS/*"
        )
    if len(found) == 1:
        ((name, inner),) = within.items()
        if len(inner) > 1:
            raise MetaqnnError(
                f"{train} has one class folder only, {name!r}, with the folders {listed(inner)} in "
                f"it, which look like classes one level too deep: is the data set "
                f"folder:{train / name}?"
            )
    check_classes(tuple(found), str(train))


def _suspicions(train: Path, found: Mapping[str, list[Path]]) -> tuple[str, ...]:
    """What looks wrong about class folders."""
    warnings = []
    deep = [name for name, files in found.items() if all(f.parent != train / name for f in files)]
    if deep:
        warnings.append(
            f"the class {listed(deep)} has pictures only in folders within its folder; each folder "
            f"in {train} is one class"
        )
    alike = Counter(map(folded, found))
    doubles = [name for name in found if alike[folded(name)] > 1]
    if doubles:
        warnings.append(f"the classes {listed(doubles)} differ only in how they are written")
    return tuple(warnings)


def _split_test(
    files: list[Path], places: np.ndarray
) -> tuple[dict[str, tuple[tuple[Path, ...], np.ndarray]], tuple[str, ...]]:
    """A stratified test part, a function of the files' order and classes alone."""
    random = np.random.default_rng(0)
    chosen = np.zeros(len(files), bool)
    for place in np.unique(places):
        here = np.flatnonzero(places == place)
        chosen[random.permutation(here)[: len(here) // TEST_SHARE]] = True
    indices = np.arange(len(files))
    if not chosen.any():
        return {"train": (tuple(files), places)}, ("there are too few pictures for a test part",)
    parts = {
        part: (tuple(files[place] for place in indices[mask]), places[mask])
        for part, mask in (("train", ~chosen), ("test", chosen))
    }
    told = f"{chosen.sum():,} pictures, a fifth of each class, are kept for the test"
    return parts, (f"there is no train folder: {told}",)
