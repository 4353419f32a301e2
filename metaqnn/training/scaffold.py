"""What stands around a network while it is trained, and is no part of it (no torch)."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import Self

from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import layer_costs
from metaqnn.networks.ops import DROPOUT, find_op
from metaqnn.task import Shape
from metaqnn.training.recipe import Recipe
from state_space import Architecture


@dataclass(frozen=True)
class Branch:
    """Where an auxiliary head reads.

    Attributes:
        position: Of the layer, in the network written out.
        shape: Of its output.
    """

    position: int
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Scaffold:
    """What a recipe adds to a network for its training alone.

    Attributes:
        paths: Positions of the layers, in the network written out, whose outputs are dropped, with
            their ratios: how much of the recipe's chance they have at the end of the training.
        branch: Where the auxiliary head reads; None where there is none.
    """

    paths: tuple[tuple[int, float], ...] = ()
    branch: Branch | None = None

    @classmethod
    def of(
        cls, architecture: Architecture, dressed: Architecture, recipe: Recipe, input_shape: Shape
    ) -> Self:
        """What a recipe adds to a network.

        Args:
            architecture: With its cells.
            dressed: With the recipe's dropout, which writes cells out.
            recipe: The rules.
            input_shape: (channels, height, width) of the images.

        Raises:
            ShapeError: A layer cannot read what comes before it.
            MetaqnnError: There is no place for an auxiliary head.
        """
        found = drop_paths(architecture) if recipe.keep_path < 1 else ()
        branch = find_branch(architecture, input_shape) if recipe.auxiliary else None
        nodes = dressed.expanded.nodes
        if len(nodes) > len(architecture.expanded.nodes):
            own = [place for place, node in enumerate(nodes) if node.op != DROPOUT]
            found = tuple((own[position], ratio) for position, ratio in found)
            branch = branch and Branch(own[branch.position], branch.shape)
        return cls(found, branch)


NONE = Scaffold()


def drop_paths(architecture: Architecture) -> tuple[tuple[int, float], ...]:
    """The layers whose outputs are dropped by ScheduledDropPath, with their ratios.

    They are what a sum in a cell reads, and it alone: what others read too is a state of the cell,
    and what only passes something on is an identity, and neither is dropped. The ratio of the i-th
    of n cells is i/n. Cells of the network itself count, those in other cells are parts of them;
    one in which nothing is dropped does not count (Zoph et al. 2018,
    https://arxiv.org/abs/1707.07012; the ratios are those of the authors' code).
    """
    nodes = architecture.expanded.nodes
    ops = [find_op(node.op) for node in nodes]
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for position, node in enumerate(nodes):
        for source in node.inputs:
            readers[source].append(position)
    cells: defaultdict[int, list[int]] = defaultdict(list)
    for position, op in enumerate(ops):
        used = bisect_left(architecture.places, position)
        in_cell = architecture.nodes[used].op in architecture.cells
        computes = not op.passes_on and not op.adds
        if in_cell and computes and [ops[reader].adds for reader in readers[position]] == [True]:
            cells[used].append(position)
    return tuple(
        (position, number / len(cells))
        for number, positions in enumerate(cells.values(), start=1)
        for position in positions
    )


def find_branch(architecture: Architecture, input_shape: Shape) -> Branch:
    """What the last reduction of height and width reads: a cell's output, or a layer's.

    Raises:
        ShapeError: A layer cannot read what comes before it.
        MetaqnnError: There is no reduction behind the first layer.
    """
    costs = layer_costs(architecture, input_shape)
    shapes = [costs[place].shape for place in architecture.places]
    for node, shape in reversed(list(zip(architecture.nodes, shapes, strict=True))):
        source = max(node.inputs)
        read = shapes[source] if source >= 0 else ()
        if len(read) == 3 == len(shape) and shape[1:] < read[1:]:
            return Branch(architecture.places[source], (read[0], read[1], read[2]))
    raise MetaqnnError(
        "an auxiliary head stands before a reduction of height and width, of which "
        f"{architecture.text} has none behind its first layer; auxiliary must be 0"
    )
