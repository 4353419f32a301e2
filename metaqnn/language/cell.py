"""A recurrent cell as a module: its linear maps stacked, all else value by value.

All maps of the inputs are one product for all steps, and all maps of what a step hands on are one a
step. What combines a map of the input and one of the hidden state stands side by side with what
does the same, so that one call computes all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn

from state_space import Architecture, Node
from state_space.recurrent import HIDDEN, INPUT, LINEAR

OPS: dict[str, Callable[..., Tensor]] = {
    "ADD": torch.add,
    "MUL": torch.mul,
    "LARGER": torch.maximum,
    "TANH": torch.tanh,
    "SIGMOID": torch.sigmoid,
    "RELU": torch.relu,
    "SIN": torch.sin,
    "MEAN": lambda *values: torch.stack(values).mean(0),
    "HIGHWAY": lambda gate, new, old: torch.lerp(old, new, gate),
}
"""What a node computes of its inputs, all of one shape."""


@dataclass(frozen=True)
class Block:
    """Nodes that do the same with a map of the input and one of the hidden state, side by side.

    Attributes:
        combine: Their op.
        activation: The op that alone reads each, if there is one; else "".
        nodes: Their positions.
        activated: Those of the activations.
        start: Where the columns of the first one are, in units.
    """

    combine: str
    activation: str
    nodes: tuple[int, ...]
    activated: tuple[int, ...]
    start: int


class RecurrentCell(nn.Module):
    """One layer.

    Attributes:
        states: How many tensors a step hands on to the next; the first is the output too.
    """

    def __init__(self, cell: Architecture, inputs: int, units: int) -> None:
        """Make the weights, which are yet to be drawn.

        Args:
            cell: Reads -1, the input of a step, and -2, ..., what the step before has handed on;
                its outputs are handed on.
            inputs: Values of an input.
            units: Values of all else.
        """
        super().__init__()
        self.units = units
        self.states = len(cell.outputs)
        self.outputs = cell.outputs
        self.blocks, joined = _blocks(cell)
        self.maps: dict[int, list[int]] = {INPUT: [], HIDDEN: []}
        for block in self.blocks:
            for position in block.nodes:
                sources = cell.nodes[position].inputs
                for source in sources:
                    self.maps[cell.nodes[source].inputs[0]].append(source)
        for position, node in enumerate(cell.nodes):
            if node.op == LINEAR and position not in joined:
                self.maps.setdefault(node.inputs[0], []).append(position)
        self.places = {
            position: (source, place)
            for source, positions in self.maps.items()
            for place, position in enumerate(positions)
        }
        self.weights = nn.ParameterDict(
            {
                weights_name(source): nn.Parameter(
                    torch.empty(len(own) * units, inputs if source == INPUT else units)
                )
                for source, own in self.maps.items()
                if own
            }
        )
        done = {position for block in self.blocks for position in (*block.nodes, *block.activated)}
        self.rest = [
            (position, node)
            for position, node in enumerate(cell.nodes)
            if position not in done and node.op != LINEAR
        ]

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs, of shape (steps, texts, units), and what the last step hands on.

        Args:
            inputs: Shape (steps, texts, inputs).
            state: Of the step before the first, each of shape (texts, units).
        """
        weights = dict(self.weights)
        mapped = inputs @ weights[weights_name(INPUT)].t()
        outputs = []
        for step in mapped.unbind(0):
            state = self._step(step, state, weights)
            outputs.append(state[0])
        return torch.stack(outputs), state

    def _step(
        self, mapped: Tensor, state: tuple[Tensor, ...], weights: dict[str, Tensor]
    ) -> tuple[Tensor, ...]:
        units = self.units
        values: dict[int, Tensor] = {HIDDEN - place: value for place, value in enumerate(state)}
        products = {INPUT: mapped}
        if self.maps[HIDDEN]:
            products[HIDDEN] = state[0] @ weights[weights_name(HIDDEN)].t()
        for block in self.blocks:
            columns = slice(block.start * units, (block.start + len(block.nodes)) * units)
            pair = (products[source][:, columns] for source in (INPUT, HIDDEN))
            before = OPS[block.combine](*pair)
            values |= zip(block.nodes, torch.split(before, units, 1), strict=True)
            if block.activation:
                after = OPS[block.activation](before)
                values |= zip(block.activated, torch.split(after, units, 1), strict=True)

        def value(position: int) -> Tensor:
            if position not in self.places:
                return values[position]
            source, place = self.places[position]
            if source not in products:
                products[source] = values[source] @ weights[weights_name(source)].t()
            return products[source][:, place * units : (place + 1) * units]

        for position, node in self.rest:
            values[position] = OPS[node.op](*map(value, node.inputs))
        return tuple(value(position) for position in self.outputs)


def weights_name(source: int) -> str:
    """Of the weights of all maps of a node."""
    return {INPUT: "input", HIDDEN: "hidden"}.get(source, f"node{source}")


def _blocks(cell: Architecture) -> tuple[list[Block], set[int]]:
    """What can stand side by side, and the linear maps in it."""
    nodes = cell.nodes
    readers: dict[int, list[int]] = {position: [] for position in range(len(nodes))}
    for position, node in enumerate(nodes):
        for source in node.inputs:
            readers.setdefault(source, []).append(position)

    def is_map(position: int, source: int) -> bool:
        own = Node(LINEAR, (), (source,))
        return position >= 0 and nodes[position] == own and len(readers[position]) == 1

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
    blocks: list[Block] = []
    start = 0
    for (combine, name), members in groupby(sorted(leaves, key=kind), key=kind):
        own = tuple(members)
        activated = tuple(readers[position][0] for position in own) if name else ()
        blocks.append(Block(combine, name, own, activated, start))
        start += len(own)
    return blocks, {source for position in leaves for source in nodes[position].inputs}
