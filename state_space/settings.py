"""Checks a mapping, such as a parsed TOML file, as a whole: every problem in one message."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class SettingsError(ValueError):
    """A mapping has unknown keys, misses keys or has impossible values; all are named."""


@dataclass(frozen=True)
class Rule:
    """What a key's value must be.

    Attributes:
        accepts: True for a legal value.
        allowed: What is legal, in words, for the message.
        default: The value where the key is missing; None makes it required.
    """

    accepts: Callable[[Any], bool]
    allowed: str
    default: Any = None


def check(mapping: Mapping[str, Any], rules: Mapping[str, Rule]) -> dict[str, Any]:
    """The values of all keys of the rules, nested tables flattened to "table.key".

    Raises:
        SettingsError: Names every unknown or missing key and every impossible value.
    """
    given = _flatten(mapping)
    problems = [f"unknown key {key}{suggestion(key, rules)}" for key in given if key not in rules]
    values = {}
    for key, rule in rules.items():
        value = given.get(key, rule.default)
        if value is None:
            problems.append(f"{key} is missing; it must be {rule.allowed}")
        elif not rule.accepts(value):
            problems.append(f"{key} must be {rule.allowed}, not {value!r}")
        values[key] = value
    if problems:
        raise SettingsError("; ".join(problems))
    return values


def suggestion(name: str, known: Iterable[str]) -> str:
    """A phrase for an error message: the nearest known name, or all of them."""
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else f"; known: {', '.join(known)}"


def is_whole(low: int, high: int) -> Callable[[Any], bool]:
    """Accepts whole numbers from low to high."""
    return lambda value: type(value) is int and low <= value <= high


def is_list_of(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Accepts lists of one or more distinct values, all of them accepted."""

    def accepts_list(value: Any) -> bool:
        return (
            isinstance(value, list)
            and bool(value)
            and all(map(accepts, value))
            and all(item not in value[:position] for position, item in enumerate(value))
        )

    return accepts_list


def _flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        flat |= (
            _flatten(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {f"{prefix}{key}": value}
        )
    return flat
