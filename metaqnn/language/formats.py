"""The formats of exported language models."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from metaqnn.errors import MetaqnnError
from metaqnn.language.files import load_model
from metaqnn.storage import why, write_file


def export(weights: Path, target: Path) -> None:
    """Write a model in the format of the target's suffix, one of FORMATS.

    Args:
        weights: Its file, as a search keeps it.
        target: The file to write.

    Raises:
        MetaqnnError: See `load_model`; or the suffix is unknown, a package is missing, or the file
            cannot be written.
    """
    form = _format(target)
    try:
        form.write(weights, target)
    except OSError as error:
        raise MetaqnnError(f"{target} cannot be written: {why(error, target)}") from None


def check_target(target: Path) -> None:
    """See whether a model could be written to a file, before it is trained for hours.

    Raises:
        MetaqnnError: The suffix is unknown, a package is missing, or the folder is not there.
    """
    _format(target).check()
    if not target.parent.is_dir():
        raise MetaqnnError(f"{target} cannot be written: there is no folder {target.parent}")


def _write_safetensors(weights: Path, target: Path) -> None:
    load_model(weights)
    write_file(target, weights.read_bytes())


class Format(NamedTuple):
    """What writes a file, and what sees whether the packages for it are there."""

    write: Callable[[Path, Path], None]
    check: Callable[[], None] = lambda: None


FORMATS = {".safetensors": Format(_write_safetensors)}
"""The formats by their suffixes."""


def _format(path: Path) -> Format:
    if path.suffix not in FORMATS:
        raise MetaqnnError(f"{path}: the suffix of a language model is {', '.join(FORMATS)}")
    return FORMATS[path.suffix]
