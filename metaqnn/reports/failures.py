"""The log of networks that failed, for those who look for the reason."""

from pathlib import Path
from typing import Any

from metaqnn.search.events import Event
from replay import Memory
from state_space import Space

LOG = "failures.log"
"""Its name in the folder of a run; it is not there where no network has failed."""


class FailureLog:
    """Adds an entry to a file for every network that fails.

    An entry is the number of the trial, the network and the error in a line, and the traceback
    where there is one, indented.
    """

    def __init__(self, path: Path, space: Space[Any]) -> None:
        """The file is made with the first entry."""
        self.path = path
        self.space = space

    def begin(self, memory: Memory) -> None:
        """What failed before is in the file."""

    def __call__(self, event: Event) -> None:
        """Add an entry if a network has failed."""
        outcome = event.outcome
        if outcome.error is None or not event.is_new:
            return
        network = self.space.text(event.trial.walk)
        lines = [f"trial {event.trial.number}: {network}: {outcome.error}"]
        lines += [f"    {line}" for line in (outcome.traceback or "").splitlines()]
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def close(self) -> None:
        """Every entry was written at once."""
