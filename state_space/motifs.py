"""Motifs of motifs as data: adjacencies, what of them matters, and their text.

Liu et al. 2018, https://arxiv.org/abs/1711.00436, section 2. A motif is a graph whose first node is
its input and whose last is its output; an edge is an operation, and on the levels above the
primitives' a motif of the level below.
"""

from collections.abc import Mapping, Sequence
from math import isqrt

from state_space.notation import NotationError

Motif = tuple[int, ...]
"""The operation of every edge, in the order of `edges`: 0 is none, others count from 1."""

Genotype = tuple[tuple[Motif, ...], ...]
"""The motifs of every level from the second up; the last level has one, the cell."""

NONE = "none"

LETTERS = "MNO"
"""Motifs are called M1, M2, ... on the second level, N1, ... on the third, O1, ... on the fourth;
the only one of the last level is the cell."""


def edges(nodes: int) -> list[tuple[int, int]]:
    """(source, node) of all edges of so many nodes, from 0, those into one node together."""
    return [(source, node) for node in range(1, nodes) for source in range(node)]


def nodes_of(motif: Motif) -> int:
    """How many nodes a motif has, of whose n (n - 1) / 2 edges it says the operations."""
    return (1 + isqrt(1 + 8 * len(motif))) // 2


def names_of(level: int, count: int) -> tuple[str, ...]:
    """What the motifs of a level, from 2, are called."""
    return tuple(f"{LETTERS[level - 2]}{number}" for number in range(1, count + 1))


def simplified(genotype: Genotype) -> Genotype:
    """The motifs that make the same network, without what is needless.

    A node that no edge leads to makes nothing, so that edges from it are none; as are edges that
    the last node does not come to depend on, and those whose motif makes nothing. Nodes that are
    left over go before the last one. Equal motifs become one, those that are not used go, and the
    others are in the order of their first use.
    """
    levels: list[list[Motif]] = []
    renamed: Sequence[int] | None = None
    for motifs in genotype:
        named = motifs if renamed is None else [_renamed(motif, renamed) for motif in motifs]
        pruned = [_pruned(motif) for motif in named]
        distinct = list(dict.fromkeys(motif for motif in pruned if any(motif)))
        renamed = [0, *(distinct.index(motif) + 1 if any(motif) else 0 for motif in pruned)]
        levels.append(distinct)
    levels[-1] = pruned  # the cell stays, even if it makes nothing
    for level in range(len(levels) - 1, 0, -1):
        used = list(dict.fromkeys(edge for motif in levels[level] for edge in motif if edge))
        order = [0] * (len(levels[level - 1]) + 1)
        for number, old in enumerate(used, start=1):
            order[old] = number
        levels[level] = [_renamed(motif, order) for motif in levels[level]]
        levels[level - 1] = [levels[level - 1][old - 1] for old in used]
    return tuple(map(tuple, levels))


def _renamed(motif: Motif, names: Sequence[int]) -> Motif:
    return tuple(names[edge] for edge in motif)


def _pruned(motif: Motif) -> Motif:
    """The motif with the edges that matter; all are none if its last node is not reached."""
    nodes = nodes_of(motif)
    found = dict(zip(edges(nodes), motif, strict=True))
    live = [(source, node) for (source, node), edge in found.items() if edge]
    reached, needed = {0}, {nodes - 1}
    for source, node in live:  # edges into earlier nodes come first
        if source in reached:
            reached.add(node)
    for source, node in reversed(live):
        if node in needed:
            needed.add(source)
    if nodes - 1 not in reached:
        return (0,) * len(motif)
    kept = sorted((reached & needed) - {nodes - 1})
    places = {node: place for place, node in enumerate(kept)} | {nodes - 1: nodes - 1}
    moved = {
        (places[source], places[node]): edge
        for (source, node), edge in found.items()
        if source in places and node in places
    }
    return tuple(moved.get(edge, 0) for edge in edges(nodes))


def write_genotype(genotype: Genotype, primitives: Sequence[str]) -> str:
    """Every motif with its name, and the cell: "M1: max/1x1 dw/none sep max; M1/M1 none".

    Behind each slash is what the next node reads of the input, of the second node, and so on.
    """
    parts: list[str] = []
    operations: tuple[str, ...] = tuple(primitives)
    for level, motifs in enumerate(genotype, start=2):
        is_last = level == len(genotype) + 1
        names = ("",) if is_last else names_of(level, len(motifs))
        for name, motif in zip(names, motifs, strict=True):
            words: list[list[str]] = [[] for _ in range(nodes_of(motif) - 1)]
            for (_, node), edge in zip(edges(nodes_of(motif)), motif, strict=True):
                words[node - 1].append((NONE, *operations)[edge])
            text = "/".join(map(" ".join, words))
            parts.append(text if is_last else f"{name}: {text}")
        operations = names
    return "; ".join(parts)


def read_genotype(
    text: str, primitives: Sequence[str], motifs: Sequence[int], nodes: Sequence[int]
) -> Genotype:
    """The genotype of what `write_genotype` gave; motifs that it does not name have no edges.

    Args:
        text: See `write_genotype`.
        primitives: The operations on the second level.
        motifs: How many there are at most on every level.
        nodes: Of the motifs of every level.

    Raises:
        NotationError: The text is no such genotype.
    """
    given: dict[str, str] = {}
    for part in text.split(";"):
        name, _, words = part.rpartition(":")
        if name.strip() in given:
            raise NotationError(f"{text!r}: {name.strip() or 'the cell'} stands there twice")
        given[name.strip()] = words
    genotype: list[tuple[Motif, ...]] = []
    operations: tuple[str, ...] = tuple(primitives)
    for level, (count, size) in enumerate(zip(motifs, nodes, strict=True), start=2):
        names = ("",) if level == len(motifs) + 1 else names_of(level, count)
        known = {word: number for number, word in enumerate((NONE, *operations))}
        unused = "/".join(" ".join([NONE] * node) for node in range(1, size))
        genotype.append(
            tuple(
                _motif(text, given.pop(name, unused if name else ""), known, size) for name in names
            )
        )
        operations = names
    if given:
        raise NotationError(f"{text!r}: {next(iter(given))!r} is no motif of this space")
    return tuple(genotype)


def _motif(text: str, words: str, known: Mapping[str, int], nodes: int) -> Motif:
    rows = [row.split() for row in words.split("/")]
    if [len(row) for row in rows] != list(range(1, nodes)):
        shape = "/".join(str(node) for node in range(1, nodes))
        raise NotationError(f"{text!r}: {words.strip()!r} must have {shape} operations")
    for word in (word for row in rows for word in row):
        if word not in known:
            raise NotationError(f"{text!r}: {word!r} is none of {', '.join(known)}")
    return tuple(known[word] for row in rows for word in row)
