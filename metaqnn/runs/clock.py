"""The time that a run is given, and what is left of it."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import find_evaluator
from metaqnn.options import fields_of
from metaqnn.training.presets import PRACTICAL

RECIPE = "recipe"

SHARE = 0.3
"""Of the time, for the search."""

UNITS = {"s": 1, "m": 60, "h": 3600}

DEFAULTS: Mapping[str, Any] = {
    "space": "practical",
    RECIPE: PRACTICAL,
    "agent": "bayesian",
    "budget": 10_000,
}
"""What a run with a time has where nobody says otherwise: the agent plans for no budget."""


def defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What options, of which some are given, are by themselves where there is a time."""
    if "time_limit" not in given:
        return {}
    options = fields_of(find_evaluator(given.get("evaluator", "train")).Options)
    return {name: value for name, value in DEFAULTS.items() if name != RECIPE or name in options}


def read_time(text: str) -> float:
    """Seconds, of 90s, 10m or 1.5h.

    Raises:
        MetaqnnError: It is something else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or not float(found[1]):
        raise MetaqnnError(f"time-limit is {text!r}: a time is wanted, such as 90s, 10m or 1.5h")
    return float(found[1]) * UNITS[found[2]]


@dataclass(frozen=True)
class Clock:
    """What is left of a time.

    Attributes:
        limit: Seconds.
        began: On `time.monotonic`.
    """

    limit: float
    began: float

    @classmethod
    def start(cls, text: str) -> Self:
        """The clock of a time that begins now; see `read_time`."""
        return cls(read_time(text), time.monotonic())

    @property
    def search_ends(self) -> float:
        """On `time.monotonic`."""
        return self.began + SHARE * self.limit

    @property
    def left(self) -> float:
        """Seconds."""
        return self.began + self.limit - time.monotonic()
