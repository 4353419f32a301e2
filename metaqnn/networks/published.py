"""Published networks as a space, whose one decision is which of them: so they are trained alike."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from metaqnn.networks.named import NAMED
from metaqnn.networks.notation import find_network
from state_space import Architecture, Decision, Space, Token, check_scale, legal_walk
from state_space.notation import NotationError
from state_space.settings import Rule, check, is_list_of

NETWORK = "network"


class PublishedState(NamedTuple):
    """The network, once it is decided; else nothing."""

    network: str


class PublishedSpace(Space[PublishedState]):
    """Networks of `NAMED`, with the classes of the data."""

    def __init__(self, names: Sequence[str], classes: int) -> None:
        """Those of these names."""
        self.vocabulary = {NETWORK: tuple(names)}
        self.classes = classes

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "PublishedSpace":
        """The space of the names under the key `networks`, by default all."""
        return cls(check(mapping, RULES)["networks"], outputs)

    def initial_state(self, stage: int = 0) -> PublishedState:
        """None is decided."""
        return PublishedState("")

    def decision(self, state: PublishedState) -> Decision | None:
        """Which network."""
        return None if state.network else Decision(NETWORK, self.vocabulary[NETWORK])

    def step(self, state: PublishedState, token: Token) -> PublishedState:
        """It is decided."""
        return PublishedState(token)

    def observation(self, state: PublishedState) -> PublishedState:
        """The state itself."""
        return state

    def action(self, token: Token) -> PublishedState:
        """The network."""
        return PublishedState(token)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The network of the name, which has one size."""
        check_scale(self, scale)
        ((_, _, name),) = legal_walk(self, walk)
        return NAMED[name](classes=self.classes)

    def text(self, walk: Sequence[Token]) -> str:
        """The name."""
        ((_, _, name),) = legal_walk(self, walk)
        return name

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of a name, or of a network's own text."""
        network = find_network(text)
        for name in self.vocabulary[NETWORK]:
            if text == name or self.architecture((name,)) == network:
                return (name,)
        names = ", ".join(self.vocabulary[NETWORK])
        raise NotationError(f"{text!r} is not a network of this space: {names}")


RULES = {
    "networks": Rule(
        is_list_of(lambda name: name in NAMED),
        f"a list of distinct names of {', '.join(NAMED)}",
        list(NAMED),
    )
}
"""The keys of the space's TOML file."""
