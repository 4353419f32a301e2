"""From motifs of motifs to a network of nested cells, and back.

Liu et al. 2018, https://arxiv.org/abs/1711.00436, sections 2.2 and 4.1. A node is what its edges
make, side by side. Primitives that are convolutions have as many filters as their group; the others
keep the width of what they read. Behind a motif, the cell apart, a 1x1 convolution brings it back
to the filters of the group.
"""

from collections.abc import Mapping, Sequence

from state_space.architecture import Architecture, Cell, Node
from state_space.motifs import Genotype, Motif, edges, names_of, nodes_of

PRIMITIVES: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "1x1": ("CB", ("F", 1, 1, 1, 1)),
    "dw": ("DB", (3, 1)),
    "sep": ("SB", ("F", 3, 1)),
    "max": ("MP", (3, 3, 1, 1)),
    "avg": ("AP", (3, 3, 1, 1)),
    "id": ("ID", ()),
}
"""What primitives are in a group of F filters, in the order of the paper."""

CELL, SIDE_BY_SIDE = "CELL", "CAT"

Operations = Sequence[tuple[str, tuple[int | str, ...]]]
"""What edges may be, apart from none: ops, or cells of the level below."""


def build_network(
    genotype: Genotype, primitives: Sequence[str], scale: Mapping[str, int], classes: int
) -> Architecture:
    """The network of a genotype that is `motifs.simplified`.

    A 3x3 convolution; groups of cells with a 3x3 separable convolution behind each; the mean of
    each channel, and the classifier. Between groups the separable convolution has stride 2 and
    twice the filters. A cell that makes nothing is left out.

    Args:
        genotype: Of motifs and the cell.
        primitives: The operations of the second level.
        scale: Groups, cells in each, and filters of the first group.
        classes: Of the data set.
    """
    cells: dict[str, Cell] = {}
    operations: Operations = [PRIMITIVES[primitive] for primitive in primitives]
    for level, motifs in enumerate(genotype[:-1], start=2):
        names = names_of(level, len(motifs))
        for name, motif in zip(names, motifs, strict=True):
            nodes = _nodes(motif, operations)
            nodes.append(Node("CB", ("F", 1, 1, 1, 1), (len(nodes) - 1,)))
            cells[name] = Cell(("F",), tuple(nodes), (len(nodes) - 1,))
        operations = [(name, ("F",)) for name in names]
    (cell,) = genotype[-1]
    inner = _nodes(cell, operations)
    if inner:
        cells[CELL] = Cell(("F",), tuple(inner), (len(inner) - 1,))
    filters = scale["filters"]
    layers: list[tuple[str, tuple[int, ...]]] = [("CB", (filters, 3, 3, 1, 1))]
    for group in range(1, scale["groups"] + 1):
        for number in range(1, scale["repeats"] + 1):
            layers += [(CELL, (filters,))] if inner else []
            halves = number == scale["repeats"] and group < scale["groups"]
            filters *= 2 if halves else 1
            layers.append(("SB", (filters, 3, 2 if halves else 1)))
    layers += [("AVG", ()), ("SM", (classes,))]
    network = tuple(Node(op, args, (place - 1,)) for place, (op, args) in enumerate(layers))
    return Architecture(network, (len(network) - 1,), {}, cells)


def _nodes(motif: Motif, operations: Operations) -> list[Node]:
    """The nodes of a motif, the last one its output; none if it makes nothing."""
    nodes: list[Node] = []
    places = {0: -1}
    reads: list[int] = []
    for (source, node), edge in zip(edges(nodes_of(motif)), motif, strict=True):
        if edge:
            nodes.append(Node(*operations[edge - 1], (places[source],)))
            reads.append(len(nodes) - 1)
        if source == node - 1:  # the last edge into the node
            if len(reads) > 1:
                nodes.append(Node(SIDE_BY_SIDE, (), tuple(reads)))
            places[node] = len(nodes) - 1
            reads = []
    return nodes


def read_network(
    network: Architecture, primitives: Sequence[str], motifs: Sequence[int], nodes: Sequence[int]
) -> Genotype:
    """The genotype of what `build_network` gave; of other networks, one that makes another.

    Args:
        network: Its cells are called as there.
        primitives: The operations of the second level.
        motifs: How many there are at most on every level.
        nodes: Of the motifs of every level.
    """
    genotype: list[tuple[Motif, ...]] = []
    operations = [PRIMITIVES[primitive][0] for primitive in primitives]
    for level, (count, size) in enumerate(zip(motifs, nodes, strict=True), start=2):
        is_last = level == len(motifs) + 1
        names = (CELL,) if is_last else names_of(level, count)
        found = [network.cells[name].nodes if name in network.cells else () for name in names]
        genotype.append(
            tuple(_motif(own if is_last else own[:-1], operations, size) for own in found)
        )
        operations = list(names)
    return tuple(genotype)


def _motif(nodes: Sequence[Node], operations: Sequence[str], size: int) -> Motif:
    """The operations of all edges; the inverse of `_nodes`."""
    joined = {place for node in nodes if node.op == SIDE_BY_SIDE for place in node.inputs}
    ends = [place for place in range(len(nodes)) if place not in joined]
    numbers = {-1: 0} | {place: number for number, place in enumerate(ends, start=1)}
    if ends:
        numbers[ends[-1]] = size - 1
    found: dict[tuple[int | None, int], int] = {}
    for end in ends:
        for place in nodes[end].inputs if nodes[end].op == SIDE_BY_SIDE else (end,):
            node = nodes[place]
            if node.op in operations:
                edge = numbers.get(node.inputs[0]), numbers[end]
                found[edge] = operations.index(node.op) + 1
    return tuple(found.get(edge, 0) for edge in edges(size))
