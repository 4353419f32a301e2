"""The experience memory of one run: an SQLite file in which a finished network is never lost."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from replay.frame import ROWS, make_frame
from replay.schema import (
    FORMAT,
    NOT_AGAIN,
    OUTCOMES,
    SCHEMA,
    TRIALS,
    Connection,
    check_names,
    connect,
    differences,
    read_configuration,
    read_outcome,
    read_trial,
    unwritable,
)
from replay.trial import CONFIRMATION, BrokenMemory, Outcome, Trial, WrongRun


class Memory:
    """The trials of a run, with the agent's last snapshot, in one SQLite file.

    Every change is durable (WAL, synchronous=full). One process writes; any number may read
    meanwhile.
    """

    def __init__(self, connection: Connection) -> None:
        """Use `create` or `open`."""
        self._connection = connection

    @classmethod
    def create(cls, path: Path, configuration: Mapping[str, Any]) -> "Memory":
        """A new memory for a run of this configuration (anything that JSON can hold).

        Raises:
            FileExistsError: The file is there already.
            OSError: It cannot be written.
        """
        if path.exists():
            raise FileExistsError(f"{path} exists")
        memory = cls(connect(path))
        with memory.transaction():
            for statement in SCHEMA.split(";\n"):
                memory._connection.execute(statement)
            memory._connection.executemany(
                "INSERT INTO run VALUES (?, ?)",
                [("format", str(FORMAT)), ("configuration", json.dumps(configuration))],
            )
        return memory

    @classmethod
    def open(
        cls,
        path: Path,
        configuration: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> "Memory":
        """The memory in a file.

        Args:
            path: The file.
            configuration: What its run must have; None takes any. Its run may have more: an
                older program kept what made no difference.
            defaults: What a key stands for that the run's program did not know.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: It cannot be read.
            BrokenMemory: The file is damaged or something else.
            WrongRun: The memory belongs to a run of another configuration; the message gives the
                values of both.
        """
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}")
        try:
            memory = cls(connect(path))
            there = read_configuration(memory._connection, path)
        except sqlite3.DatabaseError as error:
            broken = BrokenMemory(f"{path} is no replay memory or is damaged: {error}")
            raise unwritable(error, path) or broken from error
        if configuration is not None:
            known = {**(defaults or {}), **there}
            there = {key: known.get(key) for key in configuration}
            if told := differences(there, configuration):
                raise WrongRun(f"{path} belongs to another run: {'; '.join(told)}")
        return memory

    def copy(self, path: Path) -> None:
        """Write all of it to a new file, of one moment, whatever another process writes."""
        with closing(connect(path)) as copied, copied.writing():
            self._connection.backup(copied)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes within are written together, durably, at the end, or none of them is.

        Inside of another transaction it is a part of that one.

        Raises:
            OSError: The file cannot be written.
        """
        if self._connection.in_transaction:
            yield
            return
        with self._connection.writing():
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield

    @contextmanager
    def moment(self) -> Iterator[None]:
        """All that is read within is of one moment, whatever another process writes meanwhile."""
        self._connection.execute("BEGIN")
        with self._connection:
            yield

    def add(
        self,
        walk: tuple[str, ...],
        stage: int,
        digest: str,
        seed: int,
        note: Mapping[str, float],
        imported: bool = False,
        confirmation: int = 0,
    ) -> Trial:
        """Record a proposal, an experience of elsewhere, or a training of a known network.

        No note has a column's name.
        """
        check_names(note, "note")
        if confirmation:
            note = {**note, CONFIRMATION: confirmation}
        with self.transaction():
            trial = Trial(self._next("number"), walk, stage, digest, seed, dict(note), imported)
            written = json.dumps(trial.note, default=lambda number: number.item())  # of numpy
            self._connection.execute(
                "INSERT INTO trials (number, walk, stage, digest, seed, note, imported) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (trial.number, json.dumps(walk), stage, digest, seed, written, imported),
            )
        return trial

    def finish(self, trial: Trial, outcome: Outcome, reward: float) -> None:
        """Record what came of a trial, and that the agent was told.

        Raises:
            ValueError: The trial is unknown or has finished already.
        """
        with self.transaction():
            changed = self._connection.execute(
                "UPDATE trials SET finished = ?, reward = ?, metrics = ?, curve = ?, error = ? "
                "WHERE number = ? AND finished IS NULL",
                (
                    self._next("finished"),
                    reward,
                    json.dumps(dict(outcome.metrics)),
                    json.dumps(outcome.curve),
                    outcome.error,
                    trial.number,
                ),
            ).rowcount
            if changed != 1:
                raise ValueError(f"trial {trial.number} is unknown or has finished already")
            self.end(trial)

    def begin(self, trial: Trial) -> int:
        """Record that a trial's training begins; returns how often it had begun and never ended."""
        key = f"begun {trial.number}"
        before = int(self._kept(key) or 0)
        self._keep(key, before + 1)
        return before

    def end(self, trial: Trial) -> None:
        """Record that a trial's training, if it had begun, has ended, in whatever way."""
        with self.transaction():
            self._connection.execute("DELETE FROM run WHERE key = ?", (f"begun {trial.number}",))

    def reopen_failures(self) -> None:
        """Count the trials of this run that failed as still to be trained."""
        with self.transaction():
            self._connection.execute(
                "UPDATE trials SET finished = NULL, reward = NULL, metrics = NULL, curve = NULL, "
                "error = NULL WHERE error IS NOT NULL AND NOT imported"
            )

    def refuse(self, trial: Trial, reason: str) -> None:
        """Record that a trial is not to be trained, and that the agent is not told of it."""
        with self.transaction():
            query = "UPDATE trials SET refused = ? WHERE number = ?"
            self._connection.execute(query, (reason, trial.number))

    def refused(self) -> list[Trial]:
        """The trials that were refused."""
        return self._trials("refused IS NOT NULL")

    def refusals(self) -> dict[str, str]:
        """Why each refused network is refused, by its digest."""
        query = "SELECT digest, refused FROM trials WHERE refused IS NOT NULL ORDER BY number"
        return dict(self._rows(query))

    def keep_measured(self, name: str, digest: str, value: float) -> None:
        """Record what was measured of a network, whether it is trained or not."""
        self._keep(f"{name} {digest}", value)

    def measured(self, name: str, digest: str) -> float | None:
        """What was measured of a network; None where nothing was."""
        known: float | None = self._kept(f"{name} {digest}")
        return known

    def keep_snapshot(self, snapshot: bytes) -> None:
        """Record what the agent is now, in place of what it was."""
        self._keep("snapshot", snapshot)

    def snapshot(self) -> bytes | None:
        """The agent's last snapshot; None before the first trial."""
        snapshot: bytes | None = self._kept("snapshot")
        return snapshot

    def history(self) -> Iterator[tuple[Trial, float]]:
        """Every finished trial but confirmations, and its reward, in the order they were told."""
        told = f"finished IS NOT NULL AND {NOT_AGAIN} ORDER BY finished"
        for row in self._rows(f"SELECT {TRIALS}, reward FROM trials WHERE {told}"):
            yield read_trial(row[:-1]), row[-1]

    def told(self) -> Iterator[tuple[Trial, Outcome, float]]:
        """The same with the outcomes: every finished trial but confirmations."""
        return self._finished(f"{NOT_AGAIN} ORDER BY finished")

    def trained(self) -> Iterator[tuple[Trial, Outcome, float]]:
        """Every distinct network of this run that has finished, with its outcome and reward.

        In the order in which the agent was told.
        """
        # SQLite takes the other columns from the row that has the minimum
        first = "NOT imported GROUP BY digest ORDER BY MIN(finished)"
        return self._finished(first, f"{OUTCOMES}, MIN(finished)")

    def confirmations(self) -> Iterator[tuple[Trial, Outcome, float]]:
        """Every training of a known network that has finished, likewise."""
        return self._finished(f"NOT {NOT_AGAIN} ORDER BY finished")

    def _finished(
        self, condition: str, columns: str = OUTCOMES
    ) -> Iterator[tuple[Trial, Outcome, float]]:
        query = f"SELECT {columns} FROM trials WHERE finished IS NOT NULL AND {condition}"
        for row in self._rows(query):
            yield read_trial(row[:7]), read_outcome(*row[7:10]), row[10]

    def unfinished(self) -> list[Trial]:
        """The trials that are still to be trained."""
        return self._trials("finished IS NULL AND refused IS NULL")

    def outcome(self, digest: str) -> Outcome | None:
        """The known outcome of a network trained in this run; None where there is none."""
        known = f"digest = ? AND finished IS NOT NULL AND NOT imported AND {NOT_AGAIN} LIMIT 1"
        rows = self._rows(f"SELECT metrics, curve, error FROM trials WHERE {known}", digest)
        return read_outcome(*rows[0]) if rows else None

    def frame(self, *, refused: bool = False) -> pd.DataFrame:
        """All trials of this run as `replay.frame.make_frame` lays them out.

        Imported ones are left out, and refused ones where they are not asked for.
        """
        condition = "" if refused else "AND refused IS NULL"
        query = f"SELECT {ROWS} FROM trials WHERE NOT imported {condition}"
        return make_frame(self._rows(f"{query} ORDER BY number"))

    def _keep(self, key: str, value: Any) -> None:
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", (key, value))

    def _kept(self, key: str) -> Any:
        rows = self._rows("SELECT value FROM run WHERE key = ?", key)
        return rows[0][0] if rows else None

    def _next(self, column: str) -> int:
        return int(self._rows(f"SELECT COALESCE(MAX({column}), 0) + 1 FROM trials")[0][0])

    def _trials(self, condition: str) -> list[Trial]:
        rows = self._rows(f"SELECT {TRIALS} FROM trials WHERE {condition} ORDER BY number")
        return [read_trial(row) for row in rows]

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()
