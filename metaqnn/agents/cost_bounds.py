"""How much a network may cost, drawn for every proposal where what costs less is wanted too."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from metaqnn.agents.base import Signals
from state_space import Space, Token

Walk = tuple[Token, ...]
Floats = npt.NDArray[np.float64]

MOST_KNOWN = 50_000
"""The costs of so many walks are kept: those of the neighbours of the best are asked for often."""

SMALLEST = 1e-12
"""Costs below it, such as 0, count as it: there is no logarithm of 0."""


class CostBounds:
    """Draws bounds, evenly on logarithmic scales between the lowest and the highest costs.

    To look for the best network within a bound that is drawn is to look for a random point of the
    front: the epsilon-constraint method of Haimes, Lasdon & Wismer 1971, whose bounds are drawn as
    Knowles 2006, "ParEGO", draws the weights of a sum.
    """

    def __init__(self, space: Space[Any], costs: Signals) -> None:
        """Nothing is looked at yet."""

        def look(walk: Walk) -> Floats:
            return np.log(np.maximum(costs(space.architecture(walk)), SMALLEST))

        self.logarithms = lru_cache(MOST_KNOWN)(look)

    def draw(self, walks: Iterable[Walk], generator: np.random.Generator) -> Floats:
        """A bound on each cost, no higher than the highest of these walks."""
        known = np.array([self.logarithms(walk) for walk in walks])
        low, high = known.min(0), known.max(0)
        bound: Floats = low + generator.random(len(low)) * (high - low)
        return bound

    def fits(self, bound: Floats, walk: Walk) -> bool:
        """Whether no cost of a walk's network is above its bound."""
        return bool((self.logarithms(walk) <= bound).all())
