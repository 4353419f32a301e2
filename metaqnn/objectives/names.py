"""What can be wanted of networks beside their score: that they cost little."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from metaqnn.errors import MetaqnnError
from metaqnn.registry import check_name
from state_space import Architecture

LATENCY = "latency"
"""Seconds for an example, measured before the training."""

Costs = Callable[[Architecture], Mapping[str, float]]
"""What networks are known to cost before they are scored, by the names of metrics."""


class Objective(NamedTuple):
    """A metric of outcomes of which less is better.

    Attributes:
        metric: Its name in `Outcome.metrics`.
        label: What it is, for an axis.
    """

    metric: str
    label: str


OBJECTIVES: Mapping[str, Objective] = {
    "parameters": Objective("parameters", "parameters"),
    "multiply-adds": Objective("multiply_adds", "multiply-adds an image"),
    LATENCY: Objective(LATENCY, "latency in seconds"),
}
"""By the names that people give them."""

LABELS: Mapping[str, str] = {one.metric: one.label for one in OBJECTIVES.values()}
"""The label of each by its metric."""


def untold(metric: str) -> MetaqnnError:
    """What is said where networks do not have a metric that is wanted of them."""
    name = next((name for name, one in OBJECTIVES.items() if one.metric == metric), metric)
    return MetaqnnError(f"nothing tells the {name} of the networks of this run")


def metrics_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """The metrics of objectives, each once.

    Raises:
        MetaqnnError: There is no such objective.
    """
    known = [OBJECTIVES[check_name("objective", OBJECTIVES, name)].metric for name in names]
    return tuple(dict.fromkeys(known))
