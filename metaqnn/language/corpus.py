"""Texts as numbers: Penn Treebank by words or characters, or anybody's own."""

import gzip
import hashlib
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from metaqnn.errors import MetaqnnError
from metaqnn.language.recipe import CHARACTERS
from metaqnn.terminal import counted

END, UNKNOWN = "<eos>", "<unk>"
"""The end of a line, and a token that the training part does not have."""

SHARES = (0.9, 0.95)
"""Of a text, up to where it is for training, and up to where for validation."""

PTB = "ptb.{part}.txt"
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Corpus:
    """A text in three parts.

    Attributes:
        vocabulary: Every token of the training part, by its number, the most frequent first.
        unit: What a token is.
        training: int64, shape (tokens,).
        validation: Likewise.
        test: Likewise; None where it was not asked for.
        left_out: Tokens that the test part has beside these, for no model can know them.
    """

    vocabulary: tuple[str, ...]
    unit: str
    training: Tensor
    validation: Tensor
    test: Tensor | None
    left_out: int = 0

    def limited(self, tokens: int) -> "Corpus":
        """The first so many tokens to train on, and a tenth as many to validate."""
        few = max(2, tokens // 10)
        return replace(self, training=self.training[:tokens], validation=self.validation[:few])

    def to(self, device: torch.device) -> "Corpus":
        """The same on a device, but for the test part."""
        training, validation = self.training.to(device), self.validation.to(device)
        return replace(self, training=training, validation=validation)

    @property
    def lines(self) -> list[str]:
        """What was read, for people."""
        sizes = f"{len(self.training):,} to train on, {len(self.validation):,} to validate"
        return [f"{self.unit}: {sizes}; {len(self.vocabulary):,} different ones"]

    @property
    def fingerprint(self) -> dict[str, str]:
        """What tells the text from others."""
        parts = {"training": self.training, "validation": self.validation, "test": self.test}
        return {
            name: hashlib.blake2b(part.numpy().astype("<i8").tobytes(), digest_size=16).hexdigest()
            for name, part in parts.items()
            if part is not None
        }


def read_ptb(folder: Path, unit: str, *, test: bool = False) -> Corpus:
    """Penn Treebank in its three files, packed with gzip or not.

    Raises:
        MetaqnnError: A file is not there.
    """
    parts = [read_lines(folder / PTB.format(part=part)) for part in (PARTS if test else PARTS[:2])]
    return make_corpus(parts, unit)


def read_text(path: Path, unit: str, *, test: bool = False) -> Corpus:
    """Anybody's text, split in order: nine tenths to train on, the rest to validate and to test.

    Raises:
        MetaqnnError: The file is not there, is no text, or is too short.
    """
    lines = read_lines(path)
    tokens = split_text(lines, unit)
    ends = [round(share * len(tokens)) for share in SHARES]
    parts = [tokens[: ends[0]], tokens[ends[0] : ends[1]], tokens[ends[1] :]]
    if min(map(len, parts)) < 2:
        raise MetaqnnError(
            f"{path} is too short to be split: it has {counted(len(tokens), unit[:-1])}"
        )
    return _numbered(parts if test else parts[:2], unit)


def make_corpus(parts: list[str], unit: str) -> Corpus:
    """The corpus of the texts of its parts."""
    return _numbered([split_text(part, unit) for part in parts], unit)


def _numbered(parts: list[list[str]], unit: str) -> Corpus:
    """The corpus of the tokens of its parts; the last one, of the test, adds none to them."""
    training, validation, *test = parts
    counts = Counter(training)
    vocabulary = sorted(counts, key=lambda token: (-counts[token], token))
    if UNKNOWN not in counts and set(validation) - set(counts):
        vocabulary.append(UNKNOWN)
    numbers = {token: number for number, token in enumerate(vocabulary)}
    unknown = numbers.get(UNKNOWN)
    tensors, left_out = [], 0
    for part in parts:
        found = [numbers.get(token, unknown) for token in part]
        known = [number for number in found if number is not None]
        tensors.append(torch.from_numpy(np.array(known, dtype=np.int64)))
        left_out = len(found) - len(known)
    return Corpus(
        tuple(vocabulary), unit, tensors[0], tensors[1], tensors[2] if test else None, left_out
    )


def split_text(text: str, unit: str) -> list[str]:
    """The tokens of a text: words with the ends of lines, or characters."""
    if unit == CHARACTERS:
        return list(text)
    return [token for line in text.splitlines() for token in (*line.split(), END)]


def read_lines(path: Path) -> str:
    """The content of a file of text, packed with gzip or not.

    Raises:
        MetaqnnError: It is not there, or no text.
    """
    packed = path.with_name(path.name + ".gz")
    try:
        if not path.exists() and packed.exists():
            return gzip.decompress(packed.read_bytes()).decode("utf-8")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MetaqnnError(f"{path} is no text in UTF-8: {error}") from None
    except (EOFError, zlib.error) as error:  # of a file that was cut off
        raise MetaqnnError(f"{packed} cannot be read: {error}") from None
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be read: {error.strerror or error}") from None
