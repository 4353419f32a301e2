"""What layers with skip connections may be: the keys of their TOML file, checked as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from state_space.settings import Rule, SettingsError, check, is_list_of, is_whole

LAYER_TYPES = {"convolution": "CB", "max-pooling": "MP", "average-pooling": "AP"}
"""The types of layers, with their ops."""


@dataclass(frozen=True)
class SkipLimits:
    """What a network may consist of; the keys of a space's TOML file, checked by `from_mapping`.

    Attributes:
        depth: Layers before SM at stage 0.
        growth: Layers more at every further stage; 0 for a fixed depth.
        max_depth: Most layers before SM at any stage.
        heights: Heights of filters and pooling windows.
        widths: Their widths.
        filters: Numbers of filters.
        strides: Strides, chosen for height and width apart.
        skip_connections: Whether a layer chooses what it reads, or reads the one before it.
        layer_types: Keys of `LAYER_TYPES`, convolution among them.
    """

    depth: int
    growth: int
    max_depth: int
    heights: tuple[int, ...]
    widths: tuple[int, ...]
    filters: tuple[int, ...]
    strides: tuple[int, ...]
    skip_connections: bool
    layer_types: tuple[str, ...]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "SkipLimits":
        """The limits in a parsed TOML file.

        Raises:
            SettingsError: Names every unknown or missing key and every impossible value.
        """
        values = check(mapping, RULES)
        lists = [values[key] for key in ("heights", "widths", "filters", "strides", "layer-types")]
        if all(len(choices) == 1 for choices in lists):
            raise SettingsError(
                "one of heights, widths, filters, strides and layer-types must have two values "
                "or more: there is nothing to decide"
            )
        if values["max-depth"] < values["depth"]:
            raise SettingsError(
                f"max-depth must be at least depth, {values['depth']}, not {values['max-depth']}"
            )
        return cls(
            depth=values["depth"],
            growth=values["growth"],
            max_depth=values["max-depth"] if values["growth"] else values["depth"],
            heights=tuple(values["heights"]),
            widths=tuple(values["widths"]),
            filters=tuple(values["filters"]),
            strides=tuple(values["strides"]),
            skip_connections=values["skip-connections"],
            layer_types=tuple(values["layer-types"]),
        )


def _is_odd(value: Any) -> bool:
    return is_whole(1, 99)(value) and value % 2 == 1


def _are_types(value: Any) -> bool:
    return is_list_of(lambda name: name in LAYER_TYPES)(value) and "convolution" in value


_ODD = "a list of distinct odd numbers from 1 to 99"

RULES = {
    "depth": Rule(is_whole(1, 100), "a whole number from 1 to 100"),
    "growth": Rule(is_whole(0, 100), "a whole number from 0 to 100", 0),
    "max-depth": Rule(is_whole(1, 100), "a whole number from 1 to 100", 100),
    "heights": Rule(is_list_of(_is_odd), _ODD),
    "widths": Rule(is_list_of(_is_odd), _ODD),
    "filters": Rule(
        is_list_of(is_whole(1, 65536)), "a list of distinct whole numbers from 1 to 65536"
    ),
    "strides": Rule(
        is_list_of(is_whole(1, 8)), "a list of distinct whole numbers from 1 to 8", [1]
    ),
    "skip-connections": Rule(lambda value: isinstance(value, bool), "true or false", True),
    "layer-types": Rule(
        _are_types,
        f"a list of distinct names of {', '.join(LAYER_TYPES)}, convolution among them",
        ["convolution"],
    ),
}
"""The keys of the TOML file."""
