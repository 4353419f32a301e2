"""All trials of a run as CSV and Parquet."""

import re
import subprocess
import sys
from io import BytesIO, StringIO
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from metaqnn.agents.base import AGENTS
from metaqnn.reports.trials import COLUMNS, list_trials, write_csv, write_parquet
from metaqnn.task import Score, accuracy
from replay import Memory, Outcome
from tests import ROOT
from tests.helpers.commands import FAST, refused
from tests.helpers.searches import make_search
from tests.helpers.spaces import SPACE_NAMES, make_space

SPACE = make_space("digits")

SCALARS = [
    *("number", "network", "stage", "digest", "seed", "epsilon", "refused", "finished", "first"),
    *("reward", "accuracy", "predicted", "parameters", "seconds", "stopped_after", "strange"),
    "error",
]


def listed(memory):
    return list_trials(memory.frame(refused=True), SPACE, accuracy())


@pytest.fixture
def memory(tmp_path):
    """One trial of every kind: good, again, refused, failed, stopped, running; and an import."""
    memory = Memory.create(tmp_path / "m.sqlite", {})
    small, large = ("C(8,3,1)", "SM(10)"), ("C(32,5,1)", "SM(10)")
    imported = memory.add(small, 0, "a", 0, {}, imported=True)
    memory.finish(imported, Outcome(curve=(0.9,)), 0.9)
    good = memory.add(small, 0, "a", 7, {"epsilon": 1.0})
    outcome = Outcome({"parameters": 5, "seconds": 0.5, "strange": 3}, (0.25, 0.5, 0.375))
    memory.finish(good, outcome, 0.125)
    memory.finish(memory.add(small, 0, "a", 7, {"epsilon": 0.5}), outcome, 0.125)
    memory.refuse(memory.add(large, 0, "b", 8, {"epsilon": 0.5}), "9 parameters, more than 8")
    failed = memory.add(("FC(32)", "SM(10)"), 1, "c", 9, {"epsilon": 0.5})
    memory.finish(failed, Outcome({}, (0.2,), "Diverged: so, it did"), 0.1)
    stopped = memory.add(("SM(10)",), 0, "d", 2**63 - 1, {"epsilon": 0.5})
    memory.finish(stopped, Outcome({"stopped_after": 1, "predicted": 0.75}, (0.25,)), 0.75)
    memory.add(("GAP(10)", "SM(10)"), 0, "e", 1, {"epsilon": 0.5})
    yield memory
    memory.close()


def test_a_row_a_trial_with_all_that_is_known_of_it(memory):
    table = listed(memory)
    assert list(table) == [*COLUMNS, "strange"]
    known = {name: [None if pd.isna(v) else v for v in table[name]] for name in table[SCALARS]}
    assert known == {
        "number": [2, 3, 4, 5, 6, 7],
        "network": [
            "[C(8,3,1), SM(10)]",
            "[C(8,3,1), SM(10)]",
            "[C(32,5,1), SM(10)]",
            "[FC(32), SM(10)]",
            "[SM(10)]",
            "[GAP(10), SM(10)]",
        ],
        "stage": [0, 0, 0, 1, 0, 0],
        "digest": ["a", "a", "b", "c", "d", "e"],
        "seed": [7, 7, 8, 9, 2**63 - 1, 1],
        "epsilon": [1.0, 0.5, 0.5, 0.5, 0.5, 0.5],
        "refused": [None, None, "9 parameters, more than 8", None, None, None],
        "finished": [True, True, False, True, True, False],
        "first": [True, False, True, True, True, True],
        "reward": [0.125, 0.125, None, 0.1, 0.75, None],
        "accuracy": [0.5, 0.5, None, None, 0.75, None],
        "predicted": [False, False, False, False, True, False],
        "parameters": [5, 5, None, None, None, None],
        "seconds": [0.5, 0.5, None, None, None, None],
        "stopped_after": [None, None, None, None, 1, None],
        "strange": [3, 3, None, None, None, None],
        "error": [None, None, None, "Diverged: so, it did", None, None],
    }
    assert table["walk"].tolist()[3] == ("FC(32)", "SM(10)")
    assert [len(curve) for curve in table["curve"]] == [3, 3, 0, 1, 1, 0]
    assert memory.frame()["number"].tolist() == [2, 3, 5, 6, 7]  # as everyone else sees it


def test_csv_is_what_any_reader_understands(memory):
    text = write_csv(listed(memory))
    read = pd.read_csv(StringIO(text))
    assert len(read) == 6
    assert read["curve"].fillna("").tolist() == ["0.25 0.5 0.375"] * 2 + ["", "0.2", "0.25", ""]
    assert read["walk"][0] == "C(8,3,1) SM(10)"
    assert read["seed"][4] == 2**63 - 1
    assert ",5,,,,,0.5," in text  # whole numbers stay whole


def test_parquet_holds_the_same_with_types_that_do_not_depend_on_the_trials(memory, tmp_path):
    (tmp_path / "t.parquet").write_bytes(write_parquet(listed(memory)))
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == [*COLUMNS, "strange"]
    assert table["curve"].to_pylist() == [[0.25, 0.5, 0.375]] * 2 + [[], [0.2], [0.25], []]
    assert table["walk"].to_pylist()[0] == ["C(8,3,1)", "SM(10)"]
    assert table["seed"].to_pylist()[4] == 2**63 - 1
    assert table["parameters"].to_pylist() == [5, 5, None, None, None, None]
    empty = Memory.create(tmp_path / "empty.sqlite", {})
    (tmp_path / "e.parquet").write_bytes(write_parquet(listed(empty)))
    types = parquet.read_schema(tmp_path / "e.parquet")
    assert [types.field(name).type for name in COLUMNS] == [
        table.schema.field(name).type for name in COLUMNS
    ]
    assert write_csv(listed(empty)) == ",".join(COLUMNS) + "\n"
    empty.close()


@pytest.mark.parametrize("column", ["ms", "accuracy", "score", "nodes", "strange"])
def test_what_was_recorded_under_the_name_of_the_score_or_the_network_is_there_too(
    tmp_path, column
):
    metrics = {"accuracy": 0.75, "score": 3, "network": 4, "nodes": 5, "strange": 6, "ms": 7.5}
    memory = Memory.create(tmp_path / "m.sqlite", {})
    note = {"recorded_network": 8.0}
    memory.finish(memory.add(("SM(10)",), 0, "a", 0, note), Outcome(metrics, (-2.5,)), -2.5)
    table = list_trials(memory.frame(), SPACE, Score("latency", column, "negative"))
    memory.close()
    read = parquet.read_table(BytesIO(write_parquet(table))).to_pydict()
    assert list(read) == write_csv(table).splitlines()[0].split(",")
    assert len(set(read)) == len(table.columns)
    row = {name: values[0] for name, values in read.items()}
    assert row.pop(column) == 2.5 and row.pop("network") == "[SM(10)]"
    assert row.pop("recorded_network") == 8 and row.pop("recorded_recorded_network") == 4
    assert row.pop(f"recorded_{column}") == metrics.pop(column)
    del metrics["network"]
    assert {name: row[name] for name in metrics} == metrics


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_no_decision_has_a_space_that_would_break_a_walk_apart(name):
    vocabulary = make_space(name).vocabulary
    assert not any(" " in token for tokens in vocabulary.values() for token in tokens)


@pytest.mark.parametrize("agent", AGENTS)
def test_what_agents_note_has_a_column(tmp_path, agent):
    search = make_search(tmp_path / "m.sqlite", agent, budget=3)
    search.run()
    assert list(listed(search.memory)) == list(COLUMNS)


def test_every_column_is_documented_in_its_place():
    text = (ROOT / "docs" / "trials.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows))[: len(COLUMNS)] == list(COLUMNS)


# the command line


def test_trials_of_a_real_run(finished):
    printed = finished("trials", "results/r").stdout
    result = finished("trials", "results/r", "--csv", "t.csv", "--parquet", "t.parquet")
    table = pd.read_csv("t.csv")
    assert result.output == (
        f"{len(table)} trials written to t.parquet\n{len(table)} trials written to t.csv\n"
    )
    assert Path("t.csv").read_text() == printed
    assert list(table) == list(COLUMNS)
    assert table["number"].tolist() == list(range(1, len(table) + 1))
    assert table["first"].sum() == 4
    other = parquet.read_table("t.parquet").to_pandas()
    assert [" ".join(map(str, curve)) for curve in other["curve"]] == table["curve"].astype(
        str
    ).tolist()
    for name in ("network", "seed", "accuracy", "seconds", "parameters"):
        assert other[name].tolist() == table[name].tolist()


def test_refused_networks_are_trials_too(invoke):
    options = ["--max-parameters", "20000", "--name", "r", *FAST]
    assert invoke("run", *options).exit_code == 0
    table = pd.read_csv(StringIO(invoke("trials", "results/r").stdout))
    left = table[table["refused"].isna()]
    assert left["first"].sum() == 4
    assert left["parameters"].max() <= 20000
    assert table["refused"].dropna().str.endswith(" parameters, more than 20,000").all()
    assert 0 < len(left) < len(table)


def test_trials_are_read_while_the_run_goes_on(finished, tmp_path):
    memory = Memory.open(tmp_path / "results" / "r" / "memory.sqlite")
    before = finished("trials", "results/r").stdout
    with memory.transaction():
        memory.add(("SM(10)",), 0, "x", 0, {})
        assert finished("trials", "results/r").stdout == before
    rows = pd.read_csv(StringIO(finished("trials", "results/r").stdout))
    assert rows["finished"].tolist()[-1] == 0
    memory.close()


def test_what_goes_wrong_is_one_line(finished, monkeypatch):
    refused(finished("trials", "nowhere"), "nowhere is not the folder of a run")
    refused(finished("trials", "results/r", "--csv", "no/t.csv"), "no/t.csv cannot be written")
    refused(finished("trials", "results/r", "--parquet", "."), ". cannot be written")
    refused(finished("trials", "results/r", "--jsn", "x"), "No such option")
    monkeypatch.setattr("metaqnn.registry.find_spec", lambda name: None)
    missing = finished("trials", "results/r", "--parquet", "t.parquet", "--csv", "t.csv")
    refused(missing, "Parquet needs pyarrow: ", "-m pip install 'metaqnn[parquet]'")
    assert not list(Path().glob("t.*"))
    assert finished("trials", "results/r", "--csv", "t.csv").exit_code == 0


def test_a_reader_may_close_the_pipe(finished_run):
    command = f"{sys.executable} -m metaqnn trials {finished_run} | head -n 1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert run.stdout == ",".join(COLUMNS) + "\n"
    assert run.stderr == ""
