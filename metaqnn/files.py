"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path

from metaqnn.errors import MetaqnnError

FREE_SPACE = (
    "; free some space, then the same command does it, or `metaqnn resume` goes on with a run"
)
"""How to go on where a disk is full."""


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


def way_on(error: OSError) -> str:
    """What to do about a full disk, to be put behind the error; nothing where it is another."""
    return FREE_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
