"""What a language model is used for: to write on, and to say how likely a text is."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import torch

from metaqnn.errors import MetaqnnError
from metaqnn.language.corpus import END, UNKNOWN, read_lines, split_text
from metaqnn.language.files import load_model
from metaqnn.language.model import LanguageModel
from metaqnn.language.recipe import CHARACTERS, SCORES, LanguageRecipe
from metaqnn.language.training import log_likelihood
from metaqnn.task import Score


@torch.inference_mode()
def write_on(
    model: LanguageModel,
    vocabulary: tuple[str, ...],
    begun: list[str],
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Iterator[str]:
    """Yield token after token, each drawn as the model scores it; never the unknown one.

    Args:
        model: As it is used, not trained.
        vocabulary: Its tokens.
        begun: Tokens to begin with; without them it begins at the end of a line.
        generator: Draws them.
        temperature: Scores are divided by it: below 1 the likely ones are more likely.
    """
    numbers = {token: number for number, token in enumerate(vocabulary)}
    unknown = numbers.get(UNKNOWN)
    first = numbers.get(END, numbers.get("\n", 0))
    known = [numbers.get(token, unknown) for token in begun] or [first]
    if None in known:
        missing = begun[known.index(None)]
        raise MetaqnnError(f"the model has never read {missing!r}")
    state = model.start(1)
    step = torch.tensor(known)[:, None]
    while True:
        scores, state = model(step, state)
        last = scores[-1, 0] / temperature
        if unknown is not None:
            last[unknown] = -math.inf
        drawn = torch.multinomial(last.softmax(0), 1, generator=generator)
        yield vocabulary[int(drawn)]
        step = drawn[:, None]


def score_text(
    model: LanguageModel, vocabulary: tuple[str, ...], unit: str, text: str
) -> tuple[int, float]:
    """How many tokens a text has, and the mean log-likelihood in nats of all but the first.

    Raises:
        MetaqnnError: It has fewer than two, or one that the model cannot know.
    """
    numbers = {token: number for number, token in enumerate(vocabulary)}
    tokens = split_text(text, unit)
    unknown = numbers.get(UNKNOWN)
    found = [numbers.get(token, unknown) for token in tokens]
    if None in found:
        raise MetaqnnError(f"the model has never read {tokens[found.index(None)]!r}")
    if len(found) < 2:
        raise MetaqnnError("the text is too short: two tokens are wanted at least")
    return len(found), log_likelihood(model, torch.tensor(found), LanguageRecipe(batch_size=1))


def score_files(path: Path, texts: Iterable[Path]) -> tuple[pd.DataFrame, Score]:
    """A row a text: how many tokens it has, and its perplexity or bits a character; and that score.

    Raises:
        MetaqnnError: A file cannot be read, is too short, or has a token that is not known.
    """
    model, vocabulary, unit = load_model(path)
    score = SCORES[unit]
    rows = []
    for file in texts:
        tokens, found = score_text(model, vocabulary, unit, read_lines(file))
        rows.append({"text": str(file), "tokens": tokens, score.column: float(score.read(found))})
    return pd.DataFrame(rows), score


def joined(tokens: list[str], unit: str) -> str:
    """The text of tokens."""
    if unit == CHARACTERS:
        return "".join(tokens)
    return " ".join(tokens).replace(f" {END} ", "\n").replace(f" {END}", "\n")
