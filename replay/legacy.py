"""Reads the replay database that the 2017 MetaQNN code writes, plain or gzipped."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COLUMNS = ("net", "accuracy_best_val")


class LegacyError(ValueError):
    """The file is not readable, or a row of it makes no sense; the message names its line."""


class LegacyRow(NamedTuple):
    """A row of a 2017 replay database: its line in the file, counted from 1."""

    line: int
    network: str
    accuracy: float


def read_replay(path: Path) -> Iterator[LegacyRow]:
    """Yield the rows of a `replay_database.csv` or `.csv.gz`.

    Raises:
        LegacyError: The file is not there, not readable or lacks a column, or an accuracy is no
            number from 0 to 1.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", newline="") if zipped else path.open(newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise LegacyError(f"{path}, line 1: there is no column {' and no '.join(missing)}")
            for row in reader:
                yield LegacyRow(
                    reader.line_num,
                    row["net"] or "",
                    _accuracy(path, reader.line_num, row["accuracy_best_val"]),
                )
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise LegacyError(f"{path} cannot be read: {error}") from error


def _accuracy(path: Path, line: int, text: str | None) -> float:
    try:
        accuracy = float(text or "")
    except ValueError:
        accuracy = float("nan")
    if not 0 <= accuracy <= 1:
        raise LegacyError(
            f"{path}, line {line}: accuracy_best_val must be a number from 0 to 1, not {text!r}"
        )
    return accuracy
