"""Recurrent cells as ENAS searches them (Pham et al. 2018, https://arxiv.org/abs/1802.03268).

Each node but the first reads one of those before it, through a highway: of the state s of the node
that it reads it makes s + sigmoid(V s) (f(W s) - s). In the first one s is the hidden state, and
both maps read the input too. The mean of what no node reads is the next hidden state.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from state_space.architecture import Architecture, Node
from state_space.base import Decision, IllegalMove, Token, legal_walk
from state_space.notation import NotationError, read
from state_space.recurrent import (
    ACTIVATIONS,
    HIDDEN,
    INPUT,
    LINEAR,
    NAMES,
    CellsOfTexts,
    RecurrentState,
)
from state_space.scale import check_scale
from state_space.settings import Rule, check, is_list_of, is_whole

ADD, GATE, HIGHWAY, MEAN = "ADD", "SIGMOID", "HIGHWAY", "MEAN"

START = "start"


class EnasCellSpace(CellsOfTexts):
    """The cells of so many nodes."""

    def __init__(self, nodes: int, activations: Sequence[str]) -> None:
        """Choose the functions.

        Args:
            nodes: Of a cell, at least two.
            activations: Some of `ACTIVATIONS`.
        """
        self.nodes = nodes
        sources = tuple(f"read:{number}" for number in range(nodes - 1))
        functions = tuple(f"activation:{name}" for name in activations)
        self.vocabulary = {"read": sources, "activation": functions}
        self._reads = [Decision("read", sources[:number]) for number in range(nodes)]
        self._activation = Decision("activation", functions)

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "EnasCellSpace":
        """The space of the keys in a TOML file, whatever the task."""
        return cls(**check(mapping, RULES))

    def initial_state(self, stage: int = 0) -> RecurrentState:
        """The first node, which reads what a cell reads; the space does not grow."""
        return RecurrentState(0, "activation", START)

    def decision(self, state: RecurrentState) -> Decision | None:
        """Which node is read, or by what function; none behind the last node."""
        if state.node == self.nodes:
            return None
        return self._reads[state.node] if state.decision == "read" else self._activation

    def step(self, state: RecurrentState, token: Token) -> RecurrentState:
        """The node's function, or the next node."""
        if state.decision == "read":
            return RecurrentState(state.node, "activation", token)
        return RecurrentState(state.node + 1, "read", token)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The cell: its output is h_t."""
        check_scale(self, scale)
        first, *values = [self.action(token).value for _, _, token in legal_walk(self, walk)]
        pairs = zip(map(int, values[::2]), values[1::2], strict=True)
        return highways(((0, first), *pairs))

    def text(self, walk: Sequence[Token]) -> str:
        """Node by node its function, and which it reads: "tanh, tanh@0, relu@1"."""
        first, *values = [self.action(token).value for token in walk]
        pairs = zip(values[::2], values[1::2], strict=True)
        return ", ".join([first, *(f"{function}@{source}" for source, function in pairs)])

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of what `text` gave, or of the cell's own text."""
        if text.lstrip().startswith("["):
            return self._parse_cell(text)
        first, *others = (part.strip() for part in text.split(","))
        walk = [f"activation:{first}"]
        for part in others:
            function, _, source = part.partition("@")
            walk += [f"read:{source}", f"activation:{function}"]
        try:
            self.architecture(walk)
        except IllegalMove as error:
            raise NotationError(f"{text!r} is no cell such as 'tanh, relu@0': {error}") from None
        return tuple(walk)

    def _parse_cell(self, text: str) -> tuple[Token, ...]:
        cell = read(text, dict.fromkeys((LINEAR, HIGHWAY, MEAN, *NAMES), ()), inputs=-HIDDEN)
        states: list[int] = []
        walk: list[Token] = []
        for place, node in enumerate(cell.nodes):
            if node.op == HIGHWAY and len(node.inputs) == 3:
                _, new, old = node.inputs
                if states:
                    walk.append(f"read:{states.index(old) if old in states else old}")
                op = cell.nodes[new].op if new >= 0 else ""
                walk.append(f"activation:{NAMES[op if op in ACTIVATIONS.values() else '']}")
                states.append(place)
        try:
            if self.architecture(walk) == cell:
                return tuple(walk)
        except IllegalMove:
            pass
        raise NotationError(f"{text!r} is not a cell of this space")


def highways(nodes: Sequence[tuple[int, str]]) -> Architecture:
    """The cell of nodes.

    Args:
        nodes: Of each the one that it reads, and its activation; the first reads input and state.
    """
    made: list[Node] = []

    def put(op: str, *inputs: int) -> int:
        if not op:
            return inputs[0]
        made.append(Node(op, (), inputs))
        return len(made) - 1

    def linear(old: int) -> int:
        if old == HIDDEN:
            return put(ADD, put(LINEAR, INPUT), put(LINEAR, HIDDEN))
        return put(LINEAR, old)

    states: list[int] = []
    for source, activation in nodes:
        old = states[source] if states else HIDDEN
        gate = put(GATE, linear(old))
        new = put(ACTIVATIONS[activation], linear(old))
        states.append(put(HIGHWAY, gate, new, old))
    read_ones = {source for source, _ in nodes[1:]}
    loose = [state for number, state in enumerate(states) if number not in read_ones]
    mean = put(MEAN, *loose)
    return Architecture(tuple(made), (mean,))


RULES = {
    "nodes": Rule(is_whole(2, 64), "a whole number from 2 to 64", 12),
    "activations": Rule(
        is_list_of(lambda value: value in ACTIVATIONS),
        f"a list of distinct ones of {', '.join(ACTIVATIONS)}",
        ["tanh", "relu", "identity", "sigmoid"],
    ),
}
"""The keys of the space's TOML file."""
