"""Files to which trained networks are written: the suffix chooses the format."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from metaqnn.errors import MetaqnnError
from metaqnn.storage import why


class Format(Protocol):
    """A format of files."""

    @property
    def write(self) -> Callable[..., None]:
        """Writes what is exported to a file, the last argument."""

    @property
    def check(self) -> Callable[[], None]:
        """Sees whether the packages are there that it takes to write."""


Known = TypeVar("Known", bound=Format)


def find_format(formats: Mapping[str, Known], path: Path) -> Known:
    """The format of a file, by its suffix.

    Raises:
        MetaqnnError: There is none.
    """
    if path.suffix not in formats:
        raise MetaqnnError(f"{path}: the suffix must be one of {', '.join(formats)}")
    return formats[path.suffix]


def check_target(formats: Mapping[str, Format], target: Path) -> None:
    """See whether something could be written to a file, before it is trained for hours.

    Raises:
        MetaqnnError: The suffix is unknown, a package is missing, or the folder is not there.
    """
    find_format(formats, target).check()
    if not target.parent.is_dir():
        raise MetaqnnError(f"{target} cannot be written: there is no folder {target.parent}")


def write_target(formats: Mapping[str, Format], target: Path, *exported: Any) -> None:
    """Write something in the format of the target's suffix.

    Raises:
        MetaqnnError: The suffix is unknown, a package is missing, or the file cannot be written.
    """
    form = find_format(formats, target)
    try:
        form.write(*exported, target)
    except OSError as error:
        raise MetaqnnError(f"{target} cannot be written: {why(error, target)}") from None
