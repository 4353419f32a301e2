"""Recurrent cells as a binary tree computes them (Zoph & Le 2017, section 3.4).

Each of the 2b - 1 nodes of a tree with b leaves combines two values and applies an activation: a
leaf a linear map of the input and one of the previous hidden state, an inner node what its two
children compute. The root is the next hidden state. The previous memory is injected behind one
node, and the next memory is what a node has before its activation.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from state_space.architecture import Architecture, Node
from state_space.base import Decision, IllegalMove, Observation, Space, Token, legal_walk
from state_space.notation import NotationError, read
from state_space.scale import check_scale
from state_space.settings import Rule, check, is_list_of, is_whole

INPUT, HIDDEN, MEMORY = -1, -2, -3
"""What a cell reads: x_t, h_t-1 and c_t-1."""

LINEAR = "LIN"
"""A linear map without biases to the cell's number of units."""

COMBINE = {"add": "ADD", "mult": "MUL", "max": "LARGER"}
ACTIVATIONS = {
    "identity": "",
    "tanh": "TANH",
    "sigmoid": "SIGMOID",
    "relu": "RELU",
    "sin": "SIN",
}
"""Of what is decided, the name of the op; the identity is none."""

NAMES = {op: name for names in (COMBINE, ACTIVATIONS) for name, op in names.items()}

INJECTION = "inject"


class RecurrentState(NamedTuple):
    """The next decision; a row of the Q-table as well.

    Attributes:
        node: From 0, leaves first; behind the root comes the injection.
        decision: Its kind; "end" at the end.
        last: The token before.
    """

    node: int
    decision: str
    last: Token


class RecurrentAction(NamedTuple):
    """The two parts of a token."""

    decision: str
    value: str


class CellsOfTexts(Space[RecurrentState]):
    """Recurrent cells: no networks of pictures; the evaluator `language` builds models of them."""

    trainable = False

    def observation(self, state: RecurrentState) -> RecurrentState:
        """The state itself."""
        return state

    def layer(self, observation: Observation) -> int:
        """The node."""
        layer: int = RecurrentState(*observation).node
        return layer

    def action(self, token: Token) -> RecurrentAction:
        """What is decided, and how."""
        kind, _, value = token.partition(":")
        return RecurrentAction(kind, value)


class RecurrentSpace(CellsOfTexts):
    """The cells of trees with so many leaves."""

    def __init__(self, leaves: int, combine: Sequence[str], activations: Sequence[str]) -> None:
        """Choose the functions.

        Args:
            leaves: Of the tree, a power of two.
            combine: Some of `COMBINE`.
            activations: Some of `ACTIVATIONS`.
        """
        self.leaves = leaves
        self.nodes = 2 * leaves - 1
        numbers = tuple(map(str, range(self.nodes)))
        self.vocabulary = {
            "combine": tuple(f"combine:{name}" for name in combine),
            "activation": tuple(f"activation:{name}" for name in activations),
            "memory": tuple(f"memory:{number}" for number in numbers),
            INJECTION: tuple(f"{INJECTION}:{number}" for number in numbers),
        }
        self._decisions = {kind: Decision(kind, tokens) for kind, tokens in self.vocabulary.items()}
        each = ("combine", "activation")
        order = [(node, kind) for node in range(self.nodes + 1) for kind in each]
        order += [(self.nodes, "memory"), (self.nodes, INJECTION)]
        self._following = dict(
            zip([(-1, "start"), *order], [*order, (self.nodes + 1, "end")], strict=True)
        )

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "RecurrentSpace":
        """The space of the keys in a TOML file, whatever the task."""
        return cls(**check(mapping, RULES))

    def initial_state(self, stage: int = 0) -> RecurrentState:
        """The first leaf; the space does not grow."""
        return RecurrentState(*self._following[-1, "start"], "start")

    def decision(self, state: RecurrentState) -> Decision | None:
        """Every kind always has the same options."""
        return self._decisions.get(state.decision)

    def step(self, state: RecurrentState, token: Token) -> RecurrentState:
        """The next decision of the node, or the first of the next one."""
        return RecurrentState(*self._following[state.node, state.decision], token)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The cell: its outputs are h_t and c_t."""
        check_scale(self, scale)
        values = [self.action(token).value for _, _, token in legal_walk(self, walk)]
        pairs = list(zip(values[:-2:2], values[1:-2:2], strict=True))
        memory, injected = map(int, values[-2:])
        return tree(pairs[:-1], pairs[-1], memory, injected)

    def text(self, walk: Sequence[Token]) -> str:
        """Level by level: "add tanh, mult relu | mult sigmoid | inject add relu at 0, memory 1"."""
        values = [self.action(token).value for token in walk]
        pairs = [" ".join(pair) for pair in zip(values[:-2:2], values[1:-2:2], strict=True)]
        levels, start, width = [], 0, self.leaves
        while width:
            levels.append(", ".join(pairs[start : start + width]))
            start, width = start + width, width // 2
        memory, injected = values[-2:]
        return " | ".join([*levels, f"inject {pairs[-1]} at {injected}, memory {memory}"])

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of what `text` gave, or of the cell's own text."""
        if text.lstrip().startswith("["):
            return self._parse_cell(text)
        words = text.replace("|", " ").replace(",", " ").split()
        *words, at, injected, kind, memory = words if len(words) > 4 else [*words, *[""] * 4]
        if (at, kind) != ("at", "memory") or words[-3:-2] != [INJECTION]:
            raise NotationError(f"{text!r} must end like 'inject add relu at 0, memory 1'")
        values = [*words[:-3], *words[-2:], memory, injected]
        order = [kind for _, kind in self._following.values()][:-1]
        if len(values) != len(order):
            raise NotationError(
                f"{text!r} has {(len(values) - 4) / 2:g} nodes, and the tree {self.nodes}"
            )
        for kind, value in zip(order, values, strict=True):
            if f"{kind}:{value}" not in self.vocabulary[kind]:
                known = ", ".join(self.action(token).value for token in self.vocabulary[kind])
                raise NotationError(f"{text!r}: {value!r} is not a {kind}: {known}")
        return tuple(f"{kind}:{value}" for kind, value in zip(order, values, strict=True))

    def _parse_cell(self, text: str) -> tuple[Token, ...]:
        cell = read(text, dict.fromkeys((LINEAR, *NAMES), ()), inputs=-MEMORY)
        nodes: list[list[str]] = []
        places: list[int] = []  # of what has no activation yet
        injection, injected = ["", ""], 0
        pair = injection
        for place, node in enumerate(cell.nodes):
            if node.op in ACTIVATIONS.values():
                pair[1] = NAMES[node.op]
            elif MEMORY in node.inputs:
                pair = injection = [NAMES[node.op], NAMES[""]]
                injected = len(nodes) - 1
            elif node.op != LINEAR:
                pair = [NAMES[node.op], NAMES[""]]
                nodes.append(pair)
                places.append(place)
        kinds = ("combine", "activation")
        walk = [
            f"{kind}:{value}"
            for pair in (*nodes, injection)
            for kind, value in zip(kinds, pair, strict=True)
        ]
        memory = places.index(cell.outputs[-1]) if cell.outputs[-1] in places else -1
        walk += [f"memory:{memory}", f"{INJECTION}:{injected}"]
        try:
            if self.architecture(walk) == cell:
                return tuple(walk)
        except IllegalMove:
            pass
        raise NotationError(f"{text!r} is not a cell of this space")


def tree(
    nodes: Sequence[tuple[str, str]], injection: tuple[str, str], memory: int, injected: int
) -> Architecture:
    """The cell of a tree.

    Args:
        nodes: How each combines, and its activation; leaves first, the root last.
        injection: The same of the injected memory.
        memory: The node that is the next memory before its activation.
        injected: The node behind which the memory is injected.
    """
    made: list[Node] = []

    def put(op: str, *inputs: int) -> int:
        if not op:
            return inputs[0]
        made.append(Node(op, (), inputs))
        return len(made) - 1

    leaves = (len(nodes) + 1) // 2
    sources = [(put(LINEAR, INPUT), put(LINEAR, HIDDEN)) for _ in range(leaves)]
    before: list[int] = []
    after: list[int] = []
    for number, (combine, activation) in enumerate(nodes):
        first = 2 * (number - leaves)
        pair = sources[number] if number < leaves else (after[first], after[first + 1])
        before.append(put(COMBINE[combine], *pair))
        after.append(put(ACTIVATIONS[activation], before[-1]))
        if number == injected:
            together = put(COMBINE[injection[0]], after[-1], MEMORY)
            after[-1] = put(ACTIVATIONS[injection[1]], together)
    return Architecture(tuple(made), (after[-1], before[memory]))


def _is_power(value: Any) -> bool:
    return is_whole(2, 64)(value) and value & (value - 1) == 0


RULES = {
    "leaves": Rule(_is_power, "a power of two, 2 to 64", 8),
    "combine": Rule(
        is_list_of(lambda value: value in COMBINE),
        f"a list of distinct ones of {', '.join(COMBINE)}",
        ["add", "mult"],
    ),
    "activations": Rule(
        is_list_of(lambda value: value in ACTIVATIONS),
        f"a list of distinct ones of {', '.join(ACTIVATIONS)}",
        ["identity", "tanh", "sigmoid", "relu"],
    ),
}
"""The keys of the space's TOML file."""
