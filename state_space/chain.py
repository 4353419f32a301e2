"""MetaQNN's space: a chain of C, P, FC and GAP layers, ended by SM (Baker et al. 2017, sec. 4).

The state keeps the actual size of the representation; what is legal is decided by the bin that the
size falls into, so that all states of one row of the Q-table have the same options.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from state_space.architecture import Architecture, chain
from state_space.base import (
    Decision,
    IllegalMove,
    Observation,
    Space,
    Token,
    legal_walk,
)
from state_space.limits import Limits
from state_space.notation import NotationError, read_layers, read_token
from state_space.scale import check_scale

KNOWN = {
    "C": ("filters", "field", "stride"),
    "P": ("field", "stride"),
    "FC": ("units",),
    "GAP": ("classes",),
    "SM": ("classes",),
    "D": ("i", "n"),
    "BN": (),
}
"""The layers of a network's text, with the names of their parameters."""

NOT_DECIDED = ("D", "BN")
"""Dropout and batch norm, which a 2017 log writes into a network although no agent chose them."""


class Layer(NamedTuple):
    """A layer and its parameters; those that it does not have are 0."""

    layer: str
    filters: int = 0
    field: int = 0
    stride: int = 0
    units: int = 0


class ChainState(NamedTuple):
    """The last layer, how many layers there are, FC layers before it, and the actual size."""

    layer: Layer
    depth: int
    fc_before: int
    size: int


class ChainObservation(NamedTuple):
    """A row of the Q-table: a state whose size is that of its bin."""

    layer: str
    depth: int
    filters: int
    field: int
    stride: int
    units: int
    fc_before: int
    size: int


START = Layer("start")


class ChainSpace(Space[ChainState]):
    """Chains within the given limits, for square images of a size and a number of classes."""

    def __init__(self, limits: Limits, image_size: int, classes: int) -> None:
        """Bind the limits to a data set."""
        self.limits = limits
        self.image_size = image_size
        self.classes = classes
        layers = [
            *(Layer("C", *values) for values in limits.convolutions),
            *(Layer("P", 0, *values) for values in limits.poolings),
            *(Layer("FC", units=units) for units in limits.fc_units if limits.max_fc),
            *([Layer("GAP")] if limits.gap else []),
            Layer("SM"),
        ]
        self._layers = {self._token(layer): layer for layer in layers}
        self._nodes = {token: read_token(token, KNOWN) for token in self._layers}
        self._bins = {
            size: next(smallest for smallest in limits.size_bins if size >= smallest)
            for size in range(1, image_size + 1)
        }
        self._decisions: dict[tuple[str, int, bool, int, int], Decision] = {}
        self.vocabulary = {"layer": tuple(self._layers)}

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "ChainSpace":
        """The space for square images of the shape."""
        return cls(Limits.from_mapping(mapping), shape[1], outputs)

    def initial_state(self, stage: int = 0) -> ChainState:
        """The images; the space does not grow, so every stage is the same."""
        return ChainState(START, 0, 0, self.image_size)

    def decision(self, state: ChainState) -> Decision | None:
        """Which layer follows."""
        last = state.layer
        if last.layer == "SM":
            return None
        # Filters, field and stride of the last layer matter to no rule.
        key = (
            last.layer,
            last.units,
            state.depth < self.limits.max_depth,
            state.fc_before,
            self._bins[state.size],
        )
        if key not in self._decisions:
            self._decisions[key] = Decision("layer", tuple(self._options(*key)))
        return self._decisions[key]

    def _options(
        self, last: str, last_units: int, deepens: bool, fc_before: int, size_bin: int
    ) -> Iterator[Token]:
        limits = self.limits
        largest_field = size_bin if limits.field_may_equal_bin else size_bin - 1
        spatial = last in ("start", "C", "P")
        may_pool = (
            last == "C"
            or (last == "start" and limits.pooling_first)
            or (last == "P" and limits.pooling_after_pooling)
        )
        for token, layer in self._layers.items():
            match layer.layer:
                case "C":
                    legal = deepens and spatial and layer.field <= largest_field
                case "P":
                    legal = deepens and may_pool and layer.field <= largest_field
                case "FC" if last == "FC":
                    legal = deepens and fc_before + 1 < limits.max_fc and layer.units <= last_units
                case "FC":
                    legal = deepens and spatial and size_bin <= limits.fc_max_size
                case "GAP":
                    legal = deepens and spatial
                case _:
                    legal = True
            if legal:
                yield token

    def step(self, state: ChainState, token: Token) -> ChainState:
        """The state with one more layer."""
        layer = self._layers[token]
        match layer.layer:
            case "C":  # "same" padding
                return ChainState(layer, state.depth + 1, 0, -(-state.size // layer.stride))
            case "P":
                size = (state.size - layer.field) // layer.stride + 1
                return ChainState(layer, state.depth + 1, 0, size)
            case "FC":
                fc_before = state.fc_before + 1 if state.layer.layer == "FC" else 0
                return ChainState(layer, state.depth + 1, fc_before, 1)
            case _:
                return ChainState(layer, state.depth + 1, 0, 1)

    def observation(self, state: ChainState) -> ChainObservation:
        """The state with the size of its bin."""
        layer = state.layer
        return ChainObservation(
            layer.layer,
            state.depth,
            layer.filters,
            layer.field,
            layer.stride,
            layer.units,
            state.fc_before,
            self._bins[state.size],
        )

    def layer(self, observation: Observation) -> int:
        """The number of layers before."""
        layer: int = ChainObservation(*observation).depth
        return layer

    def action(self, token: Token) -> Layer:
        """The layer that a token adds."""
        return self._layers[token]

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The chain of the walk's layers."""
        check_scale(self, scale)
        for _ in legal_walk(self, walk):
            pass
        return chain(self._nodes[token] for token in walk)

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of a network in the 2017 notation; dropout and batch norm are no decisions."""
        layers = [layer for layer in read_layers(text, KNOWN) if layer[0] not in NOT_DECIDED]
        walk = tuple(f"{op}({','.join(map(str, args))})" for op, args in layers)
        for op, args in layers:
            if op in ("GAP", "SM") and args != (self.classes,):
                raise NotationError(
                    f"{text!r}: {op}({args[0]}) has {args[0]} classes, the data set has "
                    f"{self.classes}"
                )
        try:
            self.architecture(walk)
        except IllegalMove as error:
            raise IllegalMove(f"{text!r}, {error}") from None
        return walk

    def _token(self, layer: Layer) -> Token:
        match layer.layer:
            case "C":
                return f"C({layer.filters},{layer.field},{layer.stride})"
            case "P":
                return f"P({layer.field},{layer.stride})"
            case "FC":
                return f"FC({layer.units})"
            case _:
                return f"{layer.layer}({self.classes})"
