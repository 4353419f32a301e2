"""What figures call the decisions of a space."""

from typing import Any

from metaqnn.reports.figures.style import COLOURS
from state_space import Space, Token

LAYERS = {
    "C": "convolution",
    "P": "pooling",
    "FC": "fully connected",
    "GAP": "global average pooling",
    "SM": "softmax, the end",
}


def name(token: Token) -> str:
    """A token for people: "stride height 2"."""
    return token.replace("-", " ").replace(":", " ")


def group(space: Space[Any]) -> dict[Token, tuple[str, str]]:
    """By token the kind of its decision, and the name of what is drawn as one line.

    A kind with few options has a line for each of them, else its layers of one type are one.
    """
    groups = {}
    for kind, tokens in space.vocabulary.items():
        for token in tokens:
            layer = token.partition("(")[0]
            name = token if len(tokens) <= len(COLOURS) else LAYERS.get(layer, layer)
            groups[token] = kind, name.removeprefix(f"{kind}:")
    return groups
