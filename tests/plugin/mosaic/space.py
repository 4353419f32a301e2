"""A space of cells: each has some blocks, and a block two slots, its field and its filters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from state_space import Architecture, Decision, Space, legal_walk
from state_space.architecture import chain

FIELDS, FILTERS = (1, 3, 5, 7), (2, 4, 8)
KINDS = ("field", "filters")


class Place(NamedTuple):
    """Where a decision is."""

    cell: int
    block: int
    slot: int


class Choice(NamedTuple):
    """What a token chooses; 0 is what it does not."""

    field: int = 0
    filters: int = 0


@dataclass(frozen=True)
class Mosaic(Space[tuple[str, ...]]):
    """Every state is the walk so far, so that there are too many to be counted."""

    cells: int = 2
    blocks: int = 3
    outputs: int = 10

    vocabulary = {
        "field": tuple(f"field-{size}" for size in FIELDS),
        "filters": tuple(f"filters-{number}" for number in FILTERS),
    }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> Self:
        """The keys are cells and blocks."""
        return cls(**mapping, outputs=outputs)

    def initial_state(self, stage: int = 0) -> tuple[str, ...]:
        """Nothing is chosen."""
        return ()

    def decision(self, state: tuple[str, ...]) -> Decision | None:
        """Field and filters in turn."""
        if len(state) == 2 * self.cells * self.blocks:
            return None
        kind = KINDS[len(state) % 2]
        return Decision(kind, self.vocabulary[kind])

    def step(self, state: tuple[str, ...], token: str) -> tuple[str, ...]:
        """Remember the token."""
        return (*state, token)

    def observation(self, state: tuple[str, ...]) -> Place:
        """The place alone."""
        block, slot = divmod(len(state), 2)
        return Place(*divmod(block, self.blocks), slot)

    def layer(self, observation: Any) -> int:
        """A block is a layer."""
        return int(observation.cell * self.blocks + observation.block)

    def action(self, token: str) -> Choice:
        """The one number that it has."""
        kind, number = token.split("-")
        return Choice(**{kind: int(number)})

    def architecture(
        self, walk: Sequence[str], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """A chain of convolutions."""
        numbers = [int(token.split("-")[1]) for _, _, token in legal_walk(self, walk)]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        layers = [("C", (filters, field, 1)) for field, filters in pairs]
        return chain([*layers, ("SM", (self.outputs,))])

    def text(self, walk: Sequence[str]) -> str:
        """A cell between bars: "3x4 1x8 5x2 | 3x2 3x2 1x4" are fields and filters."""
        numbers = [token.split("-")[1] for token in walk]
        blocks = ["x".join(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
        starts = range(0, len(blocks), self.blocks)
        return " | ".join(" ".join(blocks[start : start + self.blocks]) for start in starts)

    def parse(self, text: str) -> tuple[str, ...]:
        """Of that, or of the network's own text."""
        if text.startswith("["):
            layers = [layer.strip("C()").split(",") for layer in text[1:-1].split(", ")[:-1]]
            pairs = [[field, filters] for filters, field, _ in layers]
        else:
            pairs = [block.split("x") for block in text.replace("|", " ").split()]
        walk = tuple(
            f"{kind}-{number}" for pair in pairs for kind, number in zip(KINDS, pair, strict=True)
        )
        for _ in legal_walk(self, walk):
            pass
        return walk
