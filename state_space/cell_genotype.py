"""Cells of blocks, as data and as people read them.

A cell has two inputs: 0 is the output of the cell before, 1 that of the cell before that one. A
block, 2, 3 and so on, applies an operation to each of two earlier states, inputs or blocks, and
joins the results (Zoph et al. 2018, https://arxiv.org/abs/1707.07012, sec. 3).
"""

import re
from typing import NamedTuple

from state_space.architecture import Architecture, Node
from state_space.canonical import canonical
from state_space.notation import NotationError

INPUTS = 2

ADD, CONCAT = "add", "concat"
JOINS = {ADD: "+", CONCAT: "&"}
"""How a block joins its halves: by value, or side by side; with the sign that stands for it."""

OPERATIONS: dict[str, tuple[tuple[str, tuple[int | str, ...]], ...]] = {
    "id": (("ID", ()),),
    "conv1x3": (("RC", ("F", 1, 3, 1, "S")), ("RC", ("F", 3, 1, "S", 1))),
    "conv1x7": (("RC", ("F", 1, 7, 1, "S")), ("RC", ("F", 7, 1, "S", 1))),
    "dil3": (("DC", ("F", 3, "S")),),
    "avg3": (("AP", (3, 3, "S", "S")),),
    "max3": (("MP", (3, 3, "S", "S")),),
    "max5": (("MP", (5, 5, "S", "S")),),
    "max7": (("MP", (7, 7, "S", "S")),),
    "conv1": (("RC", ("F", 1, 1, "S", "S")),),
    "conv3": (("RC", ("F", 3, 3, "S", "S")),),
    "sep3": (("SC", ("F", 3, "S")),),
    "sep5": (("SC", ("F", 5, "S")),),
    "sep7": (("SC", ("F", 7, "S")),),
}
"""The operations, in the order of the paper's list, with their layers: F filters, stride S."""

IDENTITY, POINTWISE = "id", "conv1"

_HALF = r"\s*(\d{1,2})\s+([a-z0-9]+)\s*"
_BLOCK = re.compile(f"{_HALF}([+&]){_HALF}")
_CELL = re.compile(r"\s*([a-z]+)\s*:\s*([^|>]*?)(?:\s*->\s*(\d{1,2}(?:\s*,\s*\d{1,2})*))?\s*")


class Half(NamedTuple):
    """An operation, and the state that it reads."""

    reads: int
    operation: str


class Block(NamedTuple):
    """Two operations, and how their results are joined."""

    first: Half
    second: Half
    join: str

    @property
    def halves(self) -> tuple[Half, Half]:
        """Both."""
        return self.first, self.second

    @property
    def text(self) -> str:
        """Such as "0 sep5 + 1 sep3", or & in the place of + for side by side."""
        return f" {JOINS[self.join]} ".join(f"{reads} {name}" for reads, name in self.halves)


class Genotype(NamedTuple):
    """A cell: its blocks, and the states that are its output, side by side."""

    blocks: tuple[Block, ...]
    outputs: tuple[int, ...]

    @property
    def text(self) -> str:
        """The blocks with commas between; with the outputs where they are not those unread."""
        text = ", ".join(block.text for block in self.blocks)
        if self.outputs == unread(self.blocks):
            return text
        return f"{text} -> {','.join(map(str, self.outputs))}"


def unread(blocks: tuple[Block, ...]) -> tuple[int, ...]:
    """The states, inputs among them, that no block reads: the output unless another is named."""
    used = {half.reads for block in blocks for half in block.halves}
    return tuple(state for state in range(INPUTS + len(blocks)) if state not in used)


def genotype(blocks: tuple[Block, ...], *, strided: bool) -> Genotype:
    """A cell whose output are the unread states, the same for all that make one network.

    Blocks stand in an order that depends on no order. An identity that has to change size or width
    is a 1x1 convolution, and called identity.

    Args:
        blocks: Each reads earlier states.
        strided: The cell only stands where it halves the picture.
    """

    def named(half: Half) -> Half:
        is_input = half.reads < INPUTS
        changes = strided if is_input else blocks[half.reads - INPUTS].join == CONCAT
        return (
            half._replace(operation=IDENTITY) if half.operation == POINTWISE and changes else half
        )

    nodes: list[Node] = []
    for block in blocks:
        for half in map(named, block.halves):
            source = 3 * (half.reads - INPUTS) + 2 if half.reads >= INPUTS else -1 - half.reads
            nodes.append(Node(half.operation, (), (source,)))
        nodes.append(Node(block.join, (), (len(nodes) - 2, len(nodes) - 1)))
    ordered = canonical(Architecture(tuple(nodes), ())).nodes
    states = {-1 - state: state for state in range(INPUTS)}
    found: list[Block] = []
    for position, node in enumerate(ordered):
        if node.op in JOINS:
            ends = (ordered[source] for source in node.inputs)
            first, second = sorted(Half(states[end.inputs[0]], end.op) for end in ends)
            states[position] = INPUTS + len(found)
            found.append(Block(first, second, node.op))
    return Genotype(tuple(found), unread(tuple(found)))


def read_cells(text: str) -> dict[str, Genotype]:
    """Cells by name of a text such as "normal: 0 sep3 + 1 id, 2 avg3 & 1 sep5 -> 1,3".

    Cells have a | between them.

    Raises:
        NotationError: The text is malformed, or a block reads a later state.
    """
    cells: dict[str, Genotype] = {}
    for part in text.split("|"):
        found = _CELL.fullmatch(part)
        if found is None or found[1] in cells:
            raise NotationError(
                f"{text!r}: {part.strip()!r} is no cell, such as "
                "normal: 0 sep3 + 1 id, 2 avg3 & 0 id, or there twice"
            )
        blocks = tuple(
            _block(text, words, INPUTS + number) for number, words in enumerate(found[2].split(","))
        )
        outputs = unread(blocks)
        if found[3]:
            outputs = tuple(map(int, found[3].split(",")))
            if len(set(outputs)) < len(outputs) or max(outputs) >= INPUTS + len(blocks):
                raise NotationError(
                    f"{text!r}: outputs must be distinct states from 0 to "
                    f"{INPUTS + len(blocks) - 1}, not {found[3]}"
                )
        cells[found[1]] = Genotype(blocks, outputs)
    return cells


def _block(text: str, words: str, number: int) -> Block:
    """The block of a part of the text, which may read states before this number."""
    found = _BLOCK.fullmatch(words)
    if found is None:
        raise NotationError(f"{text!r}: {words.strip()!r} is no block, such as 0 sep3 + 1 id")
    halves = Half(int(found[1]), found[2]), Half(int(found[4]), found[5])
    for state, operation in halves:
        if state >= number:
            raise NotationError(f"{text!r}: block {number} reads {state}, and not an earlier state")
        if operation not in OPERATIONS:
            raise NotationError(
                f"{text!r}: there is no operation {operation!r}, only {', '.join(OPERATIONS)}"
            )
    (join,) = (join for join, sign in JOINS.items() if sign == found[3])
    return Block(*halves, join)
