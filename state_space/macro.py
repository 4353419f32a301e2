"""NAS-Bench-Macro: eight blocks, each one of three (Su et al. 2021, arXiv 2103.11922).

Its 6,561 networks come with published accuracies; they are looked up, not trained.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from state_space.architecture import Architecture, Node, chain
from state_space.base import Decision, Observation, Space, Token, legal_walk
from state_space.notation import NotationError, read_layers
from state_space.scale import check_scale
from state_space.settings import check

BLOCKS = 8

LAYERS: dict[Token, tuple[str, tuple[int | str, ...]]] = {
    "ID": ("ID", ()),
    "MB(3,3)": ("MB", (3, 3)),
    "MB(6,5)": ("MB", (6, 5)),
}
"""Identity, or an inverted bottleneck MB(expansion,field); in the order of the digits 0, 1, 2."""


class MacroState(NamedTuple):
    """How many blocks there are, and the last one."""

    depth: int
    last: Token


class Block(NamedTuple):
    """What a token adds."""

    block: Token


class MacroSpace(Space[MacroState]):
    """The space of NAS-Bench-Macro."""

    trainable = False

    def __init__(self) -> None:
        """All of it is fixed."""
        self.vocabulary = {"block": tuple(LAYERS)}
        self._decision = Decision("block", tuple(LAYERS))

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "MacroSpace":
        """There is nothing to choose."""
        check(mapping, {})
        return cls()

    def initial_state(self, stage: int = 0) -> MacroState:
        """No block yet."""
        return MacroState(0, "start")

    def decision(self, state: MacroState) -> Decision | None:
        """Which block follows."""
        return self._decision if state.depth < BLOCKS else None

    def step(self, state: MacroState, token: Token) -> MacroState:
        """The state with one more block."""
        return MacroState(state.depth + 1, token)

    def observation(self, state: MacroState) -> MacroState:
        """The state itself, as in a chain: depth and last block."""
        return state

    def layer(self, observation: Observation) -> int:
        """The number of layers before."""
        layer: int = MacroState(*observation).depth
        return layer

    def action(self, token: Token) -> Block:
        """The block that a token adds."""
        return Block(token)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The chain of the walk's blocks."""
        check_scale(self, scale)
        for _ in legal_walk(self, walk):
            pass
        return chain(LAYERS[token] for token in walk)

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of a text such as "[ID, MB(3,3), ...]", or of the benchmark's digits."""
        if set(text) <= set("012") and len(text) == BLOCKS:
            return tuple(list(LAYERS)[int(digit)] for digit in text)
        if not text.lstrip().startswith("["):
            raise NotationError(f"{text!r} is neither a list in brackets nor {BLOCKS} digits 0-2")
        walk = tuple(Node(op, args, ()).text for op, args in read_layers(text))
        self.architecture(walk)
        return walk
