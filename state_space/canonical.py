"""One order of the nodes for all graphs that differ in nothing but the order of their nodes.

Colours are refined until they are stable; where nodes are still alike, a search tries each of them
first and keeps the least result (McKay & Piperno 2014, "Practical graph isomorphism, II", sec. 2).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from state_space.architecture import Architecture, Node

Colours = list[int]
"""A number for every node, which says how it differs from others; from 0, without gaps."""

Inputs = tuple[tuple[int, ...], ...]
"""What every node reads, in some order of the nodes."""


class _Graph(NamedTuple):
    """The edges of a graph: inputs with the graph's own, negative ones; readers of every node."""

    inputs: Inputs
    readers: Inputs


def canonical(architecture: Architecture) -> Architecture:
    """The architecture with nodes, inputs and outputs in an order that depends on no order.

    Two architectures whose inputs and outputs are sets become equal exactly if one is the other
    with its nodes in another order. Nodes stand by their longest distance from the graph's inputs.
    Cells are written out.
    """
    architecture = architecture.expanded
    nodes = architecture.nodes
    inputs = tuple(tuple(sorted(node.inputs)) for node in nodes)
    readers: list[list[int]] = [[] for _ in nodes]
    distances = [0] * len(nodes)
    for position, sources in enumerate(inputs):
        for source in sources:
            if source >= 0:
                readers[source].append(position)
                distances[position] = max(distances[position], distances[source] + 1)
    graph = _Graph(inputs, tuple(map(tuple, readers)))
    colours = _refine(
        graph,
        _rank(
            [
                (
                    distances[position],
                    node.text,
                    tuple(source for source in inputs[position] if source < 0),
                    position in architecture.outputs,
                )
                for position, node in enumerate(nodes)
            ]
        ),
    )
    # all leaves of the search have nodes of the same colour in the same places
    order = sorted(range(len(nodes)), key=colours.__getitem__)
    return Architecture(
        tuple(
            Node(nodes[position].op, nodes[position].args, sources)
            for position, sources in zip(order, _least(graph, colours), strict=True)
        ),
        tuple(place for place, position in enumerate(order) if position in architecture.outputs),
        architecture.settings,
    )


def _rank(keys: Sequence[Any]) -> Colours:
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [ranks[key] for key in keys]


def _refine(graph: _Graph, colours: Colours) -> Colours:
    """Tell nodes apart by the colours of what they read and of what reads them, until stable."""
    count = max(colours) + 1
    while count < len(colours):
        finer = _rank(
            [
                (
                    colour,
                    tuple(sorted([colours[source] for source in inputs if source >= 0])),
                    tuple(sorted([colours[reader] for reader in readers])),
                )
                for colour, inputs, readers in zip(
                    colours, graph.inputs, graph.readers, strict=True
                )
            ]
        )
        if max(finer) + 1 == count:
            break
        colours, count = finer, max(finer) + 1
    return colours


def _least(graph: _Graph, colours: Colours, *, first: bool = False) -> Inputs:
    """The least inputs over all ways to break the ties of stable colours; or the first found."""
    tied = _tied(graph, colours)
    if not tied:
        return _ordered(graph, colours)
    found: set[Inputs] = set()
    least: list[Inputs] = []
    for node in tied:
        # the chosen node comes before those that are like it
        chosen = _rank([(colour, other != node) for other, colour in enumerate(colours)])
        finer = _refine(graph, chosen)
        example = _least(graph, finer, first=True)
        if first:
            return example
        # an example found before comes from a symmetry of the graph, and so would all the others
        if example not in found:
            found.add(example)
            least.append(_least(graph, finer))
    return min(least)


def _tied(graph: _Graph, colours: Colours) -> list[int]:
    """The first nodes of one colour that are not twins, which read and are read by the same."""
    if max(colours) + 1 == len(colours):
        return []
    alike: dict[int, list[int]] = {}
    for node, colour in enumerate(colours):
        alike.setdefault(colour, []).append(node)
    for colour in sorted(alike):
        nodes = alike[colour]
        if len({(graph.inputs[node], graph.readers[node]) for node in nodes}) > 1:
            return nodes
    return []


def _ordered(graph: _Graph, colours: Colours) -> Inputs:
    """The inputs of the nodes, sorted by colour and named by their new places."""
    order = sorted(range(len(colours)), key=colours.__getitem__)
    places = {node: place for place, node in enumerate(order)}
    return tuple(
        tuple(sorted(places.get(source, source) for source in graph.inputs[node])) for node in order
    )
