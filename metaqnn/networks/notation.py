"""The text of a network, read with all that is known of its ops; or the name of a published one."""

import re

from metaqnn.networks.named import NAMED
from metaqnn.networks.ops import OPS
from state_space import Architecture, notation
from state_space.settings import suggestion


def read(text: str) -> Architecture:
    """The network of a text, or a part of one.

    Raises:
        NotationError: The text is malformed, names an unknown layer or reads a later one; the
            message names the character.
    """
    return notation.read(
        text,
        {name: op.parameters for name, op in OPS.items()},
        lambda op, args: OPS[op].problem(args),
    )


def find_network(text: str) -> Architecture:
    """The published network of a name, or else the network of a text.

    Raises:
        NotationError: There is none of this name; see `read`.
    """
    if text in NAMED:
        return NAMED[text]()
    if re.fullmatch(r"[\w-]+", text):
        raise notation.NotationError(f"there is no network {text!r}{suggestion(text, NAMED)}")
    if "[" not in text:
        raise notation.NotationError(
            f"{text!r} has no layers, as in [C(64,3,1), SM(10)]; words of a space are read with "
            "--space NAME"
        )
    return read(text)
