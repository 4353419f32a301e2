"""Packages that not everybody needs: the extras of pyproject.toml."""

import sys
from importlib.util import find_spec

from metaqnn.errors import MetaqnnError


def need(what: str, extra: str, *packages: str) -> None:
    """Look whether the packages are installed that something needs and an extra brings.

    Raises:
        MetaqnnError: One is missing; the message has the command that installs it.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MetaqnnError(
            f"{what} needs {' and '.join(missing)}: "
            f"{sys.executable} -m pip install 'metaqnn[{extra}]'"
        )
