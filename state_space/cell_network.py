"""Networks of cells, as Zoph et al. 2018 stack them, with the rules of the published code.

A cell brings its inputs to its number of filters F: the output of the cell before by a ReLU, a 1x1
convolution and batch norm; that of the cell before that one too, or where it is larger by a ReLU
and a factorised reduction; it is left as it is where it has F channels. Cells that halve the
picture have stride 2 in what reads an input, and twice the filters.
"""

from dataclasses import dataclass
from typing import NamedTuple

from state_space.architecture import Architecture, Cell, Node
from state_space.cell_genotype import CONCAT, IDENTITY, INPUTS, OPERATIONS, POINTWISE, Genotype
from state_space.notation import Layer

SMALL, LARGE = STEMS = ("small", "large")

NORMAL, REDUCTION = "Normal", "Reduction"
"""What cells are called in a network; what they do with their second input is added to the name."""

SQUEEZED, EQUAL, RAW, LARGER = "", "Equal", "Raw", "Larger"
"""Their second input: of other channels; of F; as it is, whatever its channels; twice as large."""

LARGE_STEM = 32
"""Filters of the stem for large pictures."""

LEAST = 2
"""Filters of a cell, which a factorised reduction halves."""


@dataclass(frozen=True)
class Skeleton:
    """How cells are stacked.

    Attributes:
        repeats: Normal cells before the first reduction, behind the last, and between.
        filters: Of the first cells; a cell that halves the picture has twice as many.
        reductions: Cells that halve the picture.
        stem: "small" is a 3x3 convolution; "large" one of stride 2 without padding, and two
            reductions with a quarter and a half of the filters.
        stem_filters: Of this convolution; 0 for three times the filters, or in a large stem 32.
        counts_reductions: The reductions stand in the place of normal cells (PNAS).
        skips: A cell behind a reduction reads what the reduction read second, not first.
    """

    repeats: int
    filters: int
    reductions: int = 2
    stem: str = SMALL
    stem_filters: int = 0
    counts_reductions: bool = False
    skips: bool = False


class _Made(NamedTuple):
    """A cell's output: its node, its channels, and how often the picture was halved."""

    position: int
    channels: int
    halved: int


def cell_network(
    normal: Genotype, reduction: Genotype, skeleton: Skeleton, classes: int
) -> Architecture:
    """The network of two cells, which may be the same; fewer than two filters are taken for two."""
    filters = max(LEAST, skeleton.filters)
    nodes: list[Node] = []
    cells: dict[str, Cell] = {}
    made: list[_Made] = []

    def stack(genotype: Genotype, width: int, previous: _Made | None, *, halves: bool) -> None:
        current = made[-1]
        if previous is None:
            treatment, previous = RAW, current
        else:
            treatment = SQUEEZED if previous.halved == current.halved else LARGER
        if treatment != LARGER and previous.channels == width:
            treatment = EQUAL
        name = (REDUCTION if halves else NORMAL) + treatment
        if name not in cells:
            cells[name] = _cell(genotype, treatment, halves=halves)
        nodes.append(Node(name, (width,), (current.position, previous.position)))
        channels = width * len(genotype.outputs)
        made.append(_Made(len(nodes) - 1, channels, current.halved + halves))

    stem = skeleton.stem_filters or (LARGE_STEM if skeleton.stem == LARGE else 3 * filters)
    is_large = skeleton.stem == LARGE
    nodes.append(Node("VB", (stem, 3, 2), (-1,)) if is_large else Node("LB", (stem, 3, 1), (-1,)))
    made.append(_Made(0, stem, 0))
    if is_large:
        stack(reduction, max(LEAST, filters // 4), None, halves=True)
        stack(reduction, max(LEAST, filters // 2), made[-2], halves=True)
    for number in range(skeleton.repeats * (skeleton.reductions + 1)):
        previous = made[-2] if len(made) > 1 else None
        halves = number > 0 and number % skeleton.repeats == 0
        if halves:
            filters *= 2
            stack(reduction, filters, previous, halves=True)
            previous = previous if skeleton.skips else made[-2]
        if not (halves and skeleton.counts_reductions):
            stack(normal, filters, previous, halves=False)
    last = made[-1].position
    nodes += [Node("RELU", (), (last,)), Node("AVG", (), (last + 1,))]
    nodes.append(Node("SM", (classes,), (last + 2,)))
    return Architecture(tuple(nodes), (last + 3,), {}, cells)


def operation_layers(operation: str, stride: int, *, widens: bool) -> list[Layer]:
    """The layers of an operation, whose result has F channels.

    Args:
        operation: One of `OPERATIONS`.
        stride: Of what it does.
        widens: What it reads has other channels.
    """
    if operation == IDENTITY and (stride > 1 or widens):
        operation = POINTWISE
    layers = [
        (op, tuple(stride if value == "S" else value for value in args))
        for op, args in OPERATIONS[operation]
    ]
    if widens and layers[0][0] in ("AP", "MP"):
        layers.append(("PB", ("F",)))
    return layers


def _cell(genotype: Genotype, treatment: str, *, halves: bool) -> Cell:
    """The nodes of a cell; what nothing reads is left out."""
    nodes: list[Node] = []

    def add(op: str, args: tuple[int | str, ...], *sources: int) -> int:
        nodes.append(Node(op, args, sources))
        return len(nodes) - 1

    used = {half.reads for block in genotype.blocks for half in block.halves} | {*genotype.outputs}
    squeeze: tuple[int | str, ...] = ("F", 1, 1, 1, 1)
    places: dict[int, int] = {}
    wide = {1} if treatment == RAW else set()
    if 0 in used:
        places[0] = add("RC", squeeze, -1)
    if 1 in used:
        if treatment == LARGER:
            places[1] = add("FR", ("F",), add("RELU", (), -2))
        else:
            places[1] = add("RC", squeeze, -2) if treatment == SQUEEZED else add("ID", (), -2)
    for state, block in enumerate(genotype.blocks, start=INPUTS):
        ends = []
        for half in block.halves:
            stride = 2 if halves and half.reads < INPUTS else 1
            end = places[half.reads]
            for op, args in operation_layers(half.operation, stride, widens=half.reads in wide):
                end = add(op, args, end)
            ends.append(end)
        places[state] = add("CAT" if block.join == CONCAT else "ADD", (), *ends)
        if block.join == CONCAT:
            wide.add(state)
    outputs = []
    for state in genotype.outputs:
        place = places[state]
        if halves and state < INPUTS:
            place = add("FR", ("F",), place)
        elif state in wide:
            place = add("PB", ("F",), place)
        outputs.append(place)
    return Cell(("F",), tuple(nodes), tuple(outputs))
