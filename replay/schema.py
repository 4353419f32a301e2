"""The tables of a replay memory, and what their rows mean."""

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from replay.trial import CONFIRMATION, BrokenMemory, Outcome, Trial

FORMAT = 2

SCHEMA = """
CREATE TABLE run (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE trials (
    number INTEGER PRIMARY KEY,
    walk TEXT NOT NULL,
    stage INTEGER NOT NULL,
    digest TEXT NOT NULL,
    seed INTEGER NOT NULL,
    note TEXT NOT NULL,
    imported INTEGER NOT NULL,
    refused TEXT,  -- why; then it is neither trained nor told
    finished INTEGER UNIQUE,  -- 1, 2, ... in the order in which the agent was told
    reward REAL,
    metrics TEXT,
    curve TEXT,
    error TEXT
);
CREATE INDEX trials_by_digest ON trials (digest);
"""


TRIALS = "number, walk, stage, digest, seed, note, imported"
"""Columns of trials: those of `read_trial`."""

OUTCOMES = f"{TRIALS}, metrics, curve, error, reward"
"""Those, the columns of `read_outcome`, and the reward."""

NOT_AGAIN = f"(json_extract(note, '$.{CONFIRMATION}') IS NULL)"
"""A condition: the trial is no confirmation."""

UNWRITABLE = {
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
"""How SQLite says that it cannot write a file or the ones beside it, and how systems say it."""

LITTLE = 2**18
"""Bytes of free space below which SQLite's error of the disk is that of a full one."""


class Connection(sqlite3.Connection):
    """A database in a file.

    Attributes:
        path: The file.
        unwritable: Why it can only be read, if so.
    """

    path: Path
    unwritable: OSError | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What keeps the file from being written, known before or not, is the system's error.

        Raises:
            OSError: The disk is full, say.
        """
        if self.unwritable is not None:
            raise self.unwritable
        try:
            yield
        except sqlite3.Error as error:
            raise unwritable(error, self.path) or error from error


def connect(path: Path) -> Connection:
    """The database in a file; every change that is committed is durable.

    Where nothing can be written, as on a read-only file system or a full disk, what is there is
    read.

    Raises:
        OSError: It cannot be read either.
    """
    connection = _open(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        connection.close()
        reason = unwritable(error, path)
        if reason is None:
            raise
        connection = _connect_to_read(path)
        connection.unwritable = reason
    connection.path = path
    return connection


def _open(name: Path | str, *, uri: bool = False) -> Connection:
    return sqlite3.connect(name, isolation_level=None, uri=uri, factory=Connection)


def unwritable(error: sqlite3.Error, path: Path) -> OSError | None:
    """What keeps a file from being written, as the system says it; None where it is none of that.

    Args:
        error: What SQLite has raised.
        path: The file.
    """
    number = UNWRITABLE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # above it are the kinds
    if number is None:
        return None
    if number in (errno.EACCES, errno.EIO) and path.parent.is_dir():
        if hasattr(os, "statvfs") and os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            number = errno.EROFS
        elif shutil.disk_usage(path.parent).free < LITTLE:
            number = errno.ENOSPC
    return OSError(number, os.strerror(number), str(path))


def _connect_to_read(path: Path) -> Connection:
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or not log.stat().st_size:
        # "immutable" asks for no file beside it
        name = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        return _open(name, uri=True)
    # the last changes are still in the log alone, and to read them SQLite has to write
    connection = _open(":memory:")
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        copied = sqlite3.connect(copy)
        try:
            copied.backup(connection)
        finally:
            copied.close()
    connection.execute("PRAGMA query_only = ON")
    return connection


def read_configuration(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """The configuration for which a memory was made, if all of it is as `Memory` writes it.

    Raises:
        BrokenMemory: It is not.
        sqlite3.DatabaseError: The file is damaged or something else.
    """
    problems = connection.execute("PRAGMA quick_check").fetchall()
    written = dict(connection.execute("SELECT key, value FROM run WHERE key <> 'snapshot'"))
    if problems != [("ok",)]:
        raise BrokenMemory(f"{path} is damaged: {problems[0][0]}")
    if written.get("format") != str(FORMAT):
        raise BrokenMemory(f"{path} has format {written.get('format')}, not {FORMAT}")
    try:
        there = dict(json.loads(written["configuration"]))
        check_trials(connection)
    except (sqlite3.DatabaseError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise BrokenMemory(f"{path} is damaged: {error}") from error
    return there


def check_trials(connection: sqlite3.Connection) -> None:
    """See whether all rows are what `Memory` writes, whoever has written them.

    Raises:
        ValueError: One is not; the message has its number and column.
        sqlite3.DatabaseError: A column is missing, or the file is damaged.
    """
    unknown = "SELECT number FROM trials WHERE finished AND (metrics IS NULL OR curve IS NULL)"
    for (number,) in connection.execute(unknown):
        raise ValueError(f"trial {number!r} has finished, but nothing is known of what came of it")
    for row in connection.execute(f"SELECT {', '.join(CHECKS)} FROM trials"):
        for (column, check), value in zip(CHECKS.items(), row, strict=True):
            try:
                if check(value):
                    continue
                reason = ""
            except (ValueError, TypeError, RecursionError, OverflowError) as error:
                reason = f" ({error})"
            raise ValueError(f"{column} of trial {row[0]!r} makes no sense{reason}: {value!r:.80}")


def _is_walk(text: str) -> bool:
    walk = json.loads(text)
    return isinstance(walk, list) and all(isinstance(token, str) for token in walk)


def _is_curve(text: str) -> bool:
    curve = json.loads(text)
    return isinstance(curve, list) and all(map(_is_number, curve))


def _are_numbers(text: str) -> bool:
    numbers = json.loads(text)
    return (
        isinstance(numbers, dict)
        and all(map(_is_number, numbers.values()))
        and not numbers.keys() & CHECKS.keys()
    )


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and float(value) is not None)


def _is_whole(value: object) -> bool:
    return isinstance(value, int)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "number": _is_whole,
    "walk": _is_walk,
    "stage": _is_whole,
    "digest": _is_text,
    "seed": _is_whole,
    "note": _are_numbers,
    "imported": _is_whole,
    "refused": _or_none(_is_text),
    "finished": _or_none(_is_whole),
    "reward": _is_number,
    "metrics": _or_none(_are_numbers),
    "curve": _or_none(_is_curve),
    "error": _or_none(_is_text),
}
"""The columns of trials, and what is true of their values."""

TAKEN = frozenset((*CHECKS, "first", CONFIRMATION))
"""Names that no metric and nothing in a note may have, since they are columns."""


def check_names(known: Mapping[str, float], what: str) -> None:
    """See whether metrics or a note can be told from the columns of trials.

    Raises:
        ValueError: One has a name of these.
    """
    if taken := sorted(TAKEN & known.keys()):
        raise ValueError(f"no {what} can be called {taken[0]!r}: there is a column of that name")


def read_trial(row: tuple[Any, ...]) -> Trial:
    """A row (number, walk, stage, digest, seed, note, imported)."""
    number, walk, stage, digest, seed, note, imported = row
    walk = tuple(json.loads(walk))
    return Trial(number, walk, stage, digest, seed, json.loads(note), bool(imported))


def read_outcome(metrics: str, curve: str, error: str | None) -> Outcome:
    """Columns of the same names."""
    return Outcome(json.loads(metrics), tuple(json.loads(curve)), error)


def differences(written: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Which values of two configurations differ, in words."""
    written, given = json.loads(json.dumps([written, given]))
    return [
        f"{key} is {written.get(key)!r} there and {given.get(key)!r} here"
        for key in {**written, **given}
        if written.get(key) != given.get(key)
    ]
