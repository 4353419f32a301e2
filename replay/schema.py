"""The tables of a replay memory, and what their rows mean."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from replay.trial import Outcome, Trial

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


def connect(path: Path) -> sqlite3.Connection:
    """The database in a file; every change that is committed is durable."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def read_trial(row: tuple[Any, ...]) -> Trial:
    """A row (number, walk, stage, digest, seed, note, imported)."""
    number, walk, stage, digest, seed, note, imported = row
    walk = tuple(json.loads(walk))
    return Trial(number, walk, stage, digest, seed, json.loads(note), bool(imported))


def read_outcome(metrics: str, curve: str, error: str | None) -> Outcome:
    """Columns of the same names."""
    return Outcome(json.loads(metrics), tuple(json.loads(curve)), error)
