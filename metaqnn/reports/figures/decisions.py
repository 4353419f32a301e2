"""What figures call the decisions of a space."""

from collections.abc import Collection
from typing import Any

from metaqnn.networks.ops import OPS
from metaqnn.reports.figures.style import COLOURS
from state_space import Space, Token

MOST = 60
"""Rows of a figure in which every token has one of its own."""


def name(token: Token) -> str:
    """A token for people: "stride height 2"."""
    return token.replace("-", " ").replace(":", " ")


def rows_of(tokens: Collection[Token]) -> dict[Token, str]:
    """The row of each token in a figure: its own, or that of its type where there are too many."""
    few = len(set(tokens)) <= MOST
    return {token: token if few else token.partition("(")[0] for token in tokens}


def group(space: Space[Any]) -> dict[Token, tuple[str, str]]:
    """By token the kind of its decision, and the name of what is drawn as one line.

    A kind with few options has a line for each of them, else its layers of one type are one.
    """
    groups = {}
    for kind, tokens in space.vocabulary.items():
        for token in tokens:
            layer = token.partition("(")[0]
            title = OPS[layer].legend() if layer in OPS else layer
            name = token if len(tokens) <= len(COLOURS) else title
            groups[token] = kind, name.removeprefix(f"{kind}:")
    return groups
