"""A step of a recurrent cell as instructions: its linear maps stacked, all else value by value.

Values stand in slots: those of the cell's nodes at their positions, what it reads at -1, -2, ...,
and what is stacked behind the nodes. What combines a map of the input and one of the hidden state
stands side by side with what does the same, so that one call computes all of it; sums of the two
are one product.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from metaqnn.language.ops import OPS
from state_space import Architecture, Node
from state_space.recurrent import HIDDEN, INPUT, LINEAR


@dataclass(frozen=True, eq=False)  # a key of dictionaries at every step
class Product:
    """Linear maps of what the slots of its sources hold, added up.

    Attributes:
        sources: One, or the input and the hidden state.
        start: The first of the maps among all of each source.
        slots: Of what stands side by side.
        sizes: How many maps are in each.
    """

    sources: tuple[int, ...]
    start: int
    slots: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def end(self) -> int:
        """Behind the last of the maps."""
        return self.start + sum(self.sizes)


@dataclass(frozen=True)
class Apply:
    """An op of slots, into a slot.

    Attributes:
        op: Its name.
        sources: The slots that it reads.
        slot: Of its value.
    """

    op: str
    sources: tuple[int, ...]
    slot: int

    @property
    def slots(self) -> tuple[int, ...]:
        """As of a product."""
        return (self.slot,)


Instruction = Product | Apply


@dataclass(frozen=True)
class Program:
    """A cell.

    Attributes:
        cell: Itself.
        instructions: In their order.
        sides: Of each slot in which several nodes stand side by side, these.
        maps: Of each source the nodes that are linear maps of it, in the order of its weights.
        under: Of each slot that is written over another one this one.
        kept: The nodes, and what is read, whose values gradients read.
    """

    cell: Architecture
    instructions: tuple[Instruction, ...]
    sides: Mapping[int, tuple[int, ...]]
    maps: Mapping[int, tuple[int, ...]]
    under: Mapping[int, int]
    kept: tuple[int, ...]

    @property
    def products(self) -> list[Product]:
        """Those among the instructions."""
        return [own for own in self.instructions if isinstance(own, Product)]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The slots of what is handed on."""
        return self.cell.outputs

    @property
    def state(self) -> tuple[int, ...]:
        """The slots of what the step before has handed on."""
        return tuple(HIDDEN - place for place in range(len(self.outputs)))

    def computed(self, instruction: Instruction) -> tuple[int, ...]:
        """The nodes that an instruction computes; of a product in the order of its maps."""
        return tuple(node for slot in instruction.slots for node in self.sides.get(slot, (slot,)))

    def root(self, slot: int) -> int:
        """The slot that was there first, where values are written over others."""
        return self.root(self.under[slot]) if slot in self.under else slot


@dataclass
class _Writer:
    """Instructions as they are written, and how many slots are taken."""

    taken: int
    instructions: list[Instruction] = field(default_factory=list)
    sides: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def slot(self, positions: tuple[int, ...]) -> int:
        """Where nodes stand side by side: of one, its own."""
        if len(positions) == 1:
            return positions[0]
        self.sides[self.taken] = positions
        self.taken += 1
        return self.taken - 1


@dataclass(frozen=True)
class _Block:
    """Leaves that do the same, side by side.

    Attributes:
        combine: Their op.
        activation: The op that alone reads each, if there is one; else "".
        nodes: Their positions.
        activated: Those of the activations.
    """

    combine: str
    activation: str
    nodes: tuple[int, ...]
    activated: tuple[int, ...]


def write_program(cell: Architecture) -> Program:
    """The program of a cell.

    Args:
        cell: Reads -1, the input of a step, and -2, ..., what the step before has handed on; its
            outputs are handed on.
    """
    nodes = cell.nodes
    blocks = _blocks(cell)
    maps: dict[int, list[int]] = {INPUT: [], HIDDEN: []}
    for position in (position for block in blocks for position in block.nodes):
        for source in nodes[position].inputs:
            maps[nodes[source].inputs[0]].append(source)
    joined = {position for own in maps.values() for position in own}
    for position, node in enumerate(nodes):
        if node.op == LINEAR and position not in joined:
            maps.setdefault(node.inputs[0], []).append(position)
    writer = _Writer(len(nodes))
    _write_blocks(blocks, maps, writer)
    done = {position for block in blocks for position in (*block.nodes, *block.activated)}
    for source in (INPUT, HIDDEN):
        done.update(maps[source])
    for position, node in enumerate(nodes):
        if position in done:
            continue
        if node.op != LINEAR:
            writer.instructions.append(Apply(node.op, node.inputs, position))
        else:
            own = tuple(maps[node.inputs[0]])
            writer.instructions.append(Product(node.inputs, 0, own, (1,) * len(own)))
            done.update(own)
    kept = _read_backwards(cell)
    return Program(
        cell,
        tuple(writer.instructions),
        writer.sides,
        {source: tuple(own) for source, own in maps.items() if own},
        _under(writer, kept | {*cell.outputs}),
        tuple(sorted(kept)),
    )


def _write_blocks(blocks: list[_Block], maps: dict[int, list[int]], writer: _Writer) -> None:
    """Products with input and hidden state, and what the leaves do with them."""
    summed = [block for block in blocks if block.combine == "ADD"]
    others = blocks[len(summed) :]
    combined = [writer.slot(block.nodes) for block in blocks]
    start = sum(len(block.nodes) for block in summed)
    if summed:
        sizes = tuple(len(block.nodes) for block in summed)
        parts = tuple(combined[: len(summed)])
        writer.instructions.append(Product((INPUT, HIDDEN), 0, parts, sizes))
    pairs: list[tuple[int, ...]] = []
    for source in (INPUT, HIDDEN):
        single = maps[source][start + sum(len(block.nodes) for block in others) :]
        parts, sizes, place = (), (), start
        for block in others:
            size = len(block.nodes)
            parts += (writer.slot(tuple(maps[source][place : place + size])),)
            sizes += (size,)
            place += size
        pairs.append(parts)
        parts, sizes = (*parts, *single), (*sizes, *(1,) * len(single))
        if parts:
            writer.instructions.append(Product((source,), start, parts, sizes))
    for block, slot, *pair in zip(others, combined[len(summed) :], *pairs, strict=True):
        writer.instructions.append(Apply(block.combine, tuple(pair), slot))
    for block, slot in zip(blocks, combined, strict=True):
        if block.activation:
            after = writer.slot(block.activated)
            writer.instructions.append(Apply(block.activation, (slot,), after))


def _blocks(cell: Architecture) -> list[_Block]:
    """What can stand side by side, sums first."""
    nodes = cell.nodes
    readers: dict[int, list[int]] = {position: [] for position in range(len(nodes))}
    for position, node in enumerate(nodes):
        for source in node.inputs:
            readers.setdefault(source, []).append(position)
    handed = set(cell.outputs)

    def is_map(position: int, source: int) -> bool:
        own = Node(LINEAR, (), (source,))
        is_own = position >= 0 and nodes[position] == own and len(readers[position]) == 1
        return is_own and position not in handed

    def activation(position: int) -> int | None:
        there = readers[position]
        return there[0] if len(there) == 1 and len(nodes[there[0]].inputs) == 1 else None

    def kind(position: int) -> tuple[str, str]:
        found = activation(position)
        is_plain = found is None or nodes[found].op == LINEAR
        return nodes[position].op, "" if is_plain else nodes[found or 0].op

    leaves = [
        position
        for position, node in enumerate(nodes)
        if len(node.inputs) == 2
        and is_map(node.inputs[0], INPUT)
        and is_map(node.inputs[1], HIDDEN)
    ]
    blocks: list[_Block] = []
    for (combine, name), members in groupby(sorted(leaves, key=kind), key=kind):
        own = tuple(members)
        activated = tuple(readers[position][0] for position in own) if name else ()
        blocks.append(_Block(combine, name, own, activated))
    return blocks


def _read_backwards(cell: Architecture) -> set[int]:
    """What gradients read."""
    read: set[int] = set()
    for position, node in enumerate(cell.nodes):
        if node.op == LINEAR:
            read.update(set(node.inputs) - {INPUT})
        else:
            reads = OPS[node.op].reads
            read.update({"inputs": node.inputs, "value": (position,)}.get(reads, ()))
    return read


def _under(writer: _Writer, needed: set[int]) -> dict[int, int]:
    """The slots that stand where that did which they alone read, and which is not needed then."""
    readers: Counter[int] = Counter()
    for instruction in writer.instructions:
        readers.update(instruction.sources)
    single = {*range(writer.taken)} - needed
    for slot, nodes in writer.sides.items():
        readers[slot] += sum(readers[node] for node in nodes)
        single -= {*nodes, *([slot] if needed.intersection(nodes) else ())}
    return {
        own.slot: own.sources[0]
        for own in writer.instructions
        if isinstance(own, Apply) and OPS[own.op].in_place
        if own.sources[0] in single and readers[own.sources[0]] == 1
    }
