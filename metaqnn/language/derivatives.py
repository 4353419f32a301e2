"""How gradients go back through the nodes of a step, as far as it is known for all steps at once.

A junction is a node at which gradients are added up, step by step: it is handed on, mapped, or read
more than once. From any other node a single way leads to a junction, and the derivative along it
depends on values alone. Those of all steps are known before the first step is gone back, which has
one product left to do for each way.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from metaqnn.language.instructions import Program
from metaqnn.language.ops import OPS


class Way(NamedTuple):
    """From a junction to what is read: another one, or what the step before has handed on."""

    junction: int
    end: int


class Derivatives:
    """Those of a cell.

    Attributes:
        ways: Between junctions, and to what the step before has handed on.
        owners: Of each node of a product at which gradients arrive the junction of its way.
    """

    def __init__(self, program: Program) -> None:
        """Find the junctions."""
        self._nodes = program.cell.nodes
        columns = {node for own in program.products for node in program.computed(own)}
        sources = {source for own in program.products for source in own.sources}
        ends = {position for position in (*program.outputs, *sources) if position >= 0}
        live, waiting = set(ends), [*ends]
        while waiting:
            position = waiting.pop()
            if position not in columns:
                new = {read for read in self._nodes[position].inputs if read >= 0} - live
                live |= new
                waiting += new
        self._order = sorted(live - columns, reverse=True)
        uses = Counter(read for position in self._order for read in self._nodes[position].inputs)
        self._junctions = ends | {read for read, many in uses.items() if read >= 0 and many > 1}
        owner = {position: position for position in self._junctions}
        ways = []
        for position in self._order:
            for read in self._nodes[position].inputs:
                if self._ends(read):
                    ways.append(Way(owner[position], read))
                else:
                    owner[read] = owner[position]
        self.ways = tuple(ways)
        self.owners = {position: owner[position] for position in columns & live}

    def _ends(self, read: int) -> bool:
        return read < 0 or read in self._junctions

    def along(
        self, values: Mapping[int, Tensor], one: Tensor
    ) -> tuple[list[Tensor], dict[int, Tensor]]:
        """Along each way, and from the owner of each node of a product to it.

        Args:
            values: Of the nodes that gradients read, of all steps.
            one: The number.

        Returns:
            Tensors of the shape of the values, or of one value that is that of all.
        """
        of_ways: list[Tensor] = []
        known = dict.fromkeys(self._junctions, one)
        for position in self._order:
            node = self._nodes[position]
            read = map(values.get, (position, *node.inputs))
            parts = OPS[node.op].gradients(known.pop(position), *read)
            for source, part in zip(node.inputs, parts, strict=True):
                if self._ends(source):
                    of_ways.append(part)
                else:
                    known[source] = part
        return of_ways, known
