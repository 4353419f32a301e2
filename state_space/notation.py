"""The notation of the 2017 MetaQNN code: "[C(64,3,1), P(2,2), D(1,2), FC(128), SM(10)]".

Graphs are written as `Architecture.text` writes them: "[C(8,3,1), C(8,3,1)@-1, SM(10)@0,1]", and
parts that stand in them several times behind them: "[N(8), N(16), SM(10)] where N(F) = [C(F,3,1)]".
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from state_space.architecture import Architecture, Cell, NestingError, Node, chain

Layer = tuple[str, tuple[int | str, ...]]

Parameters = Mapping[str, tuple[str, ...]]
"""The layers that are known, with the names of their parameters, all positive whole numbers."""

Check = Callable[[str, tuple[int, ...]], str | None]
"""What is wrong with the numbers of a layer, beside being below 1; None if nothing is."""

INPUTS = 99
"""Most inputs of a cell."""

_WORD = r"[A-Za-z][A-Za-z0-9_]*"
_NAME = re.compile(_WORD)
_ARGUMENTS = re.compile(r"\s*\(([^()]*)\)")
_VALUE = re.compile(r"(?<=[(,])[^,()]*")
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_NUMBERS = re.compile(rf"\s*{_NUMBER.pattern}(\s*,\s*{_NUMBER.pattern})*")
_OUTPUTS = re.compile(r"\s*->")
_SETTING = re.compile(r"\s+([A-Za-z][A-Za-z0-9_-]*)=(\S*)")
_WHERE = re.compile(rf"\s+where\s+({_WORD})\s*(?:\(\s*({_WORD}(?:\s*,\s*{_WORD})*)\s*\)\s*)?=\s*")


class NotationError(ValueError):
    """A network's text is malformed; the message names the character, counted from 1."""


class _Rules(NamedTuple):
    """What a layer may be.

    Attributes:
        known: See `read`.
        check: See `read`.
        cells: The cells of the text, with the names of their parameters.
        values: Names that may stand for numbers.
        twice: Whether one node may be several outputs.
    """

    known: Parameters | None
    check: Check | None = None
    cells: Parameters = {}
    values: tuple[str, ...] = ()
    twice: bool = False


def read(
    text: str, known: Parameters | None = None, check: Check | None = None, *, inputs: int = 1
) -> Architecture:
    """The network of a text: a layer without @ reads the one before it.

    Args:
        text: A network, or a part of one.
        known: The layers that it may have; None for any layer with any number of parameters.
        check: Looks at the numbers of each.
        inputs: How many the network has: -1, -2, ... Where it has several, one node may be several
            outputs.

    Raises:
        NotationError: The text is malformed, names an unknown layer or reads a later one; or its
            cells cannot be written out.
    """
    # their parameters are known before the layers that stand for them are read
    cells = {found[1]: _names(found[2]) for found in _WHERE.finditer(text)}
    rules = _Rules(known, check, cells, twice=inputs > 1)
    nodes, outputs, end = _graph(text, 0, rules, -inputs)
    settings, end = _settings(text, end)
    architecture = Architecture(nodes, outputs, settings, _cells(text, end, rules))
    try:
        architecture.check()
    except NestingError as error:
        raise NotationError(f"{text!r}: {error}") from None
    return architecture


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
    layer, end = _layer(token, 0, _Rules(known))
    if end != len(token):
        raise _error(token, end, "one layer is expected, nothing may follow it")
    return layer


def _graph(
    text: str, position: int, rules: _Rules, low: int
) -> tuple[tuple[Node, ...], tuple[int, ...], int]:
    """The nodes and outputs of a list in brackets, and where the text goes on behind them.

    Args:
        text: All of it.
        position: Where the list starts.
        rules: What a layer may be.
        low: The last input.
    """
    position = _skip(text, position, "[")
    nodes: list[Node] = []
    while True:
        (op, args), end = _layer(text, position, rules)
        inputs: tuple[int, ...] = (len(nodes) - 1,)
        if text[end : end + 1] == "@":
            twice = op in rules.cells
            inputs, end = _positions(text, end + 1, low, len(nodes) - 1, twice=twice)
            end = _spaces(text, end)
        nodes.append(Node(op, args, inputs))
        if text[end : end + 1] == "]":
            break
        position = _skip(text, end, ",")
    end += 1
    outputs: tuple[int, ...] = (len(nodes) - 1,)
    if arrow := _OUTPUTS.match(text, end):
        end = arrow.end()
        outputs, end = _positions(text, end, 0, len(nodes) - 1, twice=rules.twice)
    return tuple(nodes), outputs, end


def _cells(text: str, position: int, rules: _Rules) -> dict[str, Cell]:
    """The cells behind a network, up to the text's end."""
    cells: dict[str, Cell] = {}
    while where := _WHERE.match(text, position):
        name, parameters = where[1], _names(where[2])
        if name in cells:
            raise _error(text, where.start(1), f"{name} stands here twice")
        if name in (rules.known or ()):
            raise _error(text, where.start(1), f"{name} is a layer, and cannot be a cell")
        if len(set(parameters)) < len(parameters):
            raise _error(text, where.start(2), f"parameters of {name} have the same name")
        own = rules._replace(values=parameters, twice=False)
        nodes, outputs, position = _graph(text, where.end(), own, -INPUTS)
        cells[name] = Cell(parameters, nodes, outputs)
    if text[position:].strip():
        raise _error(
            text,
            position,
            "nothing may follow ']' but -> outputs and name=value, and where NAME(PARAMETERS) = []",
        )
    return cells


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(_NAME.findall(text or ""))


def _layer(text: str, position: int, rules: _Rules) -> tuple[Layer, int]:
    """The layer that starts at position, and where the text goes on behind it."""
    name = _NAME.match(text, position)
    known = None if rules.known is None else {**rules.known, **rules.cells}
    names = ", ".join(filter(None, known or ()))  # what does nothing may have no name
    if name is None:
        one_of = "" if known is None else f", one of {names}"
        raise _error(text, position, f"expected a layer{one_of}")
    op = name.group()
    if known is not None and op not in known:
        raise _error(text, position, f"unknown layer {op!r}, known: {names}")
    arguments = _ARGUMENTS.match(text, name.end())
    values = list(_VALUE.finditer(text, *arguments.span(1))) if arguments else []
    if len(values) == 1 and not values[0].group().strip():
        values = []
    parameters = (known or rules.cells).get(op, ("a number",) * len(values))
    if len(values) != len(parameters):
        raise _error(
            text,
            name.end(),
            f"{op} takes ({', '.join(parameters)}), {len(parameters)} numbers, not {len(values)}",
        )
    args: list[int | str] = []
    for parameter, value in zip(parameters, values, strict=True):
        given = value.group().strip()
        if given in rules.values:
            args.append(given)
            continue
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", value.group()) or int(value.group()) == 0:
            where = _spaces(text, value.start()) if given else value.start()
            raise _error(text, where, f"{parameter} of {op} must be 1 or more, not {given!r}")
        args.append(int(given))
    numbers = tuple(value for value in args if isinstance(value, int))
    if rules.check and op not in rules.cells and len(numbers) == len(args):
        problem = rules.check(op, numbers)
        if problem:
            raise _error(text, position, problem)
    end = arguments.end() if arguments else name.end()
    return (op, tuple(args)), _spaces(text, end)


def _positions(
    text: str, start: int, low: int, high: int, *, twice: bool = False
) -> tuple[tuple[int, ...], int]:
    """Numbers from low to high, with commas between, and where the text goes on.

    They are distinct, unless they may stand there twice.
    """
    numbers = _NUMBERS.match(text, start)
    if numbers is None:
        raise _error(text, start, "expected positions of layers, such as 0,1")
    found: list[int] = []
    for number in _NUMBER.finditer(text, start, numbers.end()):
        position = int(number.group())
        if not low <= position <= high:
            problem = f"{position} is not from {low} to {high}: layers count from 0"
            raise _error(text, number.start(), problem + ", -1 is the images" * (low == -1))
        if position in found and not twice:
            raise _error(text, number.start(), f"{position} stands here twice")
        found.append(position)
    return tuple(found), numbers.end()


def _settings(text: str, position: int) -> tuple[dict[str, float], int]:
    """The settings behind a network, and where the text goes on behind them."""
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
    return settings, position


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
