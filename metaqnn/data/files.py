"""Which files below a folder are pictures, and what the others are."""

import os
from collections.abc import Iterator
from pathlib import Path

from metaqnn.errors import MetaqnnError

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

HIDDEN = (
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "lost+found",
    "system volume information",
    "__pycache__",
)
"""Folders that file systems and archives make, beside those that begin with a dot."""

SYSTEM = (".ds_store", "thumbs.db", "desktop.ini")
"""Files of which nobody needs to be told."""

Passed = dict[str, list[str]]
"""What was passed over: in words, and the names."""


def entries_of(path: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name.

    Raises:
        MetaqnnError: It cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in HIDDEN


def subfolders(path: Path, passed: Passed) -> Iterator[tuple[str, Path]]:
    """The folders in a folder that are not hidden, by name."""
    for entry in entries_of(path):
        if entry.is_symlink() and not os.path.exists(entry):  # nor does one in a circle lead on
            passed.setdefault("links that lead nowhere", []).append(entry.name)
            continue
        if not entry.is_dir():
            continue
        if _is_hidden(entry.name):
            passed.setdefault("hidden folders", []).append(entry.name)
        elif entry.name.lower() == "thumbs" and not pictures_in(Path(entry.path), {}):
            passed.setdefault("folders without pictures", []).append(entry.name)
        else:
            yield entry.name, Path(entry.path)


def pictures_in(folder: Path, passed: Passed) -> list[Path]:
    """The pictures in a folder and in those below it, by their paths."""
    found: list[Path] = []
    below: list[tuple[str, list[str]]] = []
    seen: set[str] = set()
    for place, names, files in os.walk(folder, followlinks=True, onerror=_tell):
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
            path = Path(place, name)
            # such as a pipe, which never ends
            is_special = os.path.exists(path) and not os.path.isfile(path)
            if suffix in READ and not name.startswith(".") and not is_special:
                found.append(path)
            elif name.lower() not in SYSTEM:
                passed.setdefault(_reason(name, suffix), []).append(name)
    return found


def _tell(error: OSError) -> None:
    raise MetaqnnError(f"{error.filename} cannot be read: {error.strerror}")


def _reason(name: str, suffix: str) -> str:
    """Why a file is no picture."""
    if name.startswith("."):
        return "hidden files"
    if suffix in UNREAD:
        return f"files of a kind that is not read ({suffix or 'no suffix'})"
    return f"files that are no pictures ({suffix})"


def is_picture(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a picture of a kind that is read."""
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in READ and not entry.name.startswith(".") and os.path.isfile(entry)


def describe_passed(passed: Passed) -> tuple[str, ...]:
    """What was left out, in words."""
    return tuple(
        f"{what}: {len(names):,}, such as {names[0]}" for what, names in sorted(passed.items())
    )


def describe_instead(passed: Passed) -> str:
    """What there is instead of pictures, in words."""
    told = describe_passed(passed)
    return f", but {', '.join(told)}" if told else ""
