"""What cells and networks of them may be: the keys of their TOML file, checked as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from state_space.cell_genotype import JOINS, OPERATIONS
from state_space.cell_network import STEMS, Skeleton
from state_space.settings import Rule, SettingsError, check, is_list_of, is_whole


@dataclass(frozen=True)
class CellSettings:
    """What is decided, and how networks are made of it; checked by `from_mapping`.

    Attributes:
        blocks: Of a cell, at stage 0.
        growth: Blocks more at every further stage; 0 for a fixed number.
        max_blocks: Most blocks at any stage.
        cells: 2 for a normal cell and a reduction, 1 for one that is both.
        operations: Those of `OPERATIONS` that there are.
        joins: Those of `JOINS`; one of them is no decision.
        skeleton: How cells are stacked; the space's scale has other repeats and filters.
    """

    blocks: int
    growth: int
    max_blocks: int
    cells: int
    operations: tuple[str, ...]
    joins: tuple[str, ...]
    skeleton: Skeleton

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "CellSettings":
        """The settings in a parsed TOML file.

        Raises:
            SettingsError: Names every unknown or missing key and every impossible value.
        """
        values = check(mapping, RULES)
        if values["growth"] and values["cells"] > 1:
            raise SettingsError(
                "growth must be 0 where cells is 2: what is decided of the second cell would have "
                "another place at every stage"
            )
        if values["max-blocks"] < values["blocks"]:
            raise SettingsError(
                f"max-blocks must be at least blocks, {values['blocks']}, "
                f"not {values['max-blocks']}"
            )
        return cls(
            blocks=values["blocks"],
            growth=values["growth"],
            max_blocks=values["max-blocks"] if values["growth"] else values["blocks"],
            cells=values["cells"],
            operations=tuple(values["operations"]),
            joins=tuple(values["joins"]),
            skeleton=Skeleton(
                repeats=values["repeats"],
                filters=values["filters"],
                reductions=values["reductions"],
                stem=values["stem"],
                stem_filters=values["stem-filters"],
                counts_reductions=values["counts-reductions"],
                skips=values["skips-reductions"],
            ),
        )


def _are_operations(value: Any) -> bool:
    return is_list_of(lambda name: name in OPERATIONS)(value) and len(value) > 1


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


RULES = {
    "blocks": Rule(is_whole(1, 20), "a whole number from 1 to 20"),
    "growth": Rule(is_whole(0, 20), "a whole number from 0 to 20", 0),
    "max-blocks": Rule(is_whole(1, 20), "a whole number from 1 to 20", 20),
    "cells": Rule(is_whole(1, 2), "1 or 2", 2),
    "operations": Rule(
        _are_operations, f"a list of two or more of {', '.join(OPERATIONS)}", list(OPERATIONS)
    ),
    "joins": Rule(
        is_list_of(lambda name: name in JOINS), f"a list of {' or '.join(JOINS)}", list(JOINS)
    ),
    "repeats": Rule(is_whole(1, 100), "a whole number from 1 to 100"),
    "filters": Rule(is_whole(2, 65536), "a whole number from 2 to 65536"),
    "reductions": Rule(is_whole(1, 5), "a whole number from 1 to 5", 2),
    "stem": Rule(lambda value: value in STEMS, " or ".join(STEMS), STEMS[0]),
    "stem-filters": Rule(is_whole(0, 65536), "a whole number from 0 to 65536", 0),
    "counts-reductions": Rule(_is_switch, "true or false", False),
    "skips-reductions": Rule(_is_switch, "true or false", False),
}
"""The keys of the TOML file."""
