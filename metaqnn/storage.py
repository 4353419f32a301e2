"""Files that are written whole or not at all; folders of runs, and who may work in them."""

import errno
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from metaqnn.errors import MetaqnnError, SearchStopped

FREE_SPACE = (
    "; free some space, then the same command does it, or `metaqnn resume` goes on with a run"
)
"""How to go on where a disk is full."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
ONLY_READ = (errno.EROFS, errno.EACCES, errno.EPERM)
"""What systems say of disks that cannot be written now, and of places that cannot be at all."""

LOCK = "lock"
PATIENCE = 0.3
"""Seconds for which a lock is awaited, for whoever only looks whether it is free has it briefly."""


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file durably; whoever reads it finds what was there before, or all of the new.

    Raises:
        OSError: It cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():  # a pipe, such as /dev/stdout
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as error:
        # where the disk is full the error does not say which file it is
        raise OSError(error.errno, error.strerror, str(path)) from None


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_output(path: Path, content: str | bytes) -> None:
    """The same for a file that a person has named.

    Raises:
        MetaqnnError: It cannot be written.
    """
    try:
        write_file(path, content)
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be written: {error.strerror}{way_on(error)}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        MetaqnnError: The file is not there, not readable or not TOML, or a folder.
    """
    if path.is_dir():
        raise MetaqnnError(f"{path} is a folder, and a TOML file is wanted")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MetaqnnError(f"{path} cannot be read: {reason}") from error


def as_path(path: Any, what: str) -> Path:
    """A path that a program has given.

    Raises:
        MetaqnnError: It is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise MetaqnnError(f"{what} is {path!r:.80}, not a path")
    return Path(path)


def named_folder(results: Path, name: str) -> Path:
    """The folder of a run of this name.

    Raises:
        MetaqnnError: The name is not one of a folder within the results.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise MetaqnnError(
            f"the name {name!r} must be letters, digits, '_', '-' and '.', and not start with "
            "one of the last two"
        )
    return results / name


def free_folder(results: Path, stem: str) -> Path:
    """The first of stem-1, stem-2, ... that is not there."""
    number = 1
    while (results / f"{stem}-{number}").exists():
        number += 1
    return results / f"{stem}-{number}"


def way_on(error: OSError) -> str:
    """What to do about a full disk, to be put behind the error; nothing where it is another."""
    return FREE_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""


def why(error: OSError, path: Path) -> str:
    """What the system says is wrong, with which file if not with this, and what to do about it."""
    name = f" ({error.filename})" if error.filename not in (None, str(path)) else ""
    return f"{error.strerror or error}{name}{way_on(error)}"


@contextmanager
def going_on(folder: Path, command: str = "metaqnn resume") -> Iterator[None]:
    """What keeps a run's folder from being written is told in one line, with how to go on.

    Args:
        folder: Of the run.
        command: That goes on with it.

    Raises:
        SearchStopped: The disk is full or broken.
        MetaqnnError: The folder can only be read.
    """
    try:
        yield
    except OSError as error:
        told = f"{error.filename or folder} cannot be written: {error.strerror}"
        if error.errno in ONLY_READ:
            way = f"copy {folder} to where it can be written, and go on there"
            raise MetaqnnError(f"{told}; {way}") from error
        if error.errno not in FULL:
            raise
        way = f"`{command} {shlex.quote(str(folder))}` goes on"
        raise SearchStopped(f"{told}; free some space, then {way}") from error


@contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Keep other processes from working on a folder; a process that dies lets go.

    Raises:
        MetaqnnError: Another process has it.
        OSError: It cannot be written.
    """
    try:
        with FileLock(path / LOCK, timeout=PATIENCE):
            yield
    except Timeout:
        raise MetaqnnError(
            f"another process is working on {path}, or another metaqnn.Search of this one"
        ) from None
