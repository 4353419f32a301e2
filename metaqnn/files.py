"""Files that are written whole or not at all."""

import os
from pathlib import Path

from metaqnn.errors import MetaqnnError


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file durably; whoever reads it finds what was there before, or all of the new.

    Raises:
        OSError: It cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():  # a pipe, such as /dev/stdout
        path.write_bytes(data)
        return
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
        raise MetaqnnError(f"{path} cannot be written: {error.strerror}") from None
