"""Cells that are stacked: NASNet's and PNAS's space.

Zoph et al. 2018, https://arxiv.org/abs/1707.07012, sec. 3; Liu et al. 2018,
https://arxiv.org/abs/1712.00559. Of every block five things are decided, in this order: the two
states that it reads, the two operations, and how their results are joined. Where there is one way
to join there are four. What the normal cell is comes first, then what the reduction is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from state_space.architecture import Architecture
from state_space.base import Decision, IllegalMove, Observation, Space, Token, legal_walk
from state_space.cell_designs import NASNET_A_FIGURE, PNASNET_5
from state_space.cell_genotype import (
    INPUTS,
    Block,
    Genotype,
    Half,
    genotype,
    read_cells,
    unread,
)
from state_space.cell_network import NORMAL, REDUCTION, cell_network
from state_space.cell_reading import find_blocks
from state_space.cell_settings import CellSettings
from state_space.notation import NotationError, read
from state_space.scale import check_scale

READS, OPERATION, JOIN = "reads", "operation", "join"

NAMES = {1: ("cell",), 2: ("normal", "reduction")}
"""What people call the cells, of which there are so many."""

KINDS = (READS, READS, OPERATION, OPERATION, JOIN)
"""The decisions of a block, which are numbered from 0."""


class CellState(NamedTuple):
    """Where in which block of which cell the walk is.

    Attributes:
        blocks: Of a cell.
        cell: The cell that is decided, from 0; it is the number of cells where all are.
        block: Its block, from 0.
        decision: The block's next decision, see `KINDS`.
        first: The state that the first half reads, once it is decided; else -1.
        second: That of the second half.
    """

    blocks: int
    cell: int
    block: int
    decision: int
    first: int
    second: int


class CellObservation(NamedTuple):
    """A row of the Q-table; it does not depend on how many blocks a cell has.

    Attributes:
        cell: From 0.
        block: From 0.
        decision: "first reads", "second reads", "first operation", "second operation" or "join".
        reads: The state that an operation reads, or before the second is decided that of the
            first; else -1.
    """

    cell: int
    block: int
    decision: str
    reads: int


class CellAction(NamedTuple):
    """The two parts of a token."""

    decision: str
    value: str


class CellSpace(Space[CellState]):
    """The networks of the cells that settings allow, for a number of classes."""

    def __init__(self, settings: CellSettings, classes: int) -> None:
        """Bind the settings to a data set."""
        self.settings = settings
        self.classes = classes
        skeleton = settings.skeleton
        self.scale = {"repeats": skeleton.repeats, "filters": skeleton.filters}
        self._decisions = len(KINDS) if len(settings.joins) > 1 else len(KINDS) - 1
        states = range(INPUTS + settings.max_blocks - 1)
        self.vocabulary = {
            READS: tuple(f"{READS}:{state}" for state in states),
            OPERATION: tuple(f"{OPERATION}:{name}" for name in settings.operations),
            JOIN: tuple(f"{JOIN}:{name}" for name in settings.joins),
        }
        if len(settings.joins) == 1:
            del self.vocabulary[JOIN]

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "CellSpace":
        """The space; its networks fit images of any shape."""
        return cls(CellSettings.from_mapping(mapping), outputs)

    def initial_state(self, stage: int = 0) -> CellState:
        """The first decision of the first block; every stage has more blocks."""
        settings = self.settings
        blocks = min(settings.blocks + settings.growth * stage, settings.max_blocks)
        return CellState(blocks, 0, 0, 0, -1, -1)

    def decision(self, state: CellState) -> Decision | None:
        """A block reads inputs and earlier blocks; all else is the same everywhere."""
        if state.cell == self.settings.cells:
            return None
        kind = KINDS[state.decision]
        options = self.vocabulary[kind]
        return Decision(kind, options[: INPUTS + state.block] if kind == READS else options)

    def step(self, state: CellState, token: Token) -> CellState:
        """The next decision of the block, the next block, or the next cell."""
        blocks, cell, block, decision, first, second = state
        if decision + 1 == self._decisions:
            ends = block + 1 == blocks
            return CellState(blocks, cell + ends, 0 if ends else block + 1, 0, -1, -1)
        if decision == 0:
            first = int(self.action(token).value)
        elif decision == 1:
            second = int(self.action(token).value)
        return CellState(blocks, cell, block, decision + 1, first, second)

    def observation(self, state: CellState) -> CellObservation:
        """What is decided, and what that is about."""
        kind = KINDS[state.decision]
        order = "" if kind == JOIN else "first " if state.decision % 2 == 0 else "second "
        reads = (-1, state.first, state.first, state.second, -1)[state.decision]
        return CellObservation(state.cell, state.block, order + kind, reads)

    def layer(self, observation: Observation) -> int:
        """The number of blocks before, those of the cell before included."""
        cell, block, *_ = CellObservation(*observation)
        layer: int = cell * self.settings.max_blocks + block
        return layer

    def action(self, token: Token) -> CellAction:
        """What is decided, and how."""
        kind, _, value = token.partition(":")
        return CellAction(kind, value)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The network; `repeats` and `filters` of the scale are those of the skeleton."""
        size = check_scale(self, scale)
        skeleton = replace(self.settings.skeleton, repeats=size["repeats"], filters=size["filters"])
        cells = self._genotypes(walk)
        return cell_network(cells[0], cells[-1], skeleton, self.classes)

    def _genotypes(self, walk: Sequence[Token]) -> list[Genotype]:
        """The cells of a walk of any stage."""
        blocks: list[list[Block]] = [[] for _ in range(self.settings.cells)]
        values: list[str] = []
        for state, _, token in legal_walk(self, walk, self._stage(walk)):
            values.append(self.action(token).value)
            if len(values) == self._decisions:
                first, second, *operations = values
                join = operations[2] if len(operations) > 2 else self.settings.joins[0]
                halves = Half(int(first), operations[0]), Half(int(second), operations[1])
                blocks[state.cell].append(Block(*halves, join))
                values = []
        return [genotype(tuple(own), strided=cell > 0) for cell, own in enumerate(blocks)]

    def _stage(self, walk: Sequence[Token]) -> int:
        growth = self.settings.growth
        missing = -(-len(walk) // self._decisions) - self.settings.blocks
        return -(-max(0, missing) // growth) if growth else 0

    def text(self, walk: Sequence[Token]) -> str:
        """The cells, as in "normal: 0 sep3 + 1 id, 2 avg3 & 0 sep5 | reduction: 0 max3 + 1 id"."""
        names = NAMES[self.settings.cells]
        cells = zip(names, self._genotypes(walk), strict=True)
        return " | ".join(f"{name}: {cell.text}" for name, cell in cells)

    def parse(self, text: str) -> tuple[Token, ...]:
        """A walk of what `text` gave, or of the network's own text, at the space's scale."""
        kinds = (NORMAL, REDUCTION)[: self.settings.cells]
        if text.lstrip().startswith("["):
            network = read(text)
            try:
                walk = self._walk([find_blocks(dict(network.cells), kind) for kind in kinds])
                if self.architecture(walk) == network:
                    return walk
            except (NotationError, IllegalMove) as error:
                raise NotationError(f"{text!r} is not a network of this space: {error}") from None
            raise NotationError(f"{text!r} is not a network of this space")
        cells, names = read_cells(text), NAMES[self.settings.cells]
        if tuple(cells) != names:
            raise NotationError(
                f"{text!r}: the cells of this space are {' | '.join(names)}, "
                f"not {' | '.join(cells)}"
            )
        for name, cell in cells.items():
            if len(cell.blocks) != self.settings.blocks and not self.settings.growth:
                raise NotationError(
                    f"{text!r}: {name} has {len(cell.blocks)} of the {self.settings.blocks} blocks "
                    "of a cell"
                )
            if cell.outputs != unread(cell.blocks):
                raise NotationError(
                    f"{text!r}: the output of a cell are the states that no block reads; of {name}"
                    f" {','.join(map(str, unread(cell.blocks)))}, and no others"
                )
        try:
            walk = self._walk([cell.blocks for cell in cells.values()])
            self._genotypes(walk)
        except IllegalMove as error:
            raise IllegalMove(f"{text!r}, {error}") from None
        return walk

    def _walk(self, cells: Sequence[tuple[Block, ...]]) -> tuple[Token, ...]:
        """The walk of cells, which need not be a legal one."""
        walk: list[Token] = []
        for first, second, join in (block for blocks in cells for block in blocks):
            decided = (first.reads, second.reads, first.operation, second.operation, join)
            walk += [
                f"{kind}:{value}"
                for kind, value in list(zip(KINDS, decided, strict=True))[: self._decisions]
            ]
        return tuple(walk)

    def starts(self) -> tuple[tuple[Token, ...], ...]:
        """The published cells that the space has, or as many of their first blocks."""
        walks = []
        for design in (NASNET_A_FIGURE, PNASNET_5):
            if len(design) == self.settings.cells:
                blocks = [cell.blocks[: self.settings.blocks] for cell in design.values()]
                walk = self._walk(blocks)
                known = {token for tokens in self.vocabulary.values() for token in tokens}
                if len(blocks[0]) == self.settings.blocks and known.issuperset(walk):
                    walks.append(walk)
        return tuple(walks)
