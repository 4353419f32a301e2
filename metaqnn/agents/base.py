"""What an agent is: it proposes walks through a space and learns from their rewards."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from metaqnn.errors import MetaqnnError
from metaqnn.options import Section
from metaqnn.registry import Table, is_class_of
from replay import Trial
from state_space import Architecture, Space, Token

if TYPE_CHECKING:
    import pandas as pd


Signals = Callable[[Architecture], tuple[float, ...]]
"""What is told of a network before it is trained: always as many numbers."""


@dataclass(frozen=True)
class Proposal:
    """A complete walk, and what the agent says of it.

    Attributes:
        walk: Legal in its stage.
        note: Numbers worth keeping, such as its epsilon.
        stage: Of the walk, where the agent grows the space by itself; None is that of the search.
    """

    walk: tuple[Token, ...]
    note: Mapping[str, float] = field(default_factory=dict)
    stage: int | None = None


class Agent(ABC):
    """Proposes networks and learns from their rewards; it knows no evaluator and no memory.

    An agent draws from one generator of its own, which is part of its snapshot. What it is told
    makes it what it is: by default it is restored by telling it everything again, which may draw
    nothing, and by taking its generator back.

    Attributes:
        Options: Those that the agent owns.
        plans_for_budget: Whether what it proposes depends on the budget, so that a search with a
            small budget is not the beginning of one with a larger.
        decides_stage: Whether its proposals say how far the space has grown, so that what is
            exhausted in one stage goes on in the next.
        learns: Whether it learns from rewards, so that it must beat random search.
        wants_signals: Whether it is to be told `signals` before it is asked.
        signals: Of networks that are not trained yet, higher being better; None where it does not
            want any.
        weighs_costs: Whether it looks for the front by itself where it knows what networks cost.
        costs: Tells that, always as many numbers, lower being better; then it is told rewards, and
            else, where less of something is wanted too, how far a network is beyond the front.
        generator: Draws all that is random.
    """

    Options: ClassVar[type[Section]] = Section
    plans_for_budget: bool = False
    decides_stage: bool = False
    learns: bool = True
    wants_signals: bool = False
    signals: Signals | None = None
    weighs_costs: bool = False
    costs: Signals | None = None
    generator: np.random.Generator

    @classmethod
    def from_options(cls, options: Any, space: Space[Any], seed: int) -> Self:
        """A new agent; without more it is made of space and seed, and of its options if it has any.

        Raises:
            MetaqnnError: A file that the options name is not there or does not fit.
        """
        make: Any = cls
        made: Self = make(space, seed) if cls.Options is Section else make(space, seed, options)
        return made

    @abstractmethod
    def ask(self, stage: int = 0) -> Proposal:
        """Propose a network; may be called several times before a tell."""

    @abstractmethod
    def tell(self, trial: Trial, reward: float) -> None:
        """Learn of a finished trial, each once, in any order, also of walks never proposed."""

    def snapshot(self) -> bytes:
        """All that the agent knows beyond the history of trials that it was told."""
        return generator_to_bytes(self.generator)

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Make a new agent equal to the one that made the snapshot.

        Args:
            snapshot: None for an agent that has done nothing yet.
            history: The trials that it had been told, with their rewards, in that order.
        """
        for trial, reward in history:
            self.tell(trial, reward)
        if snapshot is not None:
            self.generator = generator_from_bytes(snapshot)

    def knowledge(self) -> "pd.DataFrame | None":
        """What it has learnt of each decision: `metaqnn.agents.q_frame.table_frame`, or None."""
        return None

    @property
    def knows(self) -> str:
        """What the numbers of `knowledge` are, for labels."""
        return "Q-value"


AGENTS: Table[type[Agent]] = Table(
    "agent",
    {
        "q-learning": "metaqnn.agents.q_learning:QLearning",
        "reinforce": "metaqnn.agents.reinforce:Reinforce",
        "ppo": "metaqnn.agents.ppo:Ppo",
        "actor-critic": "metaqnn.agents.actor_critic:ActorCritic",
        "evolution": "metaqnn.agents.evolution:Evolution",
        "bayesian": "metaqnn.agents.bayesian:Bayesian",
        "progressive": "metaqnn.agents.progressive:Progressive",
        "local-search": "metaqnn.agents.local_search:LocalSearch",
        "random": "metaqnn.agents.random:RandomSearch",
    },
    "metaqnn.agents",
    is_class_of(Agent),
)


def restore_agent(
    agent: Agent, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]
) -> None:
    """Restore a new agent from a memory, whoever has written that.

    Raises:
        MetaqnnError: The snapshot is damaged, or is not of the history.
    """
    try:
        agent.restore(snapshot, history)
    except MetaqnnError:
        raise
    except Exception as error:  # a snapshot from outside can be anything
        reason = f"{type(error).__name__}: {error}"
        raise MetaqnnError(f"the agent cannot be restored from the memory: {reason}") from error


def generator_to_bytes(generator: np.random.Generator) -> bytes:
    """The generator's state, as JSON."""
    return json.dumps(generator.bit_generator.state).encode()


def generator_from_bytes(state: bytes) -> np.random.Generator:
    """The generator whose state was kept."""
    generator = np.random.default_rng(0)
    generator.bit_generator.state = json.loads(state)
    return generator
