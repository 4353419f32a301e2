"""Blocks that are stacked: Block-QNN (Zhong et al. 2018, https://arxiv.org/abs/1708.05552).

A walk is the code of one block, a row after the other. Its convolutions are pre-activated: ReLU,
convolution, batch norm. The network has a convolution as its stem, stages of equal blocks, with max
pooling and twice the filters from one to the next, and a head. What the papers leave open is chosen
here by keys of the space's file, see docs/block-qnn.md.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Any, NamedTuple

from state_space.architecture import Architecture, Node
from state_space.base import Decision, Observation, Space, Token, legal_walk
from state_space.block_rows import (
    END,
    GROW,
    PROJECT,
    START,
    TYPES,
    Row,
    block_cell,
    canonical_rows,
    cell_rows,
    possible_rows,
)
from state_space.notation import NotationError, read
from state_space.scale import check_scale
from state_space.settings import Rule, check, is_list_of, is_whole

KIND = "row"
"""Of all decisions."""

BLOCK = "BLOCK"
"""The name of the cell."""

STARTS = "conv3(0) conv3(1) add(0,2)", "conv3(0) conv3(1)", "conv1(0) conv3(1) conv3(2)"
"""Blocks made by hand: residual, plain, and what is side by side at the end."""

_CODE = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")
_PAIR = re.compile(r"([a-z]+)\((\d+),(\d+)\)")


class BlockAction(NamedTuple):
    """A row to come: its fields without the number."""

    type: str
    kernel: int
    first: int
    second: int


class BlockSpace(Space[Row]):
    """The blocks up to a number of layers, and the networks that are made of them."""

    def __init__(self, settings: Mapping[str, Any], shape: tuple[int, ...], classes: int) -> None:
        """Bind the values of all keys of `RULES` to a data set.

        Raises:
            ValueError: The pictures are too small for the stages.
        """
        size, stages = min(shape[1:]), settings["stages"]
        if size >> (stages - 1) < 1:
            raise ValueError(f"stages must be fewer: {stages} halve {size}x{size} to nothing")
        self.settings = settings
        self.classes = classes
        self.scale = {"filters": 32, "repeats": 4}
        self.most = settings["max-index"]
        rows = list(
            possible_rows(
                self.most,
                settings["convolutions"],
                settings["poolings"],
                ordered=settings["ordered-pairs"],
            )
        )
        self._rows = {row.token: row for row in (Row(0, END, 0, 0, 0), *rows)}
        self.vocabulary = {KIND: tuple(self._rows)}
        # rows stand by the last one that they read, so that those of an index come first
        last = [max(row.first, row.second) for row in rows]
        self._counts = [sum(source < index for source in last) for index in range(1, self.most + 1)]
        self._decisions = [
            Decision(KIND, self.vocabulary[KIND][1 if index == 1 else 0 : 1 + count])
            for index, count in enumerate((*self._counts, 0), start=1)
        ]

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int
    ) -> "BlockSpace":
        """The space of the keys in a TOML file; what it does not name is the paper's."""
        return cls(check(mapping, RULES), shape, outputs)

    def size(self, stage: int = 0) -> int:
        """The blocks of every length; those in another order of the rows count as others."""
        return sum(accumulate(self._counts, mul))

    def initial_state(self, stage: int = 0) -> Row:
        """The block's input; the space does not grow."""
        return START

    def decision(self, state: Row) -> Decision | None:
        """The next row: it reads any before it. After the largest index there is only the end."""
        return None if state.type == END else self._decisions[state.layer]

    def step(self, state: Row, token: Token) -> Row:
        """The row of the token."""
        return self._rows[token]._replace(layer=state.layer + 1)

    def observation(self, state: Row) -> Row:
        """The state itself: the last row."""
        return state

    def rows(self, stage: int = 0) -> Mapping[Observation, Decision]:
        """The input, and the rows of each index, with what may follow them."""
        found: dict[Observation, Decision] = {START: self._decisions[0]}
        for index, count in enumerate(self._counts, start=1):
            for token in self.vocabulary[KIND][1 : 1 + count]:
                found[self._rows[token]._replace(layer=index)] = self._decisions[index]
        return found

    def layer(self, observation: Observation) -> int:
        """The layer of the block."""
        layer: int = Row(*observation).layer
        return layer

    def action(self, token: Token) -> BlockAction:
        """What the row is, and what it reads."""
        return BlockAction(*self._rows[token][1:])

    def architecture(
        self, walk: Sequence[Token], scale: Mapping[str, int] | None = None
    ) -> Architecture:
        """The network of `repeats` equal blocks a stage; the first stage has `filters`."""
        values = check_scale(self, scale)
        cell, width = block_cell(self._block(walk), self.settings["concat"])
        filters = values["filters"]
        layers: list[tuple[str, tuple[int, ...]]] = [("CB", (filters, 3, 3, 1, 1))]
        channels = filters
        for stage in range(self.settings["stages"]):
            if stage:
                filters *= 2
                layers.append(("P", (2, 2)))
            for _ in range(values["repeats"]):
                if channels != filters:
                    layers.append(("RC", (filters, 1, 1, 1, 1)))
                layers.append((BLOCK, (filters,)))
                channels = width * filters
        layers += [("RELU", ()), ("AVG", ())]
        if hidden := self.settings["hidden-units"]:
            layers += [("FC", (hidden,)), ("D", (4, 5))]
        layers.append(("SM", (self.classes,)))
        nodes = tuple(Node(op, args, (place - 1,)) for place, (op, args) in enumerate(layers))
        return Architecture(nodes, (len(nodes) - 1,), cells={BLOCK: cell})

    def _block(self, walk: Sequence[Token]) -> tuple[Row, ...]:
        """The rows of a walk in canonical order."""
        return canonical_rows(
            tuple(self.step(row, token) for row, _, token in legal_walk(self, walk))
        )

    def text(self, walk: Sequence[Token]) -> str:
        """The rows in canonical order, without numbers and end: "conv3(0) conv3(1) add(0,2)"."""
        return " ".join(row.token for row in self._block(walk))

    def parse(self, text: str) -> tuple[Token, ...]:
        """The walk of what `text` gave, of the network's own text, or of the paper's code.

        That is "[(1,1,3,0,0), (2,7,0,0,0)]": index, type by its number, kernel, and what is read.
        """
        if text.lstrip("[ \n").startswith("("):
            walk = self._read_code(text)
        elif text.lstrip().startswith("["):
            return self._read_network(text)
        else:
            walk = [self._token(word, text) for word in text.split()]
        if walk[-1:] != [END]:
            walk.append(END)
        try:
            self._block(walk)
        except ValueError as error:
            raise NotationError(f"{text!r}: {error}") from None
        return tuple(walk)

    def _token(self, word: str, text: str) -> Token:
        pair = _PAIR.fullmatch(word)
        turned = f"{pair[1]}({pair[3]},{pair[2]})" if pair else word
        if word not in self._rows and turned not in self._rows:
            kinds = dict.fromkeys(token.partition("(")[0] for token in self._rows)
            raise NotationError(
                f"{text!r}: {word!r} is no row of this space, such as conv3(0) or add(0,1): "
                f"{', '.join(kinds)}, which read rows below {self.most}"
            )
        return word if word in self._rows else turned

    def _read_code(self, text: str) -> list[Token]:
        walk = []
        if left := _CODE.sub("", text).strip("[] ,\n"):
            raise NotationError(
                f"{text!r}: {left!r} is no row (index, type, kernel, first, second)"
            )
        for place, code in enumerate(_CODE.findall(text), start=1):
            index, kind, kernel, first, second = map(int, code)
            if index != place or not 1 <= kind < len(TYPES):
                raise NotationError(
                    f"{text!r}: row {place} must have the index {place} and a type from 1 to "
                    f"{len(TYPES) - 1}, not {index} and {kind}"
                )
            walk.append(self._token(Row(index, TYPES[kind], kernel, first, second).token, text))
        return walk

    def _read_network(self, text: str) -> tuple[Token, ...]:
        network = read(text)
        try:
            walk = (*(row.token for row in cell_rows(network.cells[BLOCK])), END)
            if self.architecture(walk) == network:
                return walk
        except (KeyError, ValueError):  # of what no block of this space is made of
            pass
        raise NotationError(f"{text!r} is not a network of this space")

    def starts(self) -> tuple[tuple[Token, ...], ...]:
        """Blocks made by hand, as far as the space has them."""
        walks = [(*text.split(), END) for text in STARTS]
        return tuple(
            walk for walk in walks if {*walk} <= self._rows.keys() and len(walk) <= self.most + 1
        )


_KERNELS = is_list_of(lambda value: is_whole(1, 15)(value) and value % 2 == 1)

RULES = {
    "max-index": Rule(is_whole(1, 99), "a whole number from 1 to 99", 23),
    "convolutions": Rule(_KERNELS, "a list of distinct odd kernels up to 15", [1, 3, 5]),
    "poolings": Rule(_KERNELS, "a list of distinct odd kernels up to 15", [1, 3]),
    "ordered-pairs": Rule(lambda value: isinstance(value, bool), "true or false", False),
    "concat": Rule(lambda value: value in (PROJECT, GROW), f"{PROJECT} or {GROW}", PROJECT),
    "stages": Rule(is_whole(1, 9), "a whole number from 1 to 9", 3),
    "hidden-units": Rule(is_whole(0, 100_000), "a whole number up to 100000", 0),
}
"""The keys of the space's TOML file."""
