"""Recurrent cells that papers found."""

from state_space import Architecture
from state_space.enas_cell import highways
from state_space.recurrent import tree

NASCELL_LEAVES = (
    *(("add", "sigmoid"), ("add", "relu"), ("add", "relu"), ("mult", "sigmoid")),
    *(("add", "tanh"), ("add", "sigmoid"), ("add", "tanh"), ("add", "sigmoid")),
)
NASCELL_INNER = (
    *(("mult", "tanh"), ("add", "tanh"), ("mult", "tanh"), ("add", "sigmoid")),
    *(("mult", "identity"), ("add", "tanh"), ("mult", "tanh")),
)

ENAS_NODES = (
    *((0, "tanh"), (0, "tanh"), (1, "relu"), (2, "relu"), (2, "tanh"), (2, "tanh")),
    *((5, "relu"), (1, "tanh"), (6, "relu"), (8, "relu"), (8, "relu"), (8, "relu")),
)
"""Of each node the one that it reads, and its activation; the first reads input and state."""


def nascell() -> Architecture:
    """The best cell of Zoph & Le 2017 (figure 8), as TensorFlow's NASCell has it."""
    return tree((*NASCELL_LEAVES, *NASCELL_INNER), ("add", "tanh"), memory=12, injected=8)


def enas() -> Architecture:
    """The cell of Pham et al. 2018 (https://arxiv.org/abs/1802.03268), section 2.1."""
    return highways(ENAS_NODES)


CELLS = {"nascell": nascell, "enas": enas}
"""By name."""
