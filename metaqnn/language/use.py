"""What a language model is used for: to write a text, and to say how likely one is."""

import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd
import torch

from metaqnn.errors import MetaqnnError
from metaqnn.language.corpus import END, UNKNOWN, read_lines, split_text
from metaqnn.language.files import load_model, metadata_of
from metaqnn.language.model import LanguageModel
from metaqnn.language.recipe import CHARACTERS, SCORES, LanguageRecipe
from metaqnn.language.training import log_likelihood
from metaqnn.notebook import render_facts
from metaqnn.task import Score
from metaqnn.terminal import counted

MOST_NAMED = 5
"""So many tokens at most are named that a model has never read."""


class NeverRead(UserWarning):
    """A text has tokens that a model has never read."""


class Scored(NamedTuple):
    """What a model says of a text.

    Attributes:
        tokens: How many it has, but for those that the model has never read.
        log_likelihood: The mean of all but the first, in nats.
        warning: What was left out; None where all was read.
    """

    tokens: int
    log_likelihood: float
    warning: str | None


@dataclass(frozen=True)
class TextModel:
    """A trained language model.

    What it has never read is <unk> to it, where it has read that; else it is left out.

    Attributes:
        network: Scores each next token.
        vocabulary: The tokens, by number.
        unit: What they are: words, the end of a line among them, or characters.
        cell: The text or name of its cell.
    """

    network: LanguageModel
    vocabulary: tuple[str, ...]
    unit: str
    cell: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """The model of a file.

        Raises:
            MetaqnnError: See `load_model`.
        """
        return cls(*load_model(path), metadata_of(path)["cell"])

    def perplexity(self, text: str) -> float:
        """Of a token of a text: one over the geometric mean of the probabilities of its tokens.

        Raises:
            MetaqnnError: Fewer than two tokens are known.

        Warns:
            NeverRead: Some are not.
        """
        return math.exp(-self._score(text))

    def bits(self, text: str) -> float:
        """Of a token of a text: the logarithm of `perplexity`, to the base 2."""
        return -self._score(text) / math.log(2)

    def generate(
        self, length: int = 100, start: str = "", temperature: float = 1.0, seed: int = 0
    ) -> str:
        """A text that the model writes, token after token, each drawn as it scores it.

        Args:
            length: Tokens to write.
            start: Text to begin with; without it the model begins at the end of a line.
            temperature: Below 1 what is likely becomes more likely, above 1 less.
            seed: Of the draws.

        Raises:
            MetaqnnError: It has never read what it is to begin with, or a value is impossible.
        """
        if length < 1 or not temperature > 0:
            raise MetaqnnError(
                f"length must be 1 or more and temperature above 0, not {length} and {temperature}"
            )
        # a line that is begun has not ended yet
        begun = self._split(start)[: None if self.unit == CHARACTERS or not start else -1]
        drawn = self._write_on(begun, temperature, torch.Generator().manual_seed(seed))
        return _joined([*begun, *islice(drawn, length)], self.unit)

    def scored(self, text: str) -> Scored:
        """How likely a text is.

        Raises:
            MetaqnnError: Fewer than two of its tokens are known.
        """
        tokens = self._split(text)
        numbers = self._numbers(tokens)
        known = [number for number in numbers if number is not None]
        left_out = [place for place, number in enumerate(numbers) if number is None]
        warning = self._warning(tokens, left_out) if left_out else None
        if len(known) < 2:
            raise MetaqnnError(
                f"the text is too short: two {self.unit} are wanted that the model has read, and "
                f"it has {len(known)}"
            )
        recipe = LanguageRecipe(batch_size=1)
        found = log_likelihood(self.network, torch.tensor(known), recipe)
        return Scored(len(known), found, warning)

    def _score(self, text: str) -> float:
        found = self.scored(text)
        if found.warning:
            warnings.warn(found.warning, NeverRead, stacklevel=3)
        return found.log_likelihood

    def _split(self, text: Any) -> list[str]:
        if not isinstance(text, str):
            raise MetaqnnError(f"{text!r:.80} is no text")
        return split_text(text, self.unit)

    def _numbers(self, tokens: Iterable[str]) -> list[int | None]:
        numbers = {token: number for number, token in enumerate(self.vocabulary)}
        unknown = numbers.get(UNKNOWN)
        return [numbers.get(token, unknown) for token in tokens]

    def _warning(self, tokens: list[str], left_out: list[int]) -> str:
        end = "\n" if self.unit == CHARACTERS else END
        named = list(dict.fromkeys(tokens[place] for place in left_out))
        names = ", ".join(map(repr, named[:MOST_NAMED])) + ", ..." * (len(named) > MOST_NAMED)
        return (
            f"left out: {len(left_out):,} of {counted(len(tokens), self.unit[:-1])}, for the model "
            f"has never read {names}, first in line {tokens[: left_out[0]].count(end) + 1:,}; the "
            "score is that of the rest"
        )

    @torch.inference_mode()
    def _write_on(
        self, begun: list[str], temperature: float, generator: torch.Generator
    ) -> Iterator[str]:
        """Yield token after token; never the unknown one."""
        numbers = self._numbers(begun)
        if None in numbers:
            place = numbers.index(None)
            raise MetaqnnError(
                f"start: the model has never read {begun[place]!r}, number {place + 1} of its "
                f"{self.unit}; begin with others"
            )
        places = {token: number for number, token in enumerate(self.vocabulary)}
        unknown = places.get(UNKNOWN)
        state = self.network.start(1)
        step = torch.tensor(numbers or [places.get(END, places.get("\n", 0))])[:, None]
        while True:
            scores, state = self.network(step, state)
            last = scores[-1, 0] / temperature
            if unknown is not None:
                last[unknown] = -math.inf
            drawn = torch.multinomial(last.softmax(0), 1, generator=generator)
            yield self.vocabulary[int(drawn)]
            step = drawn[:, None]

    def _repr_html_(self) -> str:
        facts = {"cell": self.cell, f"different {self.unit}": f"{len(self.vocabulary):,}"}
        return render_facts("a language model", facts)

    def __repr__(self) -> str:
        """The cell, and how many different tokens there are."""
        return f"<language model of {self.cell}: {len(self.vocabulary):,} different {self.unit}>"


def score_files(path: Path, texts: Iterable[Path]) -> tuple[pd.DataFrame, Score, list[str]]:
    """Let the model of a file score texts.

    Returns:
        A row a text: how many tokens it has, and its perplexity or bits a character; that score;
        and what was left out, a line a text.

    Raises:
        MetaqnnError: A file cannot be read, or is too short.
    """
    model = TextModel.read(path)
    score = SCORES[model.unit]
    rows, left_out = [], []
    for file in texts:
        text = read_lines(file)
        try:
            found = model.scored(text)
        except MetaqnnError as error:
            raise MetaqnnError(f"{file}: {error}") from None
        value = float(score.read(found.log_likelihood))
        rows.append({"text": str(file), "tokens": found.tokens, score.column: value})
        left_out += [f"{file}: {found.warning}"] if found.warning else []
    return pd.DataFrame(rows), score, left_out


def _joined(tokens: list[str], unit: str) -> str:
    if unit == CHARACTERS:
        return "".join(tokens)
    return " ".join(tokens).replace(f" {END} ", "\n").replace(f" {END}", "\n")
