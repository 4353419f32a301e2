"""The notation of the 2017 MetaQNN code: "[C(64,3,1), P(2,2), D(1,2), FC(128), SM(10)]".

Graphs are written as `Architecture.text` writes them: "[C(8,3,1), C(8,3,1)@-1, SM(10)@0,1]".
"""

import math
import re
from collections.abc import Callable, Mapping

from state_space.architecture import Architecture, Node, chain

Layer = tuple[str, tuple[int | str, ...]]

Parameters = Mapping[str, tuple[str, ...]]
"""The layers that are known, with the names of their parameters, all positive whole numbers."""

Check = Callable[[str, tuple[int, ...]], str | None]
"""What is wrong with the numbers of a layer, beside being below 1; None if nothing is."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ARGUMENTS = re.compile(r"\s*\(([^()]*)\)")
_VALUE = re.compile(r"(?<=[(,])[^,()]*")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_NUMBERS = re.compile(rf"\s*{_NUMBER.pattern}(\s*,\s*{_NUMBER.pattern})*")
_OUTPUTS = re.compile(r"\s*->")
_SETTING = re.compile(r"\s+([A-Za-z][A-Za-z0-9_-]*)=(\S*)")


class NotationError(ValueError):
    """A network's text is malformed; the message names the character, counted from 1."""


def read(text: str, known: Parameters | None = None, check: Check | None = None) -> Architecture:
    """The network of a text: a layer without @ reads the one before it.

    Args:
        text: A network, or a part of one.
        known: The layers that it may have; None for any layer with any number of parameters.
        check: Looks at the numbers of each.

    Raises:
        NotationError: The text is malformed, names an unknown layer or reads a later one.
    """
    position = _skip(text, 0, "[")
    nodes: list[Node] = []
    while True:
        (op, args), end = _layer(text, position, known, check)
        inputs: tuple[int, ...] = (len(nodes) - 1,)
        if text[end : end + 1] == "@":
            inputs, end = _positions(text, end + 1, -1, len(nodes) - 1)
            end = _spaces(text, end)
        nodes.append(Node(op, args, inputs))
        if text[end : end + 1] == "]":
            break
        position = _skip(text, end, ",")
    end += 1
    outputs: tuple[int, ...] = (len(nodes) - 1,)
    if arrow := _OUTPUTS.match(text, end):
        outputs, end = _positions(text, arrow.end(), 0, len(nodes) - 1)
    return Architecture(tuple(nodes), outputs, _settings(text, end))


def read_layers(text: str, known: Parameters | None = None) -> tuple[Layer, ...]:
    """The layers of a chain's text, as (op, args).

    Raises:
        NotationError: See `read`; or the network is no chain.
    """
    architecture = read(text, known)
    layers = tuple((node.op, node.args) for node in architecture.nodes)
    if architecture != chain(layers):
        raise NotationError(
            f"{text!r}: a chain is expected; every layer reads the one before it, "
            "without @, -> and settings"
        )
    return layers


def read_token(token: str, known: Parameters | None = None) -> Layer:
    """The layer of a single token such as "C(64,3,1)".

    Raises:
        NotationError: The token is malformed or names an unknown layer.
    """
    layer, end = _layer(token, 0, known, None)
    if end != len(token):
        raise _error(token, end, "one layer is expected, nothing may follow it")
    return layer


def _layer(
    text: str, position: int, known: Parameters | None, check: Check | None
) -> tuple[Layer, int]:
    """The layer that starts at position, and where the text goes on behind it."""
    name = _NAME.match(text, position)
    if name is None:
        one_of = "" if known is None else f", one of {', '.join(known)}"
        raise _error(text, position, f"expected a layer{one_of}")
    op = name.group()
    if known is not None and op not in known:
        raise _error(text, position, f"unknown layer {op!r}, known: {', '.join(known)}")
    arguments = _ARGUMENTS.match(text, name.end())
    values = list(_VALUE.finditer(text, *arguments.span(1))) if arguments else []
    if len(values) == 1 and not values[0].group().strip():
        values = []
    parameters = ["a number"] * len(values) if known is None else known[op]
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
    if check is not None and (problem := check(op, args)):
        raise _error(text, position, problem)
    end = arguments.end() if arguments else name.end()
    return (op, args), _spaces(text, end)


def _positions(text: str, start: int, low: int, high: int) -> tuple[tuple[int, ...], int]:
    """Distinct numbers from low to high, with commas between, and where the text goes on."""
    numbers = _NUMBERS.match(text, start)
    if numbers is None:
        raise _error(text, start, "expected positions of layers, such as 0,1")
    found: list[int] = []
    for number in _NUMBER.finditer(text, start, numbers.end()):
        position = int(number.group())
        if not low <= position <= high:
            problem = f"{position} is not from {low} to {high}: layers count from 0"
            raise _error(text, number.start(), problem + ", -1 is the images" * (low < 0))
        if position in found:
            raise _error(text, number.start(), f"{position} stands here twice")
        found.append(position)
    return tuple(found), numbers.end()


def _settings(text: str, position: int) -> dict[str, float]:
    """The settings behind a network, up to the text's end."""
    settings: dict[str, float] = {}
    while setting := _SETTING.match(text, position):
        name, value = setting.groups()
        if name in settings:
            raise _error(text, setting.start(1), f"{name} is set twice")
        try:
            settings[name] = float(value)
        except ValueError:
            settings[name] = math.nan
        if not math.isfinite(settings[name]):
            raise _error(text, setting.start(2), f"{name} must be a number, not {value!r}")
        position = setting.end()
    if text[position:].strip():
        raise _error(text, position, "nothing may follow ']' but -> outputs and name=value")
    return settings


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
