"""The log of networks that failed, for those who look for the reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from metaqnn.events import Event
from state_space import Space

LOG = "failures.log"
"""Its name in the folder of a run; it is not there where no network has failed."""


def log_failures(path: Path, space: Space[Any]) -> Callable[[Event], None]:
    """An observer of a search that adds an entry to a file for every network that failed.

    An entry is the number of the trial, the network and the error in a line, and the traceback
    where there is one, indented.

    Args:
        path: The file; it is made with the first entry.
        space: Of the search.
    """

    def observe(event: Event) -> None:
        outcome = event.outcome
        if outcome.error is None or not event.is_new:
            return
        network = space.architecture(event.trial.walk).text
        lines = [f"trial {event.trial.number}: {network}: {outcome.error}"]
        lines += [f"    {line}" for line in (outcome.traceback or "").splitlines()]
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    return observe
