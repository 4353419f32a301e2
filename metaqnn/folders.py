"""Names of runs' folders."""

import re
from pathlib import Path

from metaqnn.errors import MetaqnnError


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
