"""Networks as practitioners write them, for pictures of any size: a stem, stages and a head.

The stem is a convolution. Each stage halves the picture, then has blocks of one kind and width.
The head takes the mean or the largest value of each channel, and may have a hidden layer and
dropout. A network is a chain, whose blocks are cells.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from state_space.architecture import Architecture, Node
from state_space.base import (
    Decision,
    IllegalMove,
    Observation,
    Space,
    Token,
    legal_walk,
)
from state_space.notation import NotationError, read
from state_space.practical_layers import (
    BLOCKS,
    CHOICES,
    HEAD,
    NONE,
    STAGE,
    Layers,
    combinations,
    head_layers,
    stage_layers,
    stem_layers,
)
from state_space.scale import check_scale
from state_space.settings import Rule, check, is_list_of

DESIGNS: tuple[dict[str, str], ...] = (
    {"stem": "3", "width": "x2", "block": "residual", "pool": "max"},
    {"stem": "2", "width": "x2", "block": "plain", "pool": "mean", "dropout": "drop0.2"},
    {"stem": "4", "width": "x2", "down": "stride", "block": "residual", "pool": "max"},
)
"""Networks made by hand, alike in all stages; what they do not say is the first of the choices."""

SMALLEST = 4
"""Height and width of the smallest pictures."""


class PracticalState(NamedTuple):
    """The next decision, all that it depends on; a row of the Q-table as well.

    Attributes:
        layer: 0 is the stem, then come the stages and the head.
        decision: Its kind; "end" at the end.
        block: That of the stage, once it is decided, else "any".
        last: The token before.
    """

    layer: int
    decision: str
    block: str
    last: Token


class PracticalAction(NamedTuple):
    """The two parts of a token."""

    decision: str
    value: str


class PracticalSpace(Space[PracticalState]):
    """The networks for pictures of a shape and a number of classes."""

    def __init__(
        self, choices: Mapping[str, Sequence[str]], shape: tuple[int, ...], classes: int
    ) -> None:
        """Bind the choices to a data set; what has one value is no decision.

        Raises:
            ValueError: The pictures are too small.
        """
        channels, height, width = shape
        size = min(height, width)
        if size < SMALLEST:
            raise ValueError(f"pictures must be at least {SMALLEST}x{SMALLEST}, not {size}x{size}")
        self.classes = classes
        self.is_colour = channels >= 3
        self.scale = {"width": 8}
        # the stem brings large pictures to at most 56, as ResNets do
        self.halvings = 0 if size <= 48 else 1 if size <= 112 else 2
        left = size >> self.halvings
        self.stages = 2 if left < 16 else 3 if left <= 40 else 4
        self._fixed = {kind: values[0] for kind, values in choices.items() if len(values) == 1}
        self.vocabulary = {
            kind: tuple(f"{kind}:{value}" for value in values)
            for kind, values in choices.items()
            if len(values) > 1
        }
        kinds = (("stem",), *(STAGE for _ in range(self.stages)), HEAD)
        self._order = [
            (layer, kind)
            for layer, own in enumerate(kinds)
            for kind in own
            if kind in self.vocabulary
        ]
        self._following = dict(
            zip([(-1, "start"), *self._order], [*self._order, (len(kinds), "end")], strict=True)
        )
        self._decisions = {kind: Decision(kind, tokens) for kind, tokens in self.vocabulary.items()}

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "PracticalSpace":
        """The space of the choices in a TOML file; what it does not name has all of them."""
        return cls(check(mapping, RULES), shape, outputs)

    def initial_state(self, stage: int = 0) -> PracticalState:
        """The stem; the space does not grow, so every stage of a search is the same."""
        return PracticalState(*self._following[-1, "start"], "any", "start")

    def decision(self, state: PracticalState) -> Decision | None:
        """Every kind always has the same options."""
        return self._decisions.get(state.decision)

    def step(self, state: PracticalState, token: Token) -> PracticalState:
        """The next decision of the layer, or the first of the next one."""
        layer, kind = self._following[state.layer, state.decision]
        block = self.action(token).value if state.decision == "block" else state.block
        return PracticalState(layer, kind, block if layer == state.layer else "any", token)

    def observation(self, state: PracticalState) -> PracticalState:
        """The state itself."""
        return state

    def layer(self, observation: Observation) -> int:
        """The stem is 0; then come the stages and the head."""
        layer: int = PracticalState(*observation).layer
        return layer

    def action(self, token: Token) -> PracticalAction:
        """What is decided, and how."""
        kind, _, value = token.partition(":")
        return PracticalAction(kind, value)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The chain of stem, stages and head; `width` of the scale is the unit of their widths."""
        unit = check_scale(self, scale)["width"]
        values: list[dict[str, str]] = [{**self._fixed} for _ in range(self.stages + 2)]
        for state, decision, token in legal_walk(self, walk):
            values[state.layer][decision.kind] = self.action(token).value
        stem, *stages, head = values
        units = Fraction(stem["stem"])
        layers = stem_layers(ceil(units * unit), self.halvings)
        for stage in stages:
            units *= Fraction(stage["width"][1:])
            layers += stage_layers(stage, ceil(units * unit))
        layers += head_layers(head, self.classes)
        nodes = tuple(Node(op, args, (place - 1,)) for place, (op, args) in enumerate(layers))
        used = {node.op for node in nodes}
        cells = {name: cell for name, cell in BLOCKS.items() if name in used}
        settings = {"mirror": 1.0} if head["mirror"] != NONE else {}
        return Architecture(nodes, (len(nodes) - 1,), settings, cells)

    def text(self, walk: Sequence[Token]) -> str:
        """The values in their order, with | between layers: "3 | x2 pool 1 residual 3x3 | max"."""
        parts: list[list[str]] = [[] for _ in range(self.stages + 2)]
        for (layer, _), token in zip(self._order, walk, strict=True):
            if (value := self.action(token).value) != NONE:
                parts[layer].append(value)
        return " | ".join(" ".join(words) for words in parts if words)

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of what `text` gave, or of the network's own text, at the space's scale."""
        return self._parse_network(text) if text.lstrip().startswith("[") else self._parse(text)

    def _parse(self, text: str) -> tuple[Token, ...]:
        words = text.replace("|", " ").split()
        walk = []
        for _, kind in self._order:
            values = {self.action(token).value: token for token in self.vocabulary[kind]}
            if words and words[0] in values and words[0] != NONE:
                walk.append(values[words.pop(0)])
            elif NONE in values:
                walk.append(values[NONE])
            else:
                found = repr(words[0]) if words else "the end"
                raise NotationError(
                    f"{text!r}: {found} is not a {kind} of this space: {', '.join(values)}"
                )
        if words:
            raise NotationError(f"{text!r}: {words[0]!r} is no part of a network of this space")
        return tuple(walk)

    def _parse_network(self, text: str) -> tuple[Token, ...]:
        network = read(text)
        layers: Layers = [(node.op, node.args) for node in network.nodes]
        for values in self._readings(layers, [], Fraction(0)):
            values[-1]["mirror"] = "mirror" if network.settings else NONE
            walk = tuple(f"{kind}:{values[layer][kind]}" for layer, kind in self._order)
            try:
                if self.architecture(walk) == network:
                    return walk
            except IllegalMove:  # of a value that the file does not offer
                continue
        raise NotationError(f"{text!r} is not a network of this space")

    def _readings(
        self, layers: Layers, known: list[dict[str, str]], units: Fraction
    ) -> Iterator[list[dict[str, str]]]:
        """Yield the values of stem, stages and head that make these layers.

        Args:
            layers: Those behind the values that are known.
            known: The values of stem and stages so far.
            units: The width of the last of them.
        """
        kinds = ("stem",) if not known else STAGE if len(known) <= self.stages else HEAD[:-1]
        for values in combinations(kinds):
            wider = units
            if not known:
                wider = Fraction(values["stem"])
                made = stem_layers(ceil(wider * self.scale["width"]), self.halvings)
            elif kinds is STAGE:
                wider = units * Fraction(values["width"][1:])
                made = stage_layers(values, ceil(wider * self.scale["width"]))
            else:
                made = head_layers(values, self.classes)
            if layers[: len(made)] != made:
                continue
            if kinds != HEAD[:-1]:
                yield from self._readings(layers[len(made) :], [*known, values], wider)
            elif len(made) == len(layers):
                yield [*known, values]

    def starts(self) -> tuple[tuple[Token, ...], ...]:
        """Networks made by hand, as far as the choices allow, the one to prefer first.

        Colour pictures are mirrored, but for a last network, since letters and digits do not bear
        it.
        """
        designs = list(DESIGNS)
        if self.is_colour:
            designs = [*({"mirror": "mirror", **design} for design in DESIGNS), DESIGNS[0]]
        walks = []
        for design in designs:
            values = {kind: choices[0] for kind, choices in CHOICES.items()} | design
            walk = tuple(f"{kind}:{values[kind]}" for _, kind in self._order)
            if all(token in self.vocabulary[token.partition(":")[0]] for token in walk):
                walks.append(walk)
        return tuple(dict.fromkeys(walks))


def _rule(kind: str) -> Rule:
    allowed = CHOICES[kind]
    return Rule(
        is_list_of(lambda value: value in allowed),
        f"a list of distinct ones of {', '.join(allowed)}",
        list(allowed),
    )


RULES = {kind: _rule(kind) for kind in CHOICES}
"""The keys of the space's TOML file."""
