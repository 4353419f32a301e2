"""Which pictures a folder has, of which class and part, and what in it is none."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metaqnn.data.labels import check_classes, folded, listed, match_classes
from metaqnn.errors import MetaqnnError

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""How the folders of the parts are called, in capitals or not."""

READ = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp"),
    *(".dib", ".tif", ".tiff", ".webp", ".gif", ".avif", ".jp2", ".j2k", ".jpx", ".tga", ".ico"),
)
"""Suffixes of the pictures that are read, in capitals or not."""

UNREAD = (
    *(".heic", ".heif", ".hif", ".svg", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf"),
    *(".psd", ".exr", ".hdr", ".eps", ".pdf", ".dcm", ".nii", ".jxl", ".mp4", ".mov", ".avi", ""),
)
"""Suffixes of what may be pictures and is not read."""

HIDDEN = ("__macosx", "@eadir", "$recycle.bin", "lost+found", "system volume information")
"""Folders that file systems and archives make, beside those that begin with a dot."""

TEST_SHARE = 5
"""Where there are but class folders, one picture in so many is for the test."""


SYSTEM = (".ds_store", "thumbs.db", "desktop.ini")
"""Files of which nobody needs to be told."""

Passed = dict[str, list[str]]
"""What was passed over: in words, and the names."""


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
    if not root.is_dir():
        raise MetaqnnError(f"{root} cannot be read: there is no such folder")
    passed: Passed = {}
    folders = _find_parts(root, passed)
    split = "train" not in folders
    train = root if split else folders["train"]
    found = {name: _pictures(path, passed) for name, path in _subfolders(train, passed)}
    _check_folders(root, train, found)
    classes = tuple(found)
    empty = [name for name, files in found.items() if not files]
    if empty:
        raise MetaqnnError(
            f"{train} cannot be read: the class {listed(empty)} has no pictures "
            f"({', '.join(READ)}){_but(passed)}; remove the folder if it is no class"
        )
    files = [file for name in classes for file in found[name]]
    places = np.repeat(np.arange(len(classes)), [len(found[name]) for name in classes])
    loose = sum(_is_picture(entry) for entry in _entries(train))
    warnings = _suspicions(train, found)
    if loose:
        warnings += (f"{loose:,} pictures in {train} lie in no class folder and are left out",)
    parts = {"train": (tuple(files), places)}
    if split:
        parts, told = _split_test(files, places)
        warnings += told
        folders = {"train": root}
    for part, path in folders.items():
        if part == "train":
            continue
        others = {name: _pictures(sub, passed) for name, sub in _subfolders(path, passed)}
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
    return Listing(root, classes, parts, folders, _describe(passed), warnings)


def find_pictures(path: Path) -> list[Path]:
    """The pictures of a folder and those in it, in their order; hidden ones are none."""
    return _pictures(path, {})


def _find_parts(root: Path, passed: Passed) -> dict[str, Path]:
    """The folders of the parts; none where all folders are classes.

    Raises:
        MetaqnnError: There are several of one, or no train beside the others.
    """
    found: dict[str, Path] = {}
    below = dict(_subfolders(root, {}))
    for name, path in below.items():
        for part, names in PARTS.items():
            if name.lower() in names:
                if part in found:
                    raise MetaqnnError(f"{root} has {found[part].name} and {name}: which is it?")
                found[part] = path
    others = [name for name, path in below.items() if path not in found.values()]
    # a class may be called train, or dev; a part has class folders in it
    filled = [path for path in found.values() if any(True for _ in _subfolders(path, {}))]
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


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in HIDDEN


def _subfolders(path: Path, passed: Passed) -> Iterator[tuple[str, Path]]:
    """The folders in a folder that are not hidden, by name."""
    for entry in _entries(path):
        if not entry.is_dir():
            continue
        if _is_hidden(entry.name):
            passed.setdefault("hidden folders", []).append(entry.name)
        elif entry.name.lower() == "thumbs" and not _pictures(Path(entry.path), {}):
            passed.setdefault("folders without pictures", []).append(entry.name)
        else:
            yield entry.name, Path(entry.path)


def _pictures(folder: Path, passed: Passed) -> list[Path]:
    """The pictures in a folder and in those below it, by their paths."""
    found: list[Path] = []
    below: list[tuple[str, list[str]]] = []
    seen: set[str] = set()
    for place, names, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link leads in a circle
            names.clear()
            continue
        seen.add(real)
        for name in filter(_is_hidden, names):
            passed.setdefault("hidden folders", []).append(name)
        names[:] = [name for name in names if not _is_hidden(name)]
        below.append((place, files))
    for place, files in sorted(below):
        for name in sorted(files):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in READ and not name.startswith("."):
                found.append(Path(place, name))
            elif name.lower() not in SYSTEM:
                passed.setdefault(_reason(name, suffix), []).append(name)
    return found


def _reason(name: str, suffix: str) -> str:
    """Why a file is no picture."""
    if name.startswith("."):
        return "hidden files"
    if suffix in UNREAD:
        return f"files of a kind that is not read ({suffix or 'no suffix'})"
    return f"files that are no pictures ({suffix})"


def _is_picture(entry: "os.DirEntry[str]") -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in READ and not entry.name.startswith(".") and entry.is_file()


def _check_folders(root: Path, train: Path, found: Mapping[str, list[Path]]) -> None:
    """See whether the class folders look like classes.

    Raises:
        MetaqnnError: They look like parts, or there are fewer than two.
    """
    names = {name for some in PARTS.values() for name in some}
    for name in found:
        inner = [sub for sub, _ in _subfolders(train / name, {})]
        if any(sub.lower() in PARTS["train"] for sub in inner):
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
        loose = sum(_is_picture(entry) for entry in _entries(train))
        there = f"{loose:,} pictures" if loose else "no pictures"
        raise MetaqnnError(
            f"{train} cannot be read: it has {there} and no class folders; wanted are "
            f"{root}/train/CLASS/* and {root}/test/CLASS/*, or {root}/CLASS/*"
        )
    if len(found) == 1:
        (name,) = found
        inner = [sub for sub, _ in _subfolders(train / name, {})]
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


def _describe(passed: Passed) -> tuple[str, ...]:
    """What was left out, in words."""
    return tuple(
        f"{len(names):,} {what}, such as {names[0]}" for what, names in sorted(passed.items())
    )


def _but(passed: Passed) -> str:
    """What there is instead of pictures, in words."""
    told = _describe(passed)
    return f", but {', '.join(told)}" if told else ""
