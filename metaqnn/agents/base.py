"""What an agent is: it proposes walks through a space and learns from their rewards."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from replay import Trial
from state_space import Space, Token

if TYPE_CHECKING:
    from metaqnn.config import RunConfig


@dataclass(frozen=True)
class Proposal:
    """A complete walk, and what the agent says of it.

    Attributes:
        walk: Legal in its stage.
        note: What a person may want to know of the proposal, such as its epsilon.
        stage: Of the walk, where the agent grows the space by itself; else that of the search.
    """

    walk: tuple[Token, ...]
    note: Mapping[str, float] = field(default_factory=dict)
    stage: int | None = None


class Agent(ABC):
    """Proposes networks and learns from their rewards; it knows no evaluator and no memory.

    An agent draws from one generator of its own, which is part of its snapshot.

    Attributes:
        plans_for_budget: Whether what it proposes depends on the budget, so that a search with a
            small budget is not the beginning of one with a larger.
    """

    plans_for_budget: bool = False

    @classmethod
    @abstractmethod
    def from_config(cls, config: "RunConfig", space: Space[Any]) -> Self:
        """An agent with the run's options and seed."""

    @abstractmethod
    def ask(self, stage: int = 0) -> Proposal:
        """Propose a network; may be called several times before a tell."""

    @abstractmethod
    def tell(self, trial: Trial, reward: float) -> None:
        """Learn of a finished trial, each once, in any order, also of walks never proposed."""

    @abstractmethod
    def snapshot(self) -> bytes:
        """All that the agent knows beyond the history of trials that it was told."""

    @abstractmethod
    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Make a new agent equal to the one that made the snapshot.

        Args:
            snapshot: None for an agent that has done nothing yet.
            history: The trials that it had been told, with their rewards, in that order.
        """


def generator_to_bytes(generator: np.random.Generator) -> bytes:
    """The generator's state, as JSON."""
    return json.dumps(generator.bit_generator.state).encode()


def generator_from_bytes(state: bytes) -> np.random.Generator:
    """The generator whose state was kept."""
    generator = np.random.default_rng(0)
    generator.bit_generator.state = json.loads(state)
    return generator
