"""Recurrent cells that papers found."""

from state_space import Architecture, Node
from state_space.recurrent import HIDDEN, INPUT, LINEAR, tree

NASCELL_LEAVES = (
    *(("add", "sigmoid"), ("add", "relu"), ("add", "relu"), ("mult", "sigmoid")),
    *(("add", "tanh"), ("add", "sigmoid"), ("add", "tanh"), ("add", "sigmoid")),
)
NASCELL_INNER = (
    *(("mult", "tanh"), ("add", "tanh"), ("mult", "tanh"), ("add", "sigmoid")),
    *(("mult", "identity"), ("add", "tanh"), ("mult", "tanh")),
)

ENAS_NODES = (
    *((0, "TANH"), (0, "TANH"), (1, "RELU"), (2, "RELU"), (2, "TANH"), (2, "TANH")),
    *((5, "RELU"), (1, "TANH"), (6, "RELU"), (8, "RELU"), (8, "RELU"), (8, "RELU")),
)
"""Of each node the one that it reads, and its activation; the first reads input and state."""


def nascell() -> Architecture:
    """The best cell of Zoph & Le 2017 (figure 8), as TensorFlow's NASCell has it."""
    return tree((*NASCELL_LEAVES, *NASCELL_INNER), ("add", "tanh"), memory=12, injected=8)


def enas() -> Architecture:
    """The cell of Pham et al. 2018 (https://arxiv.org/abs/1802.03268), section 2.1."""
    return chain(ENAS_NODES)


def chain(nodes: tuple[tuple[int, str], ...]) -> Architecture:
    """A cell whose nodes each read one before, through a gate; the mean of the loose ones is h_t.

    A node is s = s_p + sigmoid(V s_p) (f(W s_p) - s_p) of the node p that it reads; in the first
    one the maps are those of x_t and h_t-1, added.
    """
    made: list[Node] = []

    def put(op: str, *inputs: int) -> int:
        made.append(Node(op, (), inputs))
        return len(made) - 1

    states: list[int] = []
    for number, (read, activation) in enumerate(nodes):
        old = states[read] if number else HIDDEN
        ends = []
        for op in ("SIGMOID", activation):
            if number:
                ends.append(put(op, put(LINEAR, old)))
            else:
                ends.append(put(op, put("ADD", put(LINEAR, INPUT), put(LINEAR, HIDDEN))))
        states.append(put("HIGHWAY", *ends, old))
    used = {read for read, _ in nodes[1:]}
    loose = [state for number, state in enumerate(states) if number not in used]
    output = put("MEAN", *loose)
    return Architecture(tuple(made), (output,))


CELLS = {"nascell": nascell, "enas": enas}
"""By name."""
