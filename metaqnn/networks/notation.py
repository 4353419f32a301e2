"""The text of a network, read with all that is known of its ops."""

from metaqnn.networks.ops import OPS
from state_space import Architecture, notation


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
