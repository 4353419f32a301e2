"""NAS-Bench-Graph: networks for graphs, such as Cora (Qin et al. 2022, arXiv 2206.09166).

Each of four nodes reads the features or an earlier node and is one of nine operations; what no node
reads is joined at the output. Nodes that pass on what they read and others in another order make
the same network: 26,206 are left. They come with published scores, which are looked up.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from state_space.architecture import Architecture, Node
from state_space.base import Decision, Observation, Space, Token, legal_walk
from state_space.canonical import canonical
from state_space.notation import NotationError, read
from state_space.scale import check_scale
from state_space.settings import check

NODES = 4

IDENTITY = "ID"
OPERATIONS = ("GAT", "GCN", "GIN", "CHEB", "SAGE", "ARMA", "GRAPH", "FC", IDENTITY)
"""In the order of the benchmark's numbers; GRAPH is its k-GNN."""

SOURCES = tuple(f"reads:{source}" for source in range(NODES))
"""What a node reads: the features, or the first, second or third node."""


class GraphState(NamedTuple):
    """Where in which node the walk is; with what matters to the rules, and the token before.

    Attributes:
        node: Which is decided, from 0; it is `NODES` where all are.
        decision: "reads" or "operation".
        computes: 1 once there is a node that is not the identity, else 0.
        last: The token before; "start" at first.
    """

    node: int
    decision: str
    computes: int
    last: Token


class GraphAction(NamedTuple):
    """What a token decides, and how."""

    decision: str
    value: str


class GraphSpace(Space[GraphState]):
    """The space of NAS-Bench-Graph."""

    trainable = False

    def __init__(self) -> None:
        """All of it is fixed."""
        self.vocabulary = {"operation": OPERATIONS, "reads": SOURCES}

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "GraphSpace":
        """There is nothing to choose."""
        check(mapping, {})
        return cls()

    def initial_state(self, stage: int = 0) -> GraphState:
        """The first node, which can read nothing but the features."""
        return GraphState(0, "operation", 0, "start")

    def decision(self, state: GraphState) -> Decision | None:
        """What the node reads, and then what it is; not all of them can be the identity."""
        if state.node == NODES:
            return None
        if state.decision == "reads":
            return Decision("reads", SOURCES[: state.node + 1])
        is_needed = state.node == NODES - 1 and not state.computes
        return Decision("operation", OPERATIONS[:-1] if is_needed else OPERATIONS)

    def step(self, state: GraphState, token: Token) -> GraphState:
        """The node's operation, or the next node."""
        if state.decision == "reads":
            return GraphState(state.node, "operation", state.computes, token)
        computes = state.computes or int(token != IDENTITY)
        return GraphState(state.node + 1, "reads", computes, token)

    def observation(self, state: GraphState) -> GraphState:
        """The state itself."""
        return state

    def layer(self, observation: Observation) -> int:
        """The node."""
        layer: int = GraphState(*observation).node
        return layer

    def action(self, token: Token) -> GraphAction:
        """What is decided, and how."""
        decision, _, value = token.rpartition(":")
        return GraphAction(decision or "operation", value)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The walk's network without needless nodes, in canonical order."""
        check_scale(self, scale)
        operations: list[str] = []
        sources: list[int] = [-1]
        for _, decision, token in legal_walk(self, walk):
            if decision.kind == "reads":
                sources.append(SOURCES.index(token) - 1)
            else:
                operations.append(token)
        return _network(operations, sources)

    def parse(self, text: str) -> tuple[Token, ...]:
        """A walk of a network such as "[GCN, GAT, FC@0] -> 1,2"; nodes that it lacks come first."""
        network = read(text, {operation: () for operation in OPERATIONS})
        missing = NODES - len(network.nodes)
        if missing < 0:
            raise NotationError(f"{text!r} has more than {NODES} nodes")
        walk: list[Token] = []
        for node in (*[Node(IDENTITY, (), (-1,))] * missing, *canonical(network).nodes):
            if len(node.inputs) != 1:
                raise NotationError(f"{text!r}: {node.op} must read one node, not {node.inputs}")
            source = node.inputs[0]
            walk += [SOURCES[missing + source + 1] if source >= 0 else SOURCES[0], node.op]
        found = self.architecture(walk[1:])
        if found != canonical(network):
            raise NotationError(
                f"{text!r} is not a network of this space; these nodes make {found.text}"
            )
        return tuple(walk[1:])


def _network(operations: Sequence[str], sources: Sequence[int]) -> Architecture:
    """Nodes that each read one earlier node, or -1, the features.

    An identity is needless unless it hands on, past another reader, what the node that it reads has
    computed.
    """
    read_by_some = set(sources)
    origins: list[int] = []  # what a node reads through identities; of an identity, what it is
    for source in sources:
        is_identity = source >= 0 and operations[source] == IDENTITY
        origins.append(origins[source] if is_identity else source)
    ends = [
        origins[node]
        for node, operation in enumerate(operations)
        if operation != IDENTITY or node not in read_by_some
    ]
    places: dict[int, int] = {-1: -1}
    nodes: list[Node] = []
    for node, operation in enumerate(operations):
        origin = origins[node]
        if operation == IDENTITY and (
            node in read_by_some or origin == -1 or ends.count(origin) == 1
        ):
            continue
        places[node] = len(nodes)
        nodes.append(Node(operation, (), (places[origin],)))
    read_after = {source for node in nodes for source in node.inputs}
    outputs = tuple(place for place in range(len(nodes)) if place not in read_after)
    return canonical(Architecture(tuple(nodes), outputs))
