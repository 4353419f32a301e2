"""Runs of strangers, on media that cannot be written, on full disks, and names that are no text."""

import csv
import json
import shutil
import sqlite3
import subprocess
import unicodedata
from contextlib import closing, suppress
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from metaqnn import Search
from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.models.formats import export
from metaqnn.reports.formats import render_cells, render_exactly
from metaqnn.reports.trials import list_trials, write_csv
from metaqnn.runs.run import open_run
from metaqnn.task import accuracy
from metaqnn.terminal import FORMULA, as_cell, printable
from replay import BrokenMemory, Memory, Outcome
from replay.schema import connect
from tests.helpers.commands import FAST, refused
from tests.helpers.networks import make_network
from tests.helpers.spaces import make_space

READING = [
    ("top-k", "results/r"),
    ("trials", "results/r"),
    ("report", "results/r", "--html", "page.html"),
    ("q-table", "results/r"),
    ("plot", "results/r", "--to", "figures", "--figure", "best"),
]


def change(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


DAMAGED = [
    ("walk", "{not json"),
    ("walk", "[1]"),
    ("walk", '["C(9,9,9)"]'),
    ("walk", "[" * 9999),
    ("walk", b"\xff\xfe"),
    ("stage", "x"),
    ("digest", b"\x00"),
    ("seed", "x"),
    ("note", '{"epsilon": "=cmd"}'),
    ("note", '{"walk": 1}'),
    ("note", "[]"),
    ("finished", "x"),
    ("reward", "much"),
    ("metrics", '{"seconds": [1]}'),
    ("metrics", '{"seconds": 1' + "0" * 400 + "}"),
    ("metrics", "{"),
    ("curve", '["=cmd"]'),
    ("curve", "0.5"),
    ("error", b"\x1b"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("column", "value"), DAMAGED)
def test_a_field_that_makes_no_sense_is_told_in_one_line(finished, column, value):
    memory = "results/r/memory.sqlite"
    change(memory, f"UPDATE trials SET {column} = ? WHERE number = 2", value)
    for command in ("trials", "q-table", "resume"):
        done = finished(command, "results/r")
        refused(done)
        assert done.output.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_bad_json_is_told_by_every_command_that_reads(finished, command):
    change("results/r/memory.sqlite", "UPDATE trials SET walk = '{not json' WHERE number = 2")
    refused(finished(*command), "memory.sqlite is damaged: walk of trial 2", "{not json")


def test_a_snapshot_of_something_else_is_told_in_one_line(finished):
    change("results/r/memory.sqlite", "UPDATE run SET value = 'x' WHERE key = 'snapshot'")
    for command in ("q-table", "resume"):
        refused(finished(command, "results/r"), "the agent cannot be restored from the memory")


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SQLite format 3\x00",
        b"nothing of use" * 1000,
        "half",
        "foreign",
        "configuration",
    ],
)
def test_another_file_is_told_in_one_line(finished, content):
    path = Path("results/r/memory.sqlite")
    good = path.read_bytes()
    if content == "foreign":
        path.unlink()
        change(path, "CREATE TABLE something (else_ TEXT)")
    elif content == "configuration":
        change(path, "UPDATE run SET value = '[' WHERE key = 'configuration'")
    else:
        path.write_bytes(good[: len(good) // 2] if content == "half" else content)
    for command in ("top-k", "trials", "resume"):
        refused(finished(command, "results/r"), "memory.sqlite")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("started", value) for value in (5, None, "x")),
        *(("command", value) for value in (5, [1])),
        *(("images", value) for value in (5, [], {}, {"shape": [1, 8, 8], "classes": [1] * 10})),
        *(
            ("images", {"shape": shape, "classes": ["a", "b"]})
            for shape in ("x", [0, 8, 8], [1, 8.5, 8])
        ),
        ("evaluator", None),
    ],
)
def test_an_environment_of_something_else_is_told_in_one_line(finished, key, value):
    path = Path("results/r/environment.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    for command in ("top-k", "report", "resume"):
        refused(finished(command, "results/r"), "environment.json cannot be read")


@pytest.fixture
def mounted(tmp_path):
    """Mount a folder of so many bytes; another call mounts it anew with other options."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True], ids=["whole", "with a log"])
def test_a_run_on_a_read_only_medium_is_read(finished, mounted, tmp_path, log):
    run = Path("results/r")
    medium = mounted("size=50m")
    connection = sqlite3.connect(run / "memory.sqlite")
    connection.execute("UPDATE trials SET error = 'last' WHERE number = 4")
    connection.commit()
    if not log:
        connection.close()  # which writes the log into the file
    shutil.copytree(run, medium / "r", ignore=shutil.ignore_patterns("*-shm"))
    connection.close()
    assert (medium / "r" / "memory.sqlite-wal").exists() == log
    subprocess.run(["mount", "-o", "remount,ro", str(medium)], check=True)
    for command, *options in READING:
        done = finished(command, str(medium / "r"), *options[1:])
        assert done.exit_code == 0, done.output
        if command == "trials":
            last = pd.read_csv(StringIO(done.output)).set_index("number")["error"]
            assert last[4] == "last"
    # and what cannot be done is told
    for command in ("resume", "finalize", "report", "plot"):
        done = finished(command, str(medium / "r"))
        refused(done, "Read-only file system")
    search = Search.open(medium / "r", budget=9)
    for work in (search.run, search.ask, search.finalize):
        with pytest.raises(MetaqnnError, match=r"^.*Read-only file system; copy .* to where .*$"):
            work()


@pytest.mark.parametrize("log", [False, True], ids=["whole", "with a log"])
def test_a_memory_is_read_without_writing_beside_it(tmp_path, monkeypatch, log):
    writer = Memory.create(tmp_path / "m.sqlite", {})
    writer.finish(writer.add(("SM(3)",), 0, "d", 1, {}), Outcome(curve=(0.5,)), 0.5)
    if not log:
        writer.close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("m.sqlite", "m.sqlite-wal"):
        if (tmp_path / name).exists():
            shutil.copyfile(tmp_path / name, elsewhere / name)
    files = sorted(path.name for path in elsewhere.iterdir())
    assert len(files) == 1 + log

    plain = sqlite3.connect

    class Refusing:
        """A connection to a file in a folder that cannot be written."""

        def __init__(self):
            self.closed = False

        def execute(self, statement):
            error = sqlite3.OperationalError("attempt to write a readonly database")
            error.sqlite_errorcode = sqlite3.SQLITE_READONLY_DIRECTORY
            raise error

        def close(self):
            self.closed = True

    refusing = Refusing()
    monkeypatch.setattr(
        "replay.schema.sqlite3.connect",
        lambda name, **options: (
            refusing if name == elsewhere / "m.sqlite" else plain(name, **options)
        ),
    )
    with closing(Memory.open(elsewhere / "m.sqlite")) as memory:
        assert refusing.closed
        assert [(trial.digest, reward) for trial, _, reward in memory.trained()] == [("d", 0.5)]
        with pytest.raises(OSError, match=r"Read-only file system.*m\.sqlite"):
            memory.add(("SM(3)",), 0, "e", 1, {})
    assert sorted(path.name for path in elsewhere.iterdir()) == files
    if log:
        writer.close()


TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)


@given(TEXTS)
def test_printable_text_moves_no_cursor_and_is_one_line(text):
    shown = printable(text)
    hidden = [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert set(hidden) <= {"\u200c", "\u200d"}
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text


def test_what_is_hidden_becomes_a_visible_escape():
    assert printable("a\x1b[31m\n\x7f\x9b\u202e\ud800é😀") == (
        "a\\x1b[31m\\n\\x7f\\x9b\\u202e\\ud800é😀"
    )
    assert printable("a\nb\x1b", "\n") == "a\nb\\x1b"


@given(TEXTS)
def test_a_cell_of_csv_is_no_formula(text):
    cell = as_cell(text)
    assert not cell.startswith(FORMULA)
    assert cell.removeprefix("'") == printable(text) or cell == printable(text)


STRANGE = [
    "=cmd|'/c calc'!A1",
    "+1",
    "-1",
    "@SUM(A1)",
    "a\x1b[2Jb",
    "two\nlines",
    "<script>",
    "plain",
]
CELLS = [
    *("'=cmd|'/c calc'!A1", "'+1", "'-1", "'@SUM(A1)", "a\\x1b[2Jb", "two\\nlines", "<script>"),
    "plain",
]


def test_tables_and_csv_are_escaped_and_json_is_exact():
    frame = pd.DataFrame({"name": STRANGE, "value": [-0.5] * len(STRANGE)})
    rows = list(csv.reader(StringIO(render_exactly(frame, "csv"))))
    assert rows == [["name", "value"], *([cell, "-0.5"] for cell in CELLS)]
    found = json.loads(render_exactly(frame, "json"))
    assert [row["name"] for row in found] == STRANGE
    text = render_cells(frame, "table", ("name",))
    assert "\x1b" not in text and len(text.splitlines()) == 2 + len(STRANGE)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_names_of_pictures_and_classes_reach_no_terminal_raw(tmp_path, form):
    from dataclasses import replace

    network, facts = make_network("[SM(3)]", (1, 4, 4))
    names = ("\x1b]0;title\x07", "=cmd|x", "a\nb")
    export(network, replace(facts, classes=names), tmp_path / "net.safetensors")
    pictures = [tmp_path / f"\x1b[31m{number}.png" for number in range(9)]
    for number, picture in enumerate(pictures):
        Image.new("L", (4, 4), 28 * number).save(picture)
    command = ["predict", str(tmp_path / "net.safetensors"), *map(str, pictures)]
    done = CliRunner().invoke(main, [*command, "--format", form], color=True)
    assert done.exit_code == 0, done.output
    assert not {"\x1b", "\x07"} & set(done.output)
    assert ",=" not in done.output and "\n=" not in done.output
    if form == "json":
        assert [row["picture"] for row in json.loads(done.output)] == list(map(str, pictures))
        assert {row["class"] for row in json.loads(done.output)} <= set(names)


@pytest.mark.parametrize(
    "command",
    [
        ("top-k", "no\x1b[31msuch"),
        ("predict", "no\x1b[31msuch.onnx", "a.png"),
        ("export", "no\x1b[31msuch", "--to", "a.onnx"),
        ("show", "[C(\x1b[31m\n)]"),
        ("run", "--dataset", "npz:no\x1b[31m\nsuch.npz"),
    ],
    ids=lambda command: command[0],
)
def test_errors_reach_no_terminal_raw(command):
    done = CliRunner().invoke(main, command, color=True)
    assert done.exit_code == 2
    assert "\x1b" not in done.output and "\\x1b[31m" in done.output
    assert done.output.count("\n") == 1


def test_csv_of_trials_is_text_in_a_spreadsheet(tmp_path):
    with closing(Memory.create(tmp_path / "m.sqlite", {})) as memory:
        trial = memory.add(("SM(10)",), 0, "=d", 7, {})
        memory.finish(trial, Outcome({"=cmd": 1}, (-0.5, 0.5), "=cmd|x\x1b\nnext"), -0.5)
        table = list_trials(memory.frame(refused=True), make_space("digits"), accuracy())
    assert table["error"].tolist() == ["=cmd|x\x1b\nnext"]  # as Parquet has it
    header, row = csv.reader(StringIO(write_csv(table)))
    found = dict(zip(header, row, strict=True))
    assert found["error"] == "'=cmd|x\\x1b\\nnext"
    assert found["digest"] == "'=d"
    assert found["'=cmd"] in ("1", "1.0")
    assert found["curve"] == "-0.5 0.5" and found["reward"] == "-0.5"


@pytest.mark.slow
def test_the_page_escapes_names(finished):
    path = Path("results/r/environment.json")
    environment = json.loads(path.read_text())
    environment["images"]["classes"] = ["<script>\x1b[31m", *"123456789"]
    environment["command"] = ["metaqnn", "\x1b]0;x\x07"]
    path.write_text(json.dumps(environment))
    change("results/r/memory.sqlite", "UPDATE trials SET error = '<b>\x1b[2J' WHERE number = 2")
    done = finished("report", "results/r")
    assert done.exit_code == 0, done.output
    page = Path("results/r/report.html").read_text()
    assert "\x1b" not in page and "\x07" not in page
    assert "&lt;script&gt;\\x1b[31m" in page and "&lt;b&gt;\\x1b[2J" in page
    assert page.count("\n") > 100


def test_a_full_disk_names_the_memory(tmp_path):
    path = tmp_path / "m.sqlite"
    with closing(Memory.create(path, {})) as memory:
        pages = memory._rows("PRAGMA page_count")[0][0]
        memory._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OSError, match=rf"No space left on device: '{path}'"):
            for number in range(999):
                memory.add(("SM(3)",) * 99, 0, str(number), 1, {})
    with closing(Memory.open(path)) as memory:  # and nothing of it is broken
        assert len(memory.unfinished()) < 999


@pytest.mark.slow
def test_a_run_on_a_full_disk_says_how_to_go_on(mounted, invoke):
    folder = mounted("size=150k")
    arguments = ["run", "--name", "r", "--results-dir", str(folder), *FAST, "--keep", "4"]
    done = invoke(*arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    line = done.output.splitlines()[-1]
    assert line.startswith("Error: ") and str(folder / "r") in line
    assert "No space left on device; free some space" in line
    assert f"`metaqnn resume {folder / 'r'}` goes on" in line
    subprocess.run(["mount", "-o", "remount,size=20m", str(folder)], check=True)
    done = invoke("resume", str(folder / "r"))
    assert done.exit_code == 0, done.output
    assert "4 networks trained" in done.output


def fill(folder):
    """Leave no room on a disk."""
    with (folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True], ids=["whole", "with a log"])
def test_a_run_on_a_full_disk_is_read(finished, mounted, log):
    medium = mounted("size=3m")
    connection = sqlite3.connect("results/r/memory.sqlite")
    connection.execute("UPDATE trials SET error = 'last' WHERE number = 4")
    connection.commit()
    if not log:
        connection.close()
    shutil.copytree("results/r", medium / "r", ignore=shutil.ignore_patterns("*-shm"))
    connection.close()
    fill(medium)
    for command, *options in READING:
        done = finished(command, str(medium / "r"), *options[1:])
        assert done.exit_code == 0, done.output
    assert "last" in finished("trials", str(medium / "r")).output
    done = finished("export", str(medium / "r"), "--to", "net.safetensors")
    assert done.exit_code == 0, done.output
    # and what has no room says so, and how to go on
    full = "No space left on device; free some space, then "
    run = str(medium / "r")
    for command, way in (
        (["resume", run, "--budget", "6"], f"`metaqnn resume {run}` goes on"),
        (["finalize", run, "-k", "1"], f"`metaqnn finalize {run}` goes on"),
    ):
        done = finished(*command)
        assert done.exit_code == 1 and done.output.splitlines()[-1].endswith(full + way)
    search = Search.open(run, budget=6)
    for work in (search.run, search.ask, search.finalize):
        fill(medium)  # what was undone before has left a little room
        with pytest.raises(MetaqnnError, match=r"^[^\n]*No space left on device; free some space"):
            work(**({} if work == search.ask else {"quiet": True}))
    for command in (
        ["export", run, "--to", str(medium / "net.safetensors")],
        ["export", run, "--to", str(medium / "net.pt2")],
        ["trials", run, "--csv", str(medium / "trials.csv")],
        ["report", run],
        ["plot", run, "--figure", "best"],
        ["run", "--name", "other", "--results-dir", str(medium), *FAST],
    ):
        refused(finished(*command), "No space left on device", "free some space")
    assert not list(medium.glob(".*"))
    (medium / "filler").unlink()
    done = finished("resume", run, "--budget", "6")
    assert done.exit_code == 0 and "6 networks trained" in done.output


def test_a_file_that_fills_the_disk_is_named(finished):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    done = finished("trials", "results/r", "--csv", "/dev/full")
    refused(done, "/dev/full cannot be written: No space left on device; free some space")


def test_a_memory_of_a_later_format_is_told_by_its_number(tmp_path):
    path = tmp_path / "m.sqlite"
    Memory.create(path, {}).close()
    change(path, "UPDATE run SET value = '9' WHERE key = 'format'")
    change(path, "ALTER TABLE trials DROP COLUMN error")
    with pytest.raises(BrokenMemory, match="has format 9, not 2"):
        Memory.open(path)


def test_a_new_memory_can_be_written(tmp_path):
    connection = connect(tmp_path / "m.sqlite")
    assert connection.unwritable is None
    connection.execute("CREATE TABLE a (b)")
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    connection.close()


def test_the_memory_of_an_older_program_has_the_reward_by_its_older_name(finished_run):
    with closing(sqlite3.connect(finished_run / "memory.sqlite")) as memory:
        written = memory.execute("SELECT value FROM run WHERE key = 'configuration'").fetchone()[0]
    assert json.loads(written)["reward"] == "accuracy"
    assert open_run(finished_run).config.rewards.reward == "score"
    open_run(finished_run).memory().close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"seed,rank,test_error\n0,1,0.5\n",
        b"\xff\xfe",
        b"rank,test_error,seed,network,digest,weights,error\n1,=cmd,0,[SM(10)],x,x,\n",
        b"rank,test_error,seed,network,digest,weights,error\nx,0.5,0,[SM(10)],x,x,\n",
    ],
)
def test_results_of_final_trainings_that_are_something_else_are_told(finished, content):
    folder = Path("results/r/final/short")
    folder.mkdir(parents=True)
    (folder / "results.csv").write_bytes(content)
    refused(finished("top-k", "results/r"), "results.csv cannot be read")
    refused(finished("report", "results/r", "--html", "p.html"), "results.csv cannot be read")


def test_a_number_of_many_digits_is_told(finished):
    path = Path("results/r/config.toml")
    path.write_text(f"seed = {'9' * 5000}\n{path.read_text().replace('seed = ', 'xseed = ')}")
    refused(finished("top-k", "results/r"), "config.toml cannot be read")
