"""The replay memory: what is written is there after a crash, and damage is noticed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from replay import BrokenMemory, Memory, Outcome, WrongRun
from replay.legacy import LegacyError, read_replay

CONFIGURATION = {"seed": 1, "space": {"max-depth": 3}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.sqlite"


@pytest.fixture
def memory(path: Path) -> Memory:
    return Memory.create(path, CONFIGURATION)


def add(memory: Memory, digest: str = "a", **more) -> object:
    return memory.add(("C(2,1,1)", "SM(10)"), 0, digest, 2**62, {"epsilon": 0.5}, **more)


def test_a_trial_comes_back_as_it_was(memory, path):
    trial = add(memory)
    memory.keep_snapshot(b"after asking")
    assert memory.unfinished() == [trial]
    outcome = Outcome({"parameters": 7, "seconds": 0.1 + 0.2}, (0.1, 1 / 3), None)
    memory.finish(trial, outcome, 1 / 3)
    memory.close()
    again = Memory.open(path, CONFIGURATION)
    assert list(again.history()) == [(trial, 1 / 3)]
    assert again.unfinished() == []
    assert again.outcome("a") == outcome
    assert again.snapshot() == b"after asking"


def test_history_is_in_the_order_of_telling(memory):
    first, second = add(memory, "a"), add(memory, "b")
    memory.finish(second, Outcome(curve=(0.2,)), 0.2)
    memory.finish(first, Outcome(curve=(0.1,)), 0.1)
    assert [trial.number for trial, _ in memory.history()] == [2, 1]


def test_a_trial_finishes_once(memory):
    trial = add(memory)
    memory.finish(trial, Outcome(curve=(0.2,)), 0.2)
    with pytest.raises(ValueError, match="trial 1 is unknown or has finished already"):
        memory.finish(trial, Outcome(curve=(0.3,)), 0.3)


def test_imported_experiences_are_no_known_outcomes_and_no_trials_of_the_run(memory):
    trial = add(memory, "a", imported=True)
    memory.finish(trial, Outcome(curve=(0.9,)), 0.9)
    assert memory.outcome("a") is None
    assert memory.frame().empty
    assert [told for told, _ in memory.history()] == [trial]


def test_a_transaction_is_written_whole_or_not_at_all(memory):
    with pytest.raises(RuntimeError, match="in between"), memory.transaction():
        trial = add(memory)
        memory.finish(trial, Outcome(curve=(0.2,)), 0.2)
        raise RuntimeError("in between")
    assert list(memory.history()) == []
    assert memory.unfinished() == []


def test_the_frame_marks_the_first_trial_of_a_network(memory):
    for digest, reward in [("a", 0.1), ("b", 0.2), ("a", 0.1)]:
        memory.finish(add(memory, digest), Outcome({"parameters": 3}, (reward,)), reward)
    add(memory, "c")
    frame = memory.frame()
    assert frame["first"].tolist() == [True, True, False, True]
    assert frame["finished"].tolist() == [True, True, True, False]
    assert frame["epsilon"].tolist() == [0.5] * 4
    assert frame["parameters"].tolist()[:3] == [3, 3, 3]


def test_commits_survive_a_crash(memory):
    # WAL with synchronous=full: a commit is on the disk when it returns
    assert memory._rows("PRAGMA journal_mode") == [("wal",)]
    assert memory._rows("PRAGMA synchronous") == [(2,)]


def test_a_reader_sees_what_is_committed_while_the_writer_goes_on(memory, path):
    memory.finish(add(memory, "a"), Outcome(curve=(0.1,)), 0.1)
    with memory.transaction():
        add(memory, "b")
        reader = Memory.open(path)
        assert len(reader.frame()) == 1
    assert len(reader.frame()) == 2


def test_another_configuration_is_refused_with_both_values(memory, path):
    with pytest.raises(WrongRun, match="seed is 1 there and 2 here"):
        Memory.open(path, {**CONFIGURATION, "seed": 2})
    with pytest.raises(WrongRun, match="epochs is None there and 5 here"):
        Memory.open(path, {**CONFIGURATION, "epochs": 5})


def test_an_option_that_was_not_known_then_had_its_default(memory, path):
    defaults = {"seed": 0, "epochs": 20, "free": "?"}
    Memory.open(path, {**CONFIGURATION, "epochs": 20}, defaults)
    with pytest.raises(WrongRun, match=r"run: epochs is 20 there and 5 here$"):
        Memory.open(path, {**CONFIGURATION, "epochs": 5}, defaults)
    with pytest.raises(WrongRun, match=r"run: seed is 1 there and 0 here$"):
        Memory.open(path, {**CONFIGURATION, "seed": 0}, defaults)


def test_a_file_that_is_no_memory_is_refused(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        Memory.open(path)
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(BrokenMemory, match="is no replay memory or is damaged"):
        Memory.open(path)
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE something (else_ TEXT)").connection.close()
    with pytest.raises(BrokenMemory, match="is no replay memory"):
        Memory.open(other)


def test_damage_within_the_file_is_noticed(memory, path):
    for number in range(300):
        memory.finish(add(memory, str(number)), Outcome(curve=(0.5,)), 0.5)
    memory.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xff" * 8192
    path.write_bytes(content)
    with pytest.raises(BrokenMemory):
        Memory.open(path)


def test_an_existing_file_is_not_overwritten(memory, path):
    with pytest.raises(FileExistsError):
        Memory.create(path, CONFIGURATION)


HEADER = "net,accuracy_best_val,epsilon\n"


def test_rows_of_2017_carry_their_line(tmp_path):
    file = tmp_path / "replay.csv"
    file.write_text(HEADER + '"[C(64,3,1), SM(10)]",0.5,1.0\n"[SM(10)]",1.0,1.0\n')
    assert list(read_replay(file)) == [(2, "[C(64,3,1), SM(10)]", 0.5), (3, "[SM(10)]", 1.0)]


@pytest.mark.parametrize("accuracy", ["1.5", "-0.1", "nan", "high", ""])
def test_an_impossible_accuracy_is_refused_with_its_line(tmp_path, accuracy):
    file = tmp_path / "replay.csv"
    file.write_text(HEADER + f'"[SM(10)]",0.5,1.0\n"[SM(10)]",{accuracy},1.0\n')
    with pytest.raises(LegacyError, match="line 3: accuracy_best_val must be a number from 0 to 1"):
        list(read_replay(file))


def test_files_that_are_no_replay_database_are_refused(tmp_path):
    with pytest.raises(LegacyError, match="cannot be read"):
        list(read_replay(tmp_path / "missing.csv"))
    columns = tmp_path / "columns.csv"
    columns.write_text("a,b\n1,2\n")
    with pytest.raises(LegacyError, match="no column net and no accuracy_best_val"):
        list(read_replay(columns))
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(b"\x1f\x8b\x08\x00broken")
    with pytest.raises(LegacyError, match="cannot be read"):
        list(read_replay(cut))


def test_distinct_networks_come_back_in_the_order_of_telling(memory):
    imported = add(memory, "a", imported=True)
    memory.finish(imported, Outcome(curve=(0.9,)), 0.9)
    first, second, twin = add(memory, "a"), add(memory, "b"), add(memory, "b")
    add(memory, "c")
    known = {"a": Outcome({"parameters": 1}, (0.1, 0.2)), "b": Outcome(error="failed")}
    for trial, reward in ((twin, 0.3), (second, 0.4), (first, 0.2)):
        memory.finish(trial, known[trial.digest], reward)
    assert list(memory.trained()) == [(twin, known["b"], 0.3), (first, known["a"], 0.2)]


@pytest.mark.parametrize("name", ["reward", "digest", "number", "curve", "first"])
def test_nothing_in_a_note_has_the_name_of_a_column(tmp_path, name):
    memory = Memory.create(tmp_path / "m.sqlite", {})
    with pytest.raises(ValueError, match=f"no note can be called '{name}'"):
        memory.add(("SM(10)",), 0, "digest", 1, {name: 1.0})
    memory.close()


def test_a_note_may_have_numbers_of_numpy(tmp_path):
    memory = Memory.create(tmp_path / "m.sqlite", {})
    memory.add(("SM(10)",), 0, "digest", 1, {"epsilon": np.float32(0.5)})
    assert memory.frame()["epsilon"].tolist() == [0.5]
    memory.close()


@pytest.mark.parametrize("column", ["metrics", "curve"])
def test_a_trial_that_has_finished_with_nothing_is_damage(tmp_path, column):
    path = tmp_path / "m.sqlite"
    memory = Memory.create(path, {})
    trial = memory.add(("SM(10)",), 0, "digest", 1, {})
    memory.finish(trial, Outcome({}, (0.5,)), 0.5)
    memory.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE trials SET {column} = NULL")
    with pytest.raises(BrokenMemory, match="trial 1 has finished"):
        Memory.open(path)
