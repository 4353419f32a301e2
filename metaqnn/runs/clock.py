"""The time that a run is given, and what is left of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from metaqnn import budget
from metaqnn.config import ROLES, RunConfig, chosen_sections, homes_of, read_time
from metaqnn.data.datasets import find_dataset
from metaqnn.evaluators.base import find_evaluator
from metaqnn.options import fields_of
from metaqnn.training.presets import PRACTICAL

RECIPE = "recipe"

SHARE = 0.3
"""Of the time, for the search."""

NETWORKS = 12
"""So many can be trained in the search, at least, if they are like the first."""

RESERVE, RESERVED = 2, 0.05
"""Seconds, and share of what is left, that the last training leaves for what comes before and
after."""

DEFAULTS: Mapping[str, Any] = {
    "space": "practical",
    RECIPE: PRACTICAL,
    "agent": "bayesian",
    "budget": 10_000,
}
"""What a run with a time has where nobody says otherwise: the agent plans for no budget."""

PLAN = ("time_limit", "space", "agent", "budget")
"""Options that say what is searched, or for how long."""


def defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """What options, of which some are given, are by themselves where there is a time.

    A data set may have a time for those who name neither what to search nor for how long.

    Raises:
        MetaqnnError: There is no such data set or evaluator.
    """
    limit = given.get("time_limit") or _usual_time(given)
    if limit is None:
        return {}
    evaluator = ROLES[0].chosen(given)
    options = fields_of(find_evaluator(evaluator).Options) if isinstance(evaluator, str) else {}
    chosen = DEFAULTS if RECIPE in options else {key: DEFAULTS[key] for key in ("agent", "budget")}
    return {**chosen, "time_limit": limit}


def _usual_time(given: Mapping[str, Any]) -> str | None:
    """The time of the data set, where no given option is of another plan."""
    dataset = given.get("dataset")
    if not isinstance(dataset, str) or given.keys() & set(PLAN):
        return None
    usual = find_dataset(dataset)[0].time_limit
    known = homes_of(chosen_sections({**DEFAULTS, **given}))
    return usual if given.keys() <= known.keys() else None


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
    def of(cls, config: RunConfig, began: float) -> Self | None:
        """The clock of a run's time, if it has one, since a moment on `time.monotonic`."""
        text = config.run.time_limit
        return None if text is None else cls(read_time(text), began)

    @property
    def search_ends(self) -> float:
        """On `time.monotonic`."""
        return self.began + SHARE * self.limit

    @property
    def confirming_begins(self) -> float:
        """On `time.monotonic`."""
        return self.began + (1 - 1 / budget.SHARE) * SHARE * self.limit

    @property
    def left(self) -> float:
        """Seconds."""
        return self.began + self.limit - time.monotonic()

    @property
    def for_last(self) -> float:
        """Seconds of the last training."""
        return max(1.0, (1 - RESERVED) * self.left - RESERVE)
