"""A recurrent cell in words: its equations, and how many weights it has."""

import re

from metaqnn.language.cell import RecurrentCell
from metaqnn.language.model import TORCH, Dimensions, parameters
from metaqnn.language.named import CELLS
from metaqnn.language.notation import find_cell
from metaqnn.language.source import equations, results_of
from state_space import Architecture

UNITS = 200
"""For which the number of weights is said."""


def is_cell(text: str) -> bool:
    """Whether a text or name is meant to be one of a recurrent cell, not of a network of images."""
    return (
        text in CELLS or text in TORCH or bool(re.search(r"\bLIN\b|\binject\b|^\w+, \w+@\d", text))
    )


def describe_cell(text: str) -> tuple[Architecture | str, list[str]]:
    """The cell, and lines that explain it.

    Raises:
        MetaqnnError: There is none.
    """
    cell = find_cell(text)
    tokens = Dimensions(0, UNITS, 1)
    size = f"{parameters(cell, tokens):,} weights where input and state have {UNITS} values each"
    if isinstance(cell, str):
        return cell, [f"PyTorch's nn.{TORCH[cell][0].__name__}", "", size]
    made = RecurrentCell(cell, 1, 1)
    lines = ["One step: of an input x and what the step before has handed on, h, then c.", ""]
    lines += [
        re.sub(r"self\.maps\(.*, (\w+)\)", r"linear maps of \1", line).replace("torch.", "")
        for line in equations(cell, made)
    ]
    names = ["next h", "next c"]
    lines += [
        f"{name} = {value}" for name, value in zip(names, results_of(cell, made), strict=False)
    ]
    return cell, [*lines, "", size]
