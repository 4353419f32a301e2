"""The best network of a search that has a time, as what trains it for the rest of that knows it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from state_space import Space, Token


class Time(Protocol):
    """What is left of a time, in seconds."""

    @property
    def left(self) -> float:
        """All of it."""
        ...

    @property
    def for_last(self) -> float:
        """Of the last training."""
        ...


Scale = Mapping[str, int]


@dataclass(frozen=True)
class Best:
    """The network of a search that is to be trained for what is left of its time.

    Attributes:
        space: That makes it, as large as the space has its networks by itself.
        walk: Which.
        epoch: Seconds of an epoch of its training in the search, and
        multiply_adds: of the network there; NaN where nobody knows.
        workers: So many networks were trained beside each other.
        time: What is left.
        fit: The first of some scales on which it exceeds no limit.
    """

    space: Space[Any]
    walk: tuple[Token, ...]
    epoch: float
    multiply_adds: float
    workers: int
    time: Time
    fit: Callable[[Iterable[Scale]], Scale]
