"""NAS-Bench-201's cell (Dong & Yang 2020, https://arxiv.org/abs/2001.00326).

Three nodes behind the input, each the sum of what its edges make of all nodes before it: six edges
of five operations, 15,625 cells. They can be trained in the published skeleton, or looked up.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from state_space.architecture import Architecture, Cell, Node
from state_space.base import Decision, Observation, Space, Token, legal_walk
from state_space.motifs import edges
from state_space.notation import NotationError, read
from state_space.scale import check_scale
from state_space.settings import Rule, check, is_list_of

OPERATIONS: dict[Token, tuple[str, tuple[int | str, ...]]] = {
    "none": ("Z", ()),
    "skip_connect": ("ID", ()),
    "nor_conv_1x1": ("RC", ("F", 1, 1, 1, 1)),
    "nor_conv_3x3": ("RC", ("F", 3, 3, 1, 1)),
    "avg_pool_3x3": ("AP", (3, 3, 1, 1)),
}
"""In the benchmark's words, and what they are in a stage of F filters."""

NODES = 4
"""The input is the first."""

EDGES = edges(NODES)

STAGES = 3

CELL, REDUCTION = "CELL", "R"

RESIDUAL = Cell(
    ("F",),
    (
        Node("RC", ("F", 3, 3, 2, 2), (-1,)),
        Node("RC", ("F", 3, 3, 1, 1), (0,)),
        Node("PA", (2, 2), (-1,)),
        Node("LC", ("F", 1, 1), (2,)),
        Node("ADD", (), (1, 3)),
    ),
    (4,),
)
"""The block between two stages, which halves the picture and doubles the filters."""


class EdgeState(NamedTuple):
    """Which edge is decided, and the token before; a row of the Q-table as well.

    Attributes:
        source: The node that the edge comes from; 0 is the input.
        node: The node that it leads to, from 1; 4 at the end.
        last: "start" at first.
    """

    source: int
    node: int
    last: Token


class EdgeAction(NamedTuple):
    """The operation of an edge."""

    operation: Token


class Cell201Space(Space[EdgeState]):
    """The cells of the benchmark, for a number of classes."""

    def __init__(self, operations: Sequence[Token], classes: int) -> None:
        """Bind the operations to a data set."""
        self.classes = classes
        self.scale = {"filters": 16, "repeats": 5}
        self.vocabulary = {"operation": tuple(operations)}
        self._decision = Decision("operation", tuple(operations))

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "Cell201Space":
        """The space of a TOML file; its networks fit images of any shape."""
        return cls(check(mapping, RULES)["operations"], outputs)

    def initial_state(self, stage: int = 0) -> EdgeState:
        """The edge from the input to the first node; the space does not grow."""
        return EdgeState(0, 1, "start")

    def decision(self, state: EdgeState) -> Decision | None:
        """Every operation is always legal."""
        return self._decision if state.node < NODES else None

    def step(self, state: EdgeState, token: Token) -> EdgeState:
        """The edge from the next node, or the first one to the next node."""
        if state.source + 1 < state.node:
            return EdgeState(state.source + 1, state.node, token)
        return EdgeState(0, state.node + 1, token)

    def observation(self, state: EdgeState) -> EdgeState:
        """The state itself."""
        return state

    def layer(self, observation: Observation) -> int:
        """The node that the edge leads to."""
        layer: int = EdgeState(*observation).node - 1
        return layer

    def action(self, token: Token) -> EdgeAction:
        """The operation."""
        return EdgeAction(token)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The cell in the skeleton: a stem, stages of cells with residual blocks between, a head.

        An edge of "none" gives zeros. They stand in the network, as they do in the benchmark: a
        cell whose output they cut off gives zeros, and is trained like all others.
        """
        sizes = check_scale(self, scale)
        made = [OPERATIONS[token] for _, _, token in legal_walk(self, walk)]
        filters = sizes["filters"]
        layers: list[tuple[str, tuple[int, ...]]] = [("LB", (filters, 3, 1))]
        for stage in range(STAGES):
            if stage:
                filters *= 2
                layers.append((REDUCTION, (filters,)))
            layers += [(CELL, (filters,))] * sizes["repeats"]
        layers += [("BN", ()), ("RELU", ()), ("AVG", ()), ("SM", (self.classes,))]
        nodes = tuple(Node(op, args, (place - 1,)) for place, (op, args) in enumerate(layers))
        return Architecture(nodes, (len(nodes) - 1,), {}, {CELL: _cell(made), REDUCTION: RESIDUAL})

    def text(self, walk: Sequence[Token]) -> str:
        """The benchmark's string: "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"."""
        for _ in legal_walk(self, walk):
            pass
        nodes: list[list[str]] = [[] for _ in range(NODES - 1)]
        for (source, node), token in zip(EDGES, walk, strict=True):
            nodes[node - 1].append(f"{token}~{source}")
        return "+".join(f"|{'|'.join(words)}|" for words in nodes)

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of the benchmark's string, or of a network's own text, at the space's scale."""
        if text.lstrip().startswith("["):
            return self._parse_network(text)
        walk = tuple(word.partition("~")[0] for word in text.replace("+", "").split("|") if word)
        known = self.vocabulary["operation"]
        for token in walk:
            if token not in known:
                raise NotationError(f"{text!r}: {token!r} is none of {', '.join(known)}")
        if len(walk) != len(EDGES) or self.text(walk) != text:
            example = self.text((known[0],) * len(EDGES))
            raise NotationError(f"{text!r} is not written like {example!r}")
        return walk

    def _parse_network(self, text: str) -> tuple[Token, ...]:
        network = read(text)
        tokens = {made: token for token, made in OPERATIONS.items()}
        cell = network.cells[CELL].nodes if CELL in network.cells else ()
        found = (tokens.get((node.op, node.args)) for node in cell)
        walk = tuple(token for token in found if token in self.vocabulary["operation"])
        if len(walk) != len(EDGES) or self.architecture(walk) != network:
            raise NotationError(f"{text!r} is not a network of this space")
        return walk


def _cell(operations: Sequence[tuple[str, tuple[int | str, ...]]]) -> Cell:
    """The edges of each node, and their sum."""
    nodes: list[Node] = []
    places = {0: -1}
    for (source, node), (op, args) in zip(EDGES, operations, strict=True):
        nodes.append(Node(op, args, (places[source],)))
        if source == node - 1 and node > 1:
            nodes.append(Node("ADD", (), tuple(range(len(nodes) - node, len(nodes)))))
        places[node] = len(nodes) - 1
    return Cell(("F",), tuple(nodes), (len(nodes) - 1,))


RULES = {
    "operations": Rule(
        is_list_of(lambda value: value in OPERATIONS),
        f"a list of distinct ones of {', '.join(OPERATIONS)}",
        list(OPERATIONS),
    )
}
"""The key of the space's TOML file."""
