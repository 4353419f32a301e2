"""Cells by their names and texts."""

import re
from typing import Any

from metaqnn.errors import MetaqnnError
from metaqnn.language.model import TORCH
from metaqnn.language.named import CELLS
from metaqnn.language.ops import OPS
from metaqnn.terminal import counted
from state_space import Architecture, Space
from state_space.enas_cell import EnasCellSpace
from state_space.notation import NotationError, read
from state_space.recurrent import (
    ACTIVATIONS,
    COMBINE,
    HIDDEN,
    INPUT,
    LINEAR,
    MEMORY,
    RecurrentSpace,
)
from state_space.settings import suggestion


def find_cell(text: str) -> Architecture | str:
    """The cell of a name, of a text as tables of runs have it, or of one as files have it.

    Raises:
        MetaqnnError: There is none.
    """
    text = text.strip()
    if text in CELLS:
        return CELLS[text]()
    if re.fullmatch(r"[\w-]+", text) and text not in TORCH:
        near = suggestion(text, (*TORCH, *CELLS))
        raise MetaqnnError(f"there is no cell {text!r}{near}")
    if text.startswith("[") or text in TORCH:
        return read_cell(text)
    if "@" in text:
        return _parse(EnasCellSpace(text.count(",") + 1, [*ACTIVATIONS]), text)
    leaves = text.partition("|")[0].count(",") + 1
    if leaves & (leaves - 1) or leaves < 2:
        raise MetaqnnError(
            f"{text!r} has {counted(leaves, 'leaf', 'leaves')}, not 2, 4, 8 or another power of two"
        )
    return _parse(RecurrentSpace(leaves, [*COMBINE], [*ACTIVATIONS]), text)


def _parse(space: Space[Any], text: str) -> Architecture:
    try:
        return space.architecture(space.parse(text))
    except ValueError as error:
        raise MetaqnnError(str(error)) from None


def read_cell(text: str) -> Architecture | str:
    """The cell of a text as files have it, or the name of one of torch's own.

    Raises:
        MetaqnnError: It is none.
    """
    if text in TORCH:
        return text
    try:
        cell = read(text, dict.fromkeys((LINEAR, *OPS), ()), inputs=-MEMORY)
    except NotationError as error:
        raise MetaqnnError(str(error)) from None
    for node in cell.nodes:
        wanted = 1 if node.op == LINEAR else OPS[node.op].inputs
        if wanted not in (None, len(node.inputs)):
            raise MetaqnnError(
                f"{text!r}: {node.op} reads {counted(len(node.inputs), 'value')}, not {wanted}"
            )
    reads = {source for node in cell.nodes for source in node.inputs} | {*cell.outputs}
    maps = {source for node in cell.nodes if node.op == LINEAR for source in node.inputs}
    others = {source for node in cell.nodes if node.op != LINEAR for source in node.inputs}
    states = len(cell.outputs)
    is_mapped = INPUT in maps - others
    if not is_mapped or states > len((HIDDEN, MEMORY)) or min(reads) < -1 - states:
        raise MetaqnnError(
            f"{text!r} is no cell: it must read -1, the input, through maps (LIN) alone, and of -2 "
            "and -3 only as many as it has outputs, which are one or two"
        )
    return cell
