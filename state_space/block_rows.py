"""The code of a block, row by row, and the cell that it makes (Zhong et al. 2018, section 3.1).

A row (layer, type, kernel, first, second) is a layer of the block: its number (the paper's index),
what it is, and which rows it reads; 0 is the block's input.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from state_space.architecture import Architecture, Cell, Node
from state_space.base import Token
from state_space.canonical import canonical

INPUT, END = "input", "end"
CONVOLUTION, IDENTITY, ADD, CONCAT = "conv", "identity", "add", "concat"
POOLINGS = {"max": "MP", "avg": "AP"}
"""Types of poolings, and their ops."""

TYPES = (INPUT, CONVOLUTION, *POOLINGS, IDENTITY, ADD, CONCAT, END)
"""In the order of the paper's numbers, from 0."""

PAIRS = ADD, CONCAT
"""Types that read two rows."""

PROJECT, GROW = "project", "grow"
"""What becomes of the width where layers are put side by side."""

FILTERS = "F"
"""The cell's parameter."""


class Row(NamedTuple):
    """A layer of a block, the network structure code of the paper; a row of the Q-table as well.

    Attributes:
        layer: Its number, from 1; 0 is the block's input.
        type: One of TYPES.
        kernel: Height and width of its window; 0 where it has none.
        first: The row that it reads.
        second: The other, of an addition or concatenation; else 0.
    """

    layer: int
    type: str
    kernel: int
    first: int
    second: int

    @property
    def sources(self) -> tuple[int, ...]:
        """The rows that it reads."""
        return (self.first, self.second) if self.type in PAIRS else (self.first,)

    @property
    def token(self) -> Token:
        """The row without its number: "conv3(0)", "add(1,2)", "end"."""
        if self.type == END:
            return END
        return f"{self.type}{self.kernel or ''}({','.join(map(str, self.sources))})"


START = Row(0, INPUT, 0, 0, 0)


def possible_rows(
    most: int, convolutions: Sequence[int], poolings: Sequence[int], *, ordered: bool
) -> Iterator[Row]:
    """Yield the rows, as layer 0, that may stand behind `most` others, by the last one they read.

    Args:
        most: Layers of a block at most.
        convolutions: Kernels.
        poolings: Likewise.
        ordered: Whether pairs in another order are other rows.
    """
    for source in range(most):
        for kernel in convolutions:
            yield Row(0, CONVOLUTION, kernel, source, 0)
        for pooling in POOLINGS:
            for kernel in poolings:
                yield Row(0, pooling, kernel, source, 0)
        yield Row(0, IDENTITY, 0, source, 0)
        for pair in PAIRS:
            for other in range(source):
                yield Row(0, pair, 0, other, source)
                if ordered:
                    yield Row(0, pair, 0, source, other)


@lru_cache(maxsize=4096)
def canonical_rows(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows of the same block in an order that depends on no order, without END.

    A concatenation that the block would have at its end anyway is left out.
    """
    rows = tuple(row for row in rows if row.type != END)
    last, read = rows[-1], [source for row in rows for source in row.sources]
    # of rows that others read too, and of the block's input, the end makes nothing
    is_end = all(source and read.count(source) == 1 for source in last.sources)
    if is_end and last.type == CONCAT and len(_loose(rows)) == 1:
        rows = rows[:-1]
    nodes = tuple(
        Node(row.type, (row.kernel,), tuple(source - 1 for source in row.sources)) for row in rows
    )
    block = canonical(Architecture(nodes, tuple(end - 1 for end in _loose(rows))))
    return tuple(
        Row(index, node.op, int(node.args[0]), *_pair([source + 1 for source in node.inputs]))
        for index, node in enumerate(block.nodes, start=1)
    )


def block_cell(rows: Sequence[Row], concat: str) -> tuple[Cell, int]:
    """The cell of a block that reads F channels, and how many times F it gives.

    Args:
        rows: In order, without END.
        concat: PROJECT brings what is put side by side back to F channels by a 1x1 convolution;
            GROW leaves it as it is, and brings to F, where they differ, what is added.
    """
    nodes: list[Node] = []
    places, widths = [-1], [1]

    def add(op: str, args: tuple[int | str, ...], sources: Sequence[int]) -> int:
        nodes.append(Node(op, args, tuple(sources)))
        return len(nodes) - 1

    def join(sources: Sequence[int]) -> tuple[int, int]:
        read = [places[source] for source in sources]
        if concat == PROJECT:
            return add("RC", (FILTERS, 1, 1, 1, 1), read), 1
        return add("CAT", (), read), sum(widths[source] for source in sources)

    for row in rows:
        sources, width = [places[source] for source in row.sources], widths[row.first]
        if row.type == CONVOLUTION:
            place, width = add("RC", (FILTERS, row.kernel, row.kernel, 1, 1), sources), 1
        elif row.type in POOLINGS:
            place = add(POOLINGS[row.type], (row.kernel, row.kernel, 1, 1), sources)
        elif row.type == IDENTITY:
            place = add("ID", (), sources)
        elif row.type == CONCAT:
            place, width = join(row.sources)
        else:
            if width != widths[row.second]:
                width = 1
                sources = [
                    place if widths[source] == 1 else add("PB", (FILTERS,), [place])
                    for source, place in zip(row.sources, sources, strict=True)
                ]
            place = add("ADD", (), sources)
        places.append(place)
        widths.append(width)
    ends = _loose(rows)
    output, width = join(ends) if len(ends) > 1 else (places[ends[0]], widths[ends[0]])
    return Cell((FILTERS,), tuple(nodes), (output,)), width


def cell_rows(cell: Cell) -> tuple[Row, ...]:
    """The rows that made a cell, if any did, which is to be tried.

    Raises:
        ValueError: An operation is none of a block's.
    """
    nodes = cell.nodes
    read = [source for node in nodes for source in node.inputs]
    last = nodes[-1]
    is_end = all(source >= 0 and read.count(source) == 1 for source in last.inputs)
    is_join = len(last.inputs) > 1 and last.op != "ADD"
    if is_end and is_join and set(read) >= set(range(len(nodes) - 1)):
        nodes = nodes[:-1]  # what is put side by side at the end is no row
    kinds = {"RC": CONVOLUTION, "ID": IDENTITY, "ADD": ADD, "CAT": CONCAT}
    kinds |= {op: pooling for pooling, op in POOLINGS.items()}
    indices = {-1: 0}
    rows: list[Row] = []
    for place, node in enumerate(nodes):
        if not indices.keys() >= set(node.inputs) or node.op not in {*kinds, "PB"}:
            raise ValueError(f"{node.text} is no layer of a block")
        sources = [indices[source] for source in node.inputs]
        if node.op == "PB":  # of an addition
            indices[place] = sources[0]
            continue
        kind, kernel = kinds[node.op], 0
        if kind == CONVOLUTION and len(sources) > 1:
            kind = CONCAT
        elif kind == CONVOLUTION or kind in POOLINGS:
            kernel = int(node.args[1])
        rows.append(Row(len(rows) + 1, kind, kernel, *_pair(sources)))
        indices[place] = len(rows)
    return tuple(rows)


def _loose(rows: Sequence[Row]) -> tuple[int, ...]:
    """The rows that no row reads."""
    read = {source for row in rows for source in row.sources}
    return tuple(row.layer for row in rows if row.layer not in read)


def _pair(sources: Sequence[int]) -> tuple[int, int]:
    return sources[0], sources[1] if len(sources) > 1 else 0
