"""MetaQNN's space: a chain of C, P, FC and GAP layers, ended by SM (Baker et al. 2017, sec. 4).

The state keeps the actual size of the representation; what is legal is decided by the bin that the
size falls into, so that all states of one row of the Q-table have the same options.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from state_space.architecture import Architecture, chain
from state_space.base import Decision, IllegalMove, Space, Token, legal_walk
from state_space.notation import NOT_DECIDED, NotationError, read_layers, read_token
from state_space.settings import Rule, SettingsError, check, is_list_of, is_whole


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


@dataclass(frozen=True)
class Limits:
    """What a chain may consist of; the keys of a space's TOML file, checked by `from_mapping`.

    Attributes:
        max_depth: Most layers before SM.
        size_bins: The smallest size of each bin, falling to 1; it stands for the bin.
        field_may_equal_bin: Whether a field may equal the bin's size (paper) or not (2017 code).
        convolutions: (filters, field, stride) of every C.
        poolings: (field, stride) of every P.
        pooling_first: Whether P may read the images.
        pooling_after_pooling: Whether P may follow P.
        fc_units: Units of FC layers; they do not increase along a chain.
        max_fc: Most FC layers.
        fc_max_size: Largest bin from which an FC may follow.
        gap: Whether there is global average pooling.
    """

    max_depth: int
    size_bins: tuple[int, ...]
    field_may_equal_bin: bool
    convolutions: tuple[tuple[int, int, int], ...]
    poolings: tuple[tuple[int, int], ...]
    pooling_first: bool
    pooling_after_pooling: bool
    fc_units: tuple[int, ...]
    max_fc: int
    fc_max_size: int
    gap: bool

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Limits":
        """The limits in a parsed TOML file.

        Raises:
            SettingsError: Names every unknown or missing key and every impossible value.
        """
        values = check(mapping, RULES)
        if values["fully-connected.max-size"] not in values["size-bins"]:
            raise SettingsError(
                f"fully-connected.max-size must be one of size-bins {values['size-bins']}, "
                f"not {values['fully-connected.max-size']}"
            )
        return cls(
            max_depth=values["max-depth"],
            size_bins=tuple(values["size-bins"]),
            field_may_equal_bin=values["field-may-equal-bin"],
            convolutions=tuple(
                (filters, field, stride)
                for filters in values["convolution.filters"]
                for field in values["convolution.fields"]
                for stride in values["convolution.strides"]
            ),
            poolings=tuple((field, stride) for field, stride in values["pooling.windows"]),
            pooling_first=values["pooling.may-come-first"],
            pooling_after_pooling=values["pooling.may-follow-pooling"],
            fc_units=tuple(values["fully-connected.units"]),
            max_fc=values["fully-connected.max-layers"],
            fc_max_size=values["fully-connected.max-size"],
            gap=values["global-average-pooling"],
        )


def _is_bins(value: Any) -> bool:
    return (
        is_list_of(is_whole(1, 10_000))(value)
        and value == sorted(value, reverse=True)
        and value[-1] == 1
    )


def _is_window(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_whole(1, 100), value))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_UNITS = "a list of distinct whole numbers from 1 to 65536"
_FLAG = "true or false"

RULES = {
    "max-depth": Rule(is_whole(1, 100), "a whole number from 1 to 100"),
    "size-bins": Rule(_is_bins, "a list of falling whole numbers that ends with 1", [8, 4, 1]),
    "field-may-equal-bin": Rule(_is_flag, _FLAG, True),
    "convolution.filters": Rule(is_list_of(is_whole(1, 65536)), _UNITS),
    "convolution.fields": Rule(
        is_list_of(lambda value: is_whole(1, 99)(value) and value % 2 == 1),
        "a list of distinct odd numbers from 1 to 99",
    ),
    "convolution.strides": Rule(
        is_list_of(is_whole(1, 8)), "a list of distinct whole numbers from 1 to 8", [1]
    ),
    "pooling.windows": Rule(
        lambda value: value == [] or is_list_of(_is_window)(value),
        "a list of distinct pairs [field, stride], each from 1 to 100, or []",
    ),
    "pooling.may-come-first": Rule(_is_flag, _FLAG, False),
    "pooling.may-follow-pooling": Rule(_is_flag, _FLAG, False),
    "fully-connected.units": Rule(is_list_of(is_whole(1, 65536)), _UNITS),
    "fully-connected.max-layers": Rule(is_whole(0, 10), "a whole number from 0 to 10"),
    "fully-connected.max-size": Rule(is_whole(1, 10_000), "one of size-bins", 4),
    "global-average-pooling": Rule(_is_flag, _FLAG, True),
}
"""The keys of a chain's TOML file."""

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
        self._decisions: dict[tuple[Layer, bool, int, int], Decision] = {}
        self.vocabulary = {"layer": tuple(self._layers)}

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
            Layer(last.layer, units=last.units),
            state.depth < self.limits.max_depth,
            state.fc_before,
            self.size_bin(state.size),
        )
        if key not in self._decisions:
            self._decisions[key] = Decision("layer", tuple(self._options(*key)))
        return self._decisions[key]

    def _options(
        self, last: Layer, deepens: bool, fc_before: int, size_bin: int
    ) -> Iterator[Token]:
        limits = self.limits
        largest_field = size_bin if limits.field_may_equal_bin else size_bin - 1
        spatial = last.layer in ("start", "C", "P")
        may_pool = (
            last.layer == "C"
            or (last.layer == "start" and limits.pooling_first)
            or (last.layer == "P" and limits.pooling_after_pooling)
        )
        for token, layer in self._layers.items():
            match layer.layer:
                case "C":
                    legal = deepens and spatial and layer.field <= largest_field
                case "P":
                    legal = deepens and may_pool and layer.field <= largest_field
                case "FC" if last.layer == "FC":
                    legal = deepens and fc_before + 1 < limits.max_fc and layer.units <= last.units
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
            self.size_bin(state.size),
        )

    def action(self, token: Token) -> Layer:
        """The layer that a token adds."""
        return self._layers[token]

    def architecture(self, walk: Sequence[Token]) -> Architecture:
        """The chain of the walk's layers."""
        for _ in legal_walk(self, walk):
            pass
        return chain(map(read_token, walk))

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of a network in the 2017 notation; dropout and batch norm are no decisions."""
        layers = [layer for layer in read_layers(text) if layer[0] not in NOT_DECIDED]
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

    def size_bin(self, size: int) -> int:
        """The size that stands for the bin into which an actual size falls."""
        return next(smallest for smallest in self.limits.size_bins if size >= smallest)

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
