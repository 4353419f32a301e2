"""Layers with skip connections (Zoph & Le 2017, https://arxiv.org/abs/1611.01578, sec. 3.1, 3.3).

A layer's decisions are its attributes and then, for every earlier layer, whether to read it. The
number of decisions of a layer depends on nothing but its number, so positions in a walk are
arithmetic. Three repairs make every walk a network (sec. 3.3): a layer that reads nothing reads the
images; what no layer reads is joined before the classifier; and where sizes differ, smaller inputs
are padded with zeros. The last one is the networks' affair, see `metaqnn.networks.build`.
"""

from collections.abc import Mapping, Sequence
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
from state_space.canonical import canonical
from state_space.notation import NotationError, read
from state_space.scale import check_scale
from state_space.skip_limits import LAYER_TYPES, SkipLimits

POOLING = ("height", "width", "stride height", "stride width")
KNOWN = {
    "CB": ("filters", *POOLING),
    "MP": POOLING,
    "AP": POOLING,
    "SM": ("classes",),
}
"""The layers of a network's text, with the names of their parameters."""

ATTRIBUTES = ("type", "height", "width", "stride-height", "stride-width", "filters")
"""What may be decided of a layer, in this order (fig. 2)."""

UNREAD, READ = SKIP = ("skip:0", "skip:1")
SAME = "same"
"""The filters of a pooling layer: as many as it reads."""

Values = Mapping[str, int | str]
"""The attributes of a layer."""


class SkipState(NamedTuple):
    """Where in which layer the walk is; with what matters to the rules, and the token before.

    Attributes:
        depth: Layers before SM.
        layer: The layer that is decided, from 0; it is depth where all are.
        decision: Kind of the next decision.
        source: The earlier layer that a skip decision is about; -1 in other decisions.
        type: The layer's type once it is decided, up to its last attribute; else "any".
        last: The token before; "start" at first.
    """

    depth: int
    layer: int
    decision: str
    source: int
    type: str
    last: Token


class SkipObservation(NamedTuple):
    """A row of the Q-table: a state without the depth of the network."""

    layer: int
    decision: str
    source: int
    type: str
    last: Token


class SkipAction(NamedTuple):
    """The two parts of a token."""

    decision: str
    value: str


class SkipSpace(Space[SkipState]):
    """Networks within the given limits, for a number of classes."""

    def __init__(self, limits: SkipLimits, classes: int) -> None:
        """Bind the limits to a data set; what has one value is no decision."""
        self.limits = limits
        self.classes = classes
        values: dict[str, tuple[int | str, ...]] = {
            "type": limits.layer_types,
            "height": limits.heights,
            "width": limits.widths,
            "stride-height": limits.strides,
            "stride-width": limits.strides,
            "filters": limits.filters,
        }
        self._fixed = {kind: values[kind][0] for kind in ATTRIBUTES if len(values[kind]) == 1}
        self._kinds = tuple(kind for kind in ATTRIBUTES if len(values[kind]) > 1)
        self.vocabulary = {
            kind: tuple(f"{kind}:{value}" for value in values[kind]) for kind in self._kinds
        }
        if "type" in self._kinds and "filters" in self._kinds:
            self.vocabulary["filters"] += (f"filters:{SAME}",)
        if limits.skip_connections and limits.max_depth > 1:
            self.vocabulary["skip"] = SKIP

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "SkipSpace":
        """The space; its networks fit images of any shape."""
        return cls(SkipLimits.from_mapping(mapping), outputs)

    def initial_state(self, stage: int = 0) -> SkipState:
        """The first decision of the first layer; every stage has more layers."""
        limits = self.limits
        depth = min(limits.depth + limits.growth * stage, limits.max_depth)
        return SkipState(depth, 0, self._kinds[0], -1, "any", "start")

    def decision(self, state: SkipState) -> Decision | None:
        """An attribute of a layer, or whether it reads an earlier one."""
        if state.layer == state.depth:
            return None
        kind = state.decision
        if kind == "skip":
            return Decision(kind, SKIP, (self._anchor(state.source),))
        options = self.vocabulary[kind]
        if kind == "filters" and "type" in self._kinds:
            options = options[:-1] if state.type == "convolution" else options[-1:]
        return Decision(kind, options)

    def _anchor(self, layer: int) -> int:
        """The position of a layer's first skip decision; of layer 0, of its last attribute."""
        attributes = len(self._kinds)
        if layer == 0:
            return attributes - 1
        return layer * attributes + layer * (layer - 1) // 2 + attributes

    def step(self, state: SkipState, token: Token) -> SkipState:
        """The next attribute, the next earlier layer, or the next layer."""
        depth, layer, kind, source, layer_type, _ = state
        if kind != "skip":
            if kind == "type":
                layer_type = self.action(token).value
            following = self._kinds.index(kind) + 1
            if following < len(self._kinds):
                return SkipState(depth, layer, self._kinds[following], -1, layer_type, token)
        if self.limits.skip_connections and source + 1 < layer:
            return SkipState(depth, layer, "skip", source + 1, "any", token)
        return SkipState(depth, layer + 1, self._kinds[0], -1, "any", token)

    def observation(self, state: SkipState) -> SkipObservation:
        """The state without its depth, so that what is learnt holds for every stage."""
        return SkipObservation(*state[1:])

    def layer(self, observation: Observation) -> int:
        """The number of layers before."""
        layer: int = SkipObservation(*observation).layer
        return layer

    def action(self, token: Token) -> SkipAction:
        """What is decided, and how."""
        kind, _, value = token.partition(":")
        return SkipAction(kind, value)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The walk's layers as a graph, in canonical order.

        Any stage's walk will do: a walk that begins n layers is of the first stage that has n.
        """
        check_scale(self, scale)
        attributes: list[dict[str, int | str]] = []
        inputs: list[list[int]] = []
        for state, decision, token in legal_walk(self, walk, self._stage(walk)):
            if state.layer == len(attributes):
                attributes.append({**self._fixed})
                inputs.append([])
            if decision.kind != "skip":
                attributes[-1][decision.kind] = self.action(token).value
            elif token == READ:
                inputs[-1].append(state.source)
        if not self.limits.skip_connections:
            inputs = [[layer - 1] for layer in range(len(inputs))]
        nodes = [
            _node(values, tuple(sources) or (-1,))
            for values, sources in zip(attributes, inputs, strict=True)
        ]
        read_by_some = {source for sources in inputs for source in sources}
        unread = tuple(layer for layer in range(len(nodes)) if layer not in read_by_some)
        nodes.append(Node("SM", (self.classes,), unread))
        return canonical(Architecture(tuple(nodes), (len(nodes) - 1,)))

    def _stage(self, walk: Sequence[Token]) -> int:
        begun = sum(token.startswith(f"{self._kinds[0]}:") for token in walk)
        missing = max(0, begun - self.limits.depth)
        return -(-missing // self.limits.growth) if self.limits.growth else 0

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of a network, the same for every order in which the text lists its layers."""
        network = read(text, KNOWN)
        last = network.nodes[-1]
        if last.op != "SM":
            raise NotationError(f"{text!r}: the last layer must be SM(classes), not {last.text}")
        if last.args != (self.classes,):
            raise NotationError(
                f"{text!r}: {last.text} has {last.args[0]} classes, the data set has {self.classes}"
            )
        architecture = canonical(network)
        if architecture.nodes[-1].op != "SM":
            raise NotationError(f"{text!r}: SM must read every layer that no other layer reads")
        walk: list[Token] = []
        for layer, node in enumerate(architecture.nodes[:-1]):
            values = _values(text, node)
            walk += [f"{kind}:{values[kind]}" for kind in self._kinds]
            if self.limits.skip_connections:
                walk += [READ if source in node.inputs else UNREAD for source in range(layer)]
        try:
            found = self.architecture(walk)
        except IllegalMove as error:
            raise IllegalMove(f"{text!r}, {error}") from None
        if found != architecture:
            raise NotationError(
                f"{text!r} is not a network of this space; these layers make {found.text}"
            )
        return tuple(walk)


def _node(values: Values, inputs: tuple[int, ...]) -> Node:
    op = LAYER_TYPES[str(values["type"])]
    args = tuple(int(values[name.replace(" ", "-")]) for name in KNOWN[op])
    return Node(op, args, inputs)


def _values(text: str, node: Node) -> Values:
    """The attributes of a layer; the inverse of `_node`."""
    types = {op: layer_type for layer_type, op in LAYER_TYPES.items()}
    if node.op not in types:
        raise NotationError(
            f"{text!r}: {node.text} is not a layer of this space, which has {', '.join(types)}"
        )
    values: dict[str, int | str] = {"type": types[node.op], "filters": SAME}
    for name, value in zip(KNOWN[node.op], node.args, strict=True):
        values[name.replace(" ", "-")] = value
    return values
