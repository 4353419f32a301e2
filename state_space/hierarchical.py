"""Motifs of motifs (Liu et al. 2018, https://arxiv.org/abs/1711.00436).

Small graphs of primitives, the motifs of the second level, are the operations of larger ones, up to
the cell, which is repeated along the network. The decisions are the operations of all edges.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from state_space.architecture import Architecture
from state_space.base import Decision, Observation, Space, Token, legal_walk
from state_space.motif_network import PRIMITIVES, build_network, read_network
from state_space.motifs import (
    LETTERS,
    NONE,
    Genotype,
    edges,
    names_of,
    read_genotype,
    simplified,
    write_genotype,
)
from state_space.notation import NotationError, read
from state_space.scale import check_scale
from state_space.settings import Rule, SettingsError, check, is_list_of, is_whole

PUBLISHED = (
    "M1: max/1x1 dw/sep 1x1 max; M2: max/dw dw/1x1 sep sep; M3: sep/dw sep/sep id avg; "
    "M4: avg/sep sep/id max avg; M5: id/sep id/sep id sep; M6: dw/max max/sep id avg; "
    "M5/M3 M3/M3 M1 M3/M4 M5 M5 M5"
)
"""The best of the paper's cells, read off its figures 2 and 3."""


class MotifState(NamedTuple):
    """Which edge is decided, and the token before.

    Attributes:
        edge: Counted through all motifs, those of the lowest level first.
        last: "start" at first.
    """

    edge: int
    last: Token


class MotifRow(NamedTuple):
    """A row of the Q-table.

    Attributes:
        level: 2 is that of the primitives.
        motif: Of the level, from 1.
        source: The node that the edge comes from, from 1.
        node: The node that it leads to.
        last: The token before.
    """

    level: int
    motif: int
    source: int
    node: int
    last: Token


class MotifAction(NamedTuple):
    """The two parts of a token."""

    decision: str
    operation: str


class HierarchicalSpace(Space[MotifState]):
    """Networks of a cell of motifs, for a number of classes."""

    def __init__(
        self,
        primitives: Sequence[str],
        motifs: Sequence[int],
        nodes: Sequence[int],
        classes: int,
    ) -> None:
        """Bind the levels to a data set.

        Args:
            primitives: The operations of the second level.
            motifs: How many there are on every level from the second; 1 on the last.
            nodes: Of the motifs of every level.
            classes: Of the data set.
        """
        self.primitives, self.motifs, self.nodes = tuple(primitives), tuple(motifs), tuple(nodes)
        self.classes = classes
        self.scale = {"filters": 16, "repeats": 1, "groups": 3}
        operations: tuple[str, ...] = self.primitives
        self.vocabulary = {}
        self._edges: list[tuple[int, int, int, int]] = []
        for level, (count, size) in enumerate(zip(motifs, nodes, strict=True), start=2):
            kind = f"level-{level}"
            self.vocabulary[kind] = tuple(f"{kind}:{value}" for value in (NONE, *operations))
            self._edges += [
                (level, motif, source + 1, node + 1)
                for motif in range(1, count + 1)
                for source, node in edges(size)
            ]
            if level <= len(motifs):
                operations = names_of(level, count)
        self._decisions = {kind: Decision(kind, tokens) for kind, tokens in self.vocabulary.items()}

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "HierarchicalSpace":
        """The space of a TOML file; its networks fit images of any shape."""
        values = check(mapping, RULES)
        motifs, nodes = values["motifs"], values["nodes"]
        if motifs[-1] != 1:
            raise SettingsError(f"motifs must end in 1, the cell, not {motifs!r}")
        if len(motifs) != len(nodes):
            raise SettingsError(
                f"nodes must have a number for each of the {len(motifs)} levels of motifs, "
                f"not {nodes!r}"
            )
        return cls(values["primitives"], motifs, nodes, outputs)

    def initial_state(self, stage: int = 0) -> MotifState:
        """The first edge of the first motif; the space does not grow."""
        return MotifState(0, "start")

    def decision(self, state: MotifState) -> Decision | None:
        """The operation of the edge; every one of its level is legal."""
        if state.edge == len(self._edges):
            return None
        return self._decisions[f"level-{self._edges[state.edge][0]}"]

    def step(self, state: MotifState, token: Token) -> MotifState:
        """The next edge."""
        return MotifState(state.edge + 1, token)

    def observation(self, state: MotifState) -> MotifRow:
        """The edge by its nodes."""
        return MotifRow(*self._edges[state.edge], state.last)

    def layer(self, observation: Observation) -> int:
        """The motif, those of the lowest level first; the cell is the last."""
        row = MotifRow(*observation)
        layer: int = sum(self.motifs[: row.level - 2]) + row.motif - 1
        return layer

    def action(self, token: Token) -> MotifAction:
        """The level and the operation."""
        decision, _, operation = token.partition(":")
        return MotifAction(decision, operation)

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The walk's motifs as nested cells, without what is needless."""
        sizes = check_scale(self, scale)
        return build_network(self._genotype(walk), self.primitives, sizes, self.classes)

    def _genotype(self, walk: Sequence[Token]) -> Genotype:
        """The simplified genotype of a walk."""
        found = iter(
            [decision.options.index(token) for _, decision, token in legal_walk(self, walk)]
        )
        return simplified(
            tuple(
                tuple(tuple(next(found) for _ in edges(size)) for _ in range(count))
                for count, size in zip(self.motifs, self.nodes, strict=True)
            )
        )

    def _walk(self, genotype: Genotype) -> tuple[Token, ...]:
        """The walk of a genotype; motifs that it lacks have no edges."""
        walk: list[Token] = []
        for level, (motifs, count, size) in enumerate(
            zip(genotype, self.motifs, self.nodes, strict=True), start=2
        ):
            tokens = self.vocabulary[f"level-{level}"]
            walk += [tokens[edge] for motif in motifs for edge in motif]
            walk += [tokens[0]] * ((count - len(motifs)) * len(edges(size)))
        return tuple(walk)

    def text(self, walk: Sequence[Token]) -> str:
        """Motifs and cell without what is needless: "M1: max/1x1 dw/none sep max; M1/M1 none"."""
        return write_genotype(self._genotype(walk), self.primitives)

    def parse(self, text: str) -> tuple[Token, ...]:
        """A walk of what `text` gave, or of the network's own text, at the space's scale."""
        levels = self.primitives, self.motifs, self.nodes
        if not text.lstrip().startswith("["):
            return self._walk(read_genotype(text, *levels))
        network = read(text)
        walk = self._walk(read_network(network, *levels))
        if self.architecture(walk) != network:
            raise NotationError(f"{text!r} is not a network of this space")
        return walk

    def starts(self) -> tuple[tuple[Token, ...], ...]:
        """The best cell of the paper, if the space has it, and chains of identities.

        With these the paper begins: in every motif an edge leads from each node to the next one.
        """
        chains: list[Token] = []
        for level, _, source, node in self._edges:
            tokens = self.vocabulary[f"level-{level}"]
            identity = f"level-{level}:id"
            chained = identity if identity in tokens else tokens[1]
            chains.append(chained if node == source + 1 else tokens[0])
        try:
            return self.parse(PUBLISHED), tuple(chains)
        except NotationError:  # another number of motifs or nodes
            return (tuple(chains),)


MOST = 20
"""Motifs of a level, and nodes of one."""

RULES = {
    "primitives": Rule(
        is_list_of(lambda value: value in PRIMITIVES),
        f"a list of distinct ones of {', '.join(PRIMITIVES)}",
        list(PRIMITIVES),
    ),
    "motifs": Rule(
        lambda value: (
            isinstance(value, list)
            and 1 <= len(value) <= len(LETTERS) + 1
            and all(map(is_whole(1, MOST), value))
        ),
        f"a list of 1 to {len(LETTERS) + 1} whole numbers from 1 to {MOST}",
        [6, 1],
    ),
    "nodes": Rule(
        lambda value: isinstance(value, list) and all(map(is_whole(2, MOST), value)),
        f"a list of whole numbers from 2 to {MOST}",
        [4, 5],
    ),
}
"""The keys of the space's TOML file."""
