"""What a search space is: a finite sequence of decisions, each with its legal options."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np

from state_space.architecture import Architecture

Token = str
"""One elementary decision, such as "C(64,3,1)"."""

State = TypeVar("State", bound=Hashable)
Observation = tuple[Any, ...]
"""What a tabular agent sees of a state, a NamedTuple: the key of a row of the Q-table."""


class IllegalMove(ValueError):
    """A walk takes a token that is not an option, stops too early or goes on too long."""


class TooManyStates(ValueError):
    """A space has more than `MOST_STATES` states, so that they cannot be gone through."""


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        kind: What is decided, a key of the space's vocabulary.
        options: The legal tokens, at least one, distinct, in the vocabulary's order.
        refers: Earlier positions of the walk that the decision is about (skip connections).
    """

    kind: str
    options: tuple[Token, ...]
    refers: tuple[int, ...] = ()


class Space(ABC, Generic[State]):
    """A search space: pure and immutable, it draws nothing at random and opens no file.

    Attributes:
        vocabulary: Every kind of decision with all its tokens, in a fixed order.
        trainable: Whether its networks can be built; else they are only scored by a table.
        scale: What `architecture` may be told of how large to make a network, and how large a
            search makes it: repeats of a cell, filters and the like. It is no decision.
    """

    vocabulary: Mapping[str, tuple[Token, ...]]
    trainable: bool = True
    scale: Mapping[str, int] = {}

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "Space[Any]":
        """The space of the keys of a TOML file; unless told otherwise they are keywords.

        Args:
            mapping: Without the keys `space` and `made-for`.
            shape: Of an example, such as (channels, height, width) of an image.
            outputs: How many there are, such as classes.

        Raises:
            SettingsError: Keys are unknown or values impossible; all are named.
        """
        return cls(**mapping)

    @abstractmethod
    def initial_state(self, stage: int = 0) -> State:
        """The state before the first decision; stage is how far a growing space has grown."""

    def grows(self, stage: int) -> bool:
        """Whether the stage after this one is another."""
        return self.initial_state(stage) != self.initial_state(stage + 1)

    def size(self, stage: int = 0) -> int | None:
        """The number of complete walks in the stages up to this one; None where none can count.

        By default the states are counted, up to `MOST_STATES` of them: those of a space whose
        states remember their walks are too many.
        """
        return space_size(self, stage)

    @abstractmethod
    def decision(self, state: State) -> Decision | None:
        """The decision to take in this state; None where the architecture is complete."""

    @abstractmethod
    def step(self, state: State, token: Token) -> State:
        """The state after the token, which must be one of the decision's options."""

    @abstractmethod
    def observation(self, state: State) -> Observation:
        """The state's row of the Q-table, a NamedTuple whose fields are columns.

        States of one observation have the same decision.
        """

    def layer(self, observation: Observation) -> int:
        """Which layer of a network a decision is about, from 0: its place in figures.

        Unless the space says more, all decisions are about one layer.
        """
        return 0

    def rows(self, stage: int = 0) -> Mapping[Observation, Decision]:
        """All rows of the Q-table with their decisions, the first state's first.

        Unless the space knows them, every move is gone through.

        Raises:
            TooManyStates: They are more than can be gone through.
        """
        return enumerate_rows(self, stage)

    @abstractmethod
    def action(self, token: Token) -> Observation:
        """The token as a NamedTuple whose fields are columns of the Q-table."""

    @abstractmethod
    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The network of a complete walk.

        Args:
            walk: The genotype.
            scale: Other values than those of the space's scale; see `check_scale`.

        Raises:
            IllegalMove: The walk is not legal or not complete.
        """

    def text(self, walk: Sequence[Token]) -> str:
        """What a person reads in the place of a walk, which `parse` takes back.

        Unless the space has something shorter it is the text of the network.
        """
        return self.architecture(walk).text

    @abstractmethod
    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of a text that `text` gave, or of the network's own text.

        Raises:
            ValueError: The text is malformed, or not an architecture of this space.
        """

    def starts(self) -> tuple[tuple[Token, ...], ...]:
        """Walks of networks made by hand to begin with; `text` gives what `--start-from` takes."""
        return ()


def legal_walk(
    space: Space[State], walk: Sequence[Token], stage: int = 0
) -> Iterator[tuple[State, Decision, Token]]:
    """Yield every state of a complete walk, with the decision in it and the token taken.

    Raises:
        IllegalMove: A token is no option, or the walk is too short or too long; the message names
            the position, counted from 1.
    """
    state = space.initial_state(stage)
    for position, token in enumerate(walk, start=1):
        decision = space.decision(state)
        if decision is None:
            raise IllegalMove(
                f"position {position}: {token} comes after the architecture is complete"
            )
        if token not in decision.options:
            raise IllegalMove(
                f"position {position}: {token} is not allowed here; "
                f"allowed: {', '.join(decision.options)}"
            )
        yield state, decision, token
        state = space.step(state, token)
    decision = space.decision(state)
    if decision is not None:
        raise IllegalMove(
            f"position {len(walk) + 1}: the architecture is not complete; "
            f"one of these must follow: {', '.join(decision.options)}"
        )


def stage_of(space: Space[State], walk: Sequence[Token]) -> int:
    """The first stage in which a complete walk is legal.

    Raises:
        IllegalMove: There is none.
    """
    stage = 0
    while True:
        try:
            for _ in legal_walk(space, walk, stage):
                pass
            return stage
        except IllegalMove:
            if stage > len(walk) or not space.grows(stage):
                raise
            stage += 1


def random_walk(
    space: Space[State], generator: np.random.Generator, stage: int = 0
) -> tuple[Token, ...]:
    """A complete walk, every option of every decision equally likely."""
    state = space.initial_state(stage)
    walk = []
    while (decision := space.decision(state)) is not None:
        walk.append(decision.options[generator.integers(len(decision.options))])
        state = space.step(state, walk[-1])
    return tuple(walk)


def count_architectures(
    space: Space[State], stage: int = 0, most_states: int | None = None
) -> int | None:
    """The exact number of complete walks, by dynamic programming over the states.

    Where several walks make one network, as skip connections do, there are fewer networks.

    Args:
        space: Whose walks.
        stage: How far it has grown.
        most_states: With more states than that, the answer is None.
    """
    complete = seen = 0
    frontier = {space.initial_state(stage): 1}
    while frontier:
        seen += len(frontier)
        if most_states is not None and seen > most_states:
            return None
        following: dict[State, int] = {}
        for state, walks in frontier.items():
            decision = space.decision(state)
            if decision is None:
                complete += walks
                continue
            for token in decision.options:
                successor = space.step(state, token)
                following[successor] = following.get(successor, 0) + walks
        frontier = following
    return complete


MOST_STATES = 1_000_000
"""So many are counted in some seconds."""


@lru_cache(maxsize=8)
def space_size(space: Space[Any], stage: int = 0) -> int | None:
    """The number of complete walks in the stages up to this one; see `count_architectures`."""
    stages = [each for each in range(stage + 1) if each == 0 or space.grows(each - 1)]
    counts = [count_architectures(space, each, MOST_STATES) for each in stages]
    return None if None in counts else sum(count for count in counts if count is not None)


def enumerate_rows(space: Space[State], stage: int = 0) -> dict[Observation, Decision]:
    """All rows of the Q-table that a walk can reach, with their decisions, breadth first.

    Raises:
        TooManyStates: They are more than can be gone through.
    """
    rows: dict[Observation, Decision] = {}
    frontier = [space.initial_state(stage)]
    seen = set(frontier)
    while frontier:
        following: list[State] = []
        for state in frontier:
            if (decision := space.decision(state)) is None:
                continue
            rows[space.observation(state)] = decision
            successors = dict.fromkeys(space.step(state, token) for token in decision.options)
            following += [successor for successor in successors if successor not in seen]
            seen.update(successors)
            if len(seen) > MOST_STATES:
                raise TooManyStates(f"the space has more than {MOST_STATES:,} states")
        frontier = following
    return rows
