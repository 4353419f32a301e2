"""Other sizes of a space's networks, such as wider ones."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from state_space.base import Space, State


def check_scale(space: Space[Any], scale: Mapping[str, int] | None) -> dict[str, int]:
    """The scale of a space's networks, with other values where they are given.

    Raises:
        ValueError: The space has no such key, or a value is below 1.
    """
    for name, value in (scale or {}).items():
        if name not in space.scale:
            known = f"only {', '.join(space.scale)}" if space.scale else "it has one size"
            raise ValueError(f"networks of this space have no {name}: {known}")
        if type(value) is not int or value < 1:
            raise ValueError(f"{name} must be a whole number from 1 on, not {value!r}")
    return {**space.scale, **(scale or {})}


def scaled(space: Space[State], scale: Mapping[str, int]) -> Space[State]:
    """The same space, whose networks have other sizes unless `architecture` is told otherwise.

    Raises:
        ValueError: See `check_scale`.
    """
    if not scale:
        return space
    other = copy(space)
    other.scale = check_scale(space, scale)
    return other
