"""The notation of the 2017 MetaQNN code: "[C(64,3,1), P(2,2), D(1,2), FC(128), SM(10)]"."""

import re

from state_space.architecture import Architecture, chain

Layer = tuple[str, tuple[int, ...]]

PARAMETERS = {
    "C": ("filters", "field", "stride"),
    "P": ("field", "stride"),
    "FC": ("units",),
    "GAP": ("classes",),
    "SM": ("classes",),
    "D": ("i", "n"),
    "BN": (),
}
"""The layers of the notation with the names of their parameters, all positive whole numbers.

C convolution, P max pooling, FC fully connected, GAP global average pooling, SM softmax,
D(i,n) dropout with probability i/(2n), BN batch normalisation.
"""

NOT_DECIDED = ("D", "BN")
"""Layers that a 2017 log writes into a network although no agent chose them."""

_NAME = re.compile(r"[A-Za-z]+")
_ARGUMENTS = re.compile(r"\s*\(([^()]*)\)")
_VALUE = re.compile(r"(?<=[(,])[^,()]*")


class NotationError(ValueError):
    """A network's text is malformed; the message names the character, counted from 1."""


def read_layers(text: str) -> tuple[Layer, ...]:
    """The layers of a network's text, as (op, args).

    Raises:
        NotationError: The text is malformed or names an unknown layer.
    """
    position = _skip(text, 0, "[")
    layers: list[Layer] = []
    while True:
        layer, end = _layer(text, position)
        layers.append(layer)
        if text[end : end + 1] == "]":
            break
        if layer[0] == "SM":
            raise _error(text, end, "SM ends a network, ']' must follow")
        position = _skip(text, end, ",")
    if text[end + 1 :].strip():
        raise _error(text, end + 1, "nothing may follow ']'")
    if layers[-1][0] != "SM":
        raise _error(text, end, "the last layer must be SM(classes)")
    return tuple(layers)


def read(text: str) -> Architecture:
    """The network of a text: every layer reads the one before it.

    Raises:
        NotationError: The text is malformed or names an unknown layer.
    """
    return chain(read_layers(text))


def read_token(token: str) -> Layer:
    """The layer of a single token such as "C(64,3,1)".

    Raises:
        NotationError: The token is malformed or names an unknown layer.
    """
    layer, end = _layer(token, 0)
    if end != len(token):
        raise _error(token, end, "one layer is expected, nothing may follow it")
    return layer


def _layer(text: str, position: int) -> tuple[Layer, int]:
    """The layer that starts at position, and where the text goes on behind it."""
    name = _NAME.match(text, position)
    if name is None:
        raise _error(text, position, f"expected a layer, one of {', '.join(PARAMETERS)}")
    op = name.group()
    if op not in PARAMETERS:
        raise _error(text, position, f"unknown layer {op!r}, known: {', '.join(PARAMETERS)}")
    parameters = PARAMETERS[op]
    arguments = _ARGUMENTS.match(text, name.end())
    values = list(_VALUE.finditer(text, *arguments.span(1))) if arguments else []
    if len(values) == 1 and not values[0].group().strip():
        values = []
    if len(values) != len(parameters):
        raise _error(
            text,
            name.end(),
            f"{op} takes ({', '.join(parameters)}), {len(parameters)} numbers, not {len(values)}",
        )
    for parameter, value in zip(parameters, values, strict=True):
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", value.group()) or int(value.group()) == 0:
            given = value.group().strip()
            where = _spaces(text, value.start()) if given else value.start()
            raise _error(text, where, f"{parameter} of {op} must be 1 or more, not {given!r}")
    args = tuple(int(value.group()) for value in values)
    if op == "D" and args[0] > args[1]:
        raise _error(text, position, "D(i,n) is the i-th of n dropouts, so i is at most n")
    end = arguments.end() if arguments else name.end()
    return (op, args), _spaces(text, end)


def _skip(text: str, position: int, character: str) -> int:
    position = _spaces(text, position)
    if text[position : position + 1] != character:
        raise _error(text, position, f"expected {character!r}")
    return _spaces(text, position + 1)


def _spaces(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _error(text: str, position: int, problem: str) -> NotationError:
    return NotationError(f"{text!r}, character {position + 1}: {problem}")
