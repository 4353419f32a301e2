"""The progress bar of what takes long."""

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def make_bar(*, quiet: bool = False) -> Progress:
    """A bar on standard error, where that is a terminal; its tasks have a field `state`."""
    return Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True, quiet=quiet or not sys.stderr.isatty()),
        speed_estimate_period=86_400,  # a network may take many minutes
    )
