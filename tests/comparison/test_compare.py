"""Comparisons: the agents and their options, the searches, and the command with its folder."""

import csv
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import tomllib
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from filelock import FileLock

from metaqnn.agents.base import AGENTS
from metaqnn.cli import main
from metaqnn.comparison.plan import Comparison, Entrant, open_comparison
from metaqnn.comparison.searches import labels, read_searches, run_search, search_path, write_search
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.runs.run import Run
from metaqnn.spaces import read_space
from tests.helpers.commands import refused
from tests.helpers.parts import image_task

# agents and their options


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("random", {"agent": "random"}),
        ("q-learning,alpha=0.1", {"agent": "q-learning", "alpha": 0.1}),
        ("q-learning, sweeps=5,gamma=1", {"agent": "q-learning", "sweeps": 5, "gamma": 1}),
        (
            "q-learning,epsilon-schedule=1.0:5,0.5:5,sweeps=5",
            {"agent": "q-learning", "epsilon-schedule": "1.0:5,0.5:5", "sweeps": 5},
        ),
        ("q-learning,initial_q=0.2", {"agent": "q-learning", "initial-q": 0.2}),
        ("random,start-from=['[SM(10)]']", {"agent": "random", "start-from": ["[SM(10)]"]}),
    ],
)
def test_an_agent_is_a_name_and_options(text, options):
    assert Entrant.parse(text) == Entrant(text, options)


@pytest.mark.parametrize("option", ["seed", "budget", "space", "table", "epochs", "alpa"])
def test_an_agent_has_no_options_that_all_must_share(option):
    with pytest.raises(MetaqnnError, match=f"{option} is no option of a single agent.*alpha"):
        Entrant.parse(f"q-learning,{option}=1")


def test_labels_become_file_names_and_come_back(tmp_path):
    strange = "q-learning,q-table=../a b/ü.csv,epsilon-schedule=1.0:5"
    path = search_path(tmp_path, strange, 5, 0)
    assert path.parent.parent == tmp_path / "searches"
    write_search(path, pd.DataFrame({"number": [1]}))
    assert labels(tmp_path) == [strange]


# searches


def table_entries():
    """An accuracy for every network of the space macro, with the later blocks worth more."""
    entries = {}
    for digits in itertools.product(range(3), repeat=8):
        mean = 50 + sum(digit * place for place, digit in enumerate(digits, start=1)) / 2
        trainings = [mean - 1.5, mean + 0.5, mean + 1]
        entries["".join(map(str, digits))] = {"test_acc": trainings, "mean_acc": mean}
    return entries


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.json"
    path.write_text(json.dumps(table_entries()))
    return str(path)


OPTIMUM = 50 + 2 * sum(range(1, 9)) / 2


def planned(tmp_path, table_file, text, budgets):
    options = {"space": "macro", "evaluator": "table", "table": table_file}
    config = RunConfig.from_flat(options)
    base = Run(tmp_path / "none", config, read_space("macro"), image_task((3, 32, 32)))
    comparison = Comparison(base, options, budgets)
    return comparison.plan([Entrant.parse(text)], [0, 1]), comparison.evaluator


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_a_search_that_does_not_plan_for_its_budget_begins_a_longer_one(
    tmp_path, table_file, agent
):
    runs, evaluator = planned(tmp_path, table_file, agent, (10, 30))
    plans = AGENTS.find(agent).plans_for_budget
    assert [run.config.run.budget for run in runs] == ([10, 10, 30, 30] if plans else [30, 30])
    assert [run.config.run.seed for run in runs] == ([0, 1, 0, 1] if plans else [0, 1])
    longer = run_search(runs[-1], evaluator)
    if not plans:
        short, _ = planned(tmp_path, table_file, agent, (10,))
        shorter = run_search(short[-1], evaluator)
        pd.testing.assert_frame_equal(
            *(found.drop(columns="agent_seconds") for found in (shorter, longer.head(10)))
        )
    assert longer["number"].tolist() == list(range(1, 31))
    assert not longer["network"].duplicated().any()


def test_a_network_that_fails_has_no_accuracy(tmp_path):
    path = tmp_path / "table.json"
    entries = table_entries()
    path.write_text(json.dumps({key: entries[key] for key in entries if key[0] != "0"}))
    runs, evaluator = planned(tmp_path, str(path), "random", (20,))
    found = run_search(runs[0], evaluator)
    failed = found["network"].str.startswith("[ID")
    assert 0 < failed.sum() < 20
    assert found["score"].isna().tolist() == failed.tolist()
    assert found["expected"].isna().tolist() == failed.tolist()
    assert (found["reward"][failed] == 0.1).all()


# the command


AGENTS_COMPARED = ["--agent", "random", "--agent", "q-learning,sweeps=5"]


def call(folder, table_file, *more, agents=AGENTS_COMPARED, budgets="5,10", jobs="2"):
    arguments = ["compare", str(folder), *agents, "--budgets", budgets, "--jobs", jobs]
    arguments += ["--seeds", "3", "--space", "macro", "--evaluator", "table"]
    return CliRunner().invoke(main, [*arguments, "--table", table_file, *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, table_file):
    """The folder of a comparison, and what was printed; not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "results" / "c"
    result = call(folder, table_file, "--format", "csv")
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the folder, which may be changed."""
    return shutil.copytree(finished[0], tmp_path / "c")


TIMES = ["agent_milliseconds", "agent_seconds"]
"""Columns in which two searches of the same networks may differ."""


def untimed(text):
    """A file or an output in csv without the agent's own time."""
    return pd.read_csv(StringIO(text), dtype=str).drop(columns=TIMES, errors="ignore").to_csv()


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("searches/*/*.csv")}


@pytest.mark.slow
def test_a_comparison_leaves_all_that_describes_it(finished, table_file):
    folder, printed = finished
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    searches = {f"searches/random/budget-10-seed-{seed}.csv" for seed in range(3)} | {
        f"searches/q-learning,sweeps=5/budget-{budget}-seed-{seed}.csv"
        for budget in (5, 10)
        for seed in range(3)
    }
    reports = {f"comparison.{suffix}" for suffix in ("csv", "md", "svg", "png")}
    assert files == searches | reports | {"comparison.toml", "environment.json", "lock"}
    assert (folder / "comparison.csv").read_text() == printed
    settings = tomllib.loads((folder / "comparison.toml").read_text())
    assert settings["budgets"] == [5, 10]
    assert settings["options"] == {"space": "macro", "evaluator": "table", "table": table_file}
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["evaluator"]["networks"] == 3**8
    assert environment["evaluator"]["best mean accuracy"] == OPTIMUM / 100
    assert "numpy" in environment["packages"]
    assert open_comparison(folder).budgets == (5, 10)


@pytest.mark.slow
def test_the_table_is_that_of_the_files(finished):
    """The same numbers from the files, with neither pandas nor the code under test."""
    folder, printed = finished
    entries = table_entries()
    digits = {"ID": "0", "MB(3,3)": "1", "MB(6,5)": "2"}
    table = list(csv.DictReader(StringIO(printed)))
    assert len(table) == 2 * 2 * 2
    handed_over = {}
    for line in table:
        budget, agent = int(line["budget"]), line["agent"]
        size = budget if agent.startswith("q-learning") else 10
        regrets = []
        for seed in range(3):
            path = folder / "searches" / agent / f"budget-{size}-seed-{seed}.csv"
            with path.open() as file:
                networks = list(csv.DictReader(file))[:budget]
            best = sorted(networks, key=lambda network: -float(network["reward"]))
            chosen = best[: 1 if line["choice"] == "handed over" else 10]
            keys = ["".join(digits[b] for b in n["network"][1:-1].split(", ")) for n in chosen]
            regrets.append(OPTIMUM - max(entries[key]["mean_acc"] for key in keys))
        assert line["seeds"] == "3"
        assert float(line["mean"]) == pytest.approx(statistics.mean(regrets))
        assert float(line["median"]) == pytest.approx(statistics.median(regrets))
        if line["choice"] == "handed over":
            handed_over[budget, agent] = regrets
            if agent != "random":
                pairs = zip(regrets, handed_over[budget, "random"], strict=True)
                assert float(line["difference"]) == pytest.approx(
                    statistics.mean(own - other for own, other in pairs)
                )


@pytest.mark.slow
def test_searches_are_not_repeated(folder, finished, table_file):
    before = times(folder)
    removed = search_path(folder, "random", 10, 1)
    content = untimed(removed.read_text())
    removed.unlink()
    (folder / "comparison.csv").unlink()
    result = call(folder, table_file, "--format", "csv")
    assert result.exit_code == 0, result.output
    assert untimed(result.output) == untimed(finished[1])
    after = times(folder)
    assert [path for path in before if before[path] != after[path]] == [removed]
    assert untimed(removed.read_text()) == content


@pytest.mark.slow
def test_one_job_finds_what_two_find(tmp_path, finished, table_file):
    result = call(tmp_path / "c", table_file, "--format", "csv", jobs="1")
    assert untimed(result.output) == untimed(finished[1])
    for path in times(finished[0]):
        other = tmp_path / "c" / path.relative_to(finished[0])
        assert untimed(other.read_text()) == untimed(path.read_text())


@pytest.mark.slow
def test_all_searches_of_the_folder_are_in_the_table(folder, table_file):
    """Also those that something else wrote."""
    for seed in range(3):
        shutil.copyfile(
            search_path(folder, "random", 10, seed),
            search_path_made(folder, "my sampler", 10, seed),
        )
    result = call(folder, table_file, "--reference", "my sampler", "--format", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)
    assert {row["agent"] for row in rows} == {"random", "q-learning,sweeps=5", "my sampler"}
    differences = [row["difference"] for row in rows if row["agent"] == "random"]
    assert differences == [0, 0, 0, 0]


@pytest.mark.slow
def test_costs_are_in_the_table(folder, table_file):
    result = call(folder, table_file, "--until", "9", "--format", "json")
    assert result.exit_code == 0, result.output
    rows = [row for row in json.loads(result.output) if row["choice"] == "handed over"]
    assert {row["until"] for row in rows} == {9}
    assert all(row["agent_milliseconds"] > 0 for row in rows)
    # the same by counting lines
    for row in rows:
        size = row["budget"] if row["agent"] != "random" else 10
        there = 0
        for seed in range(3):
            path = search_path(folder, row["agent"], size, seed)
            found = pd.read_csv(path).head(row["budget"])
            handed = [found.loc[found["reward"].head(n).idxmax()] for n in range(1, len(found) + 1)]
            there += any(100 * network["expected"] >= OPTIMUM - 9 for network in handed)
        assert row["share_until"] == there / 3


@pytest.mark.slow
def test_a_folder_without_times_is_read(folder, table_file):
    for path in times(folder):
        pd.read_csv(path, dtype=str).drop(columns="agent_seconds").to_csv(path, index=False)
    result = call(folder, table_file, "--format", "csv")
    assert result.exit_code == 0, result.output
    assert "agent_milliseconds" not in result.output


@pytest.mark.slow
def test_a_regret_is_not_waited_for_where_none_is_known(tmp_path):
    arguments = ["compare", str(tmp_path / "c"), "--agent", "random", "--budgets", "2"]
    arguments += ["--space", "digits", "--dataset", "digits", "--until", "0.5"]
    refused(CliRunner().invoke(main, arguments), "until is 0.5, a regret, which is not known")
    assert not (tmp_path / "c").exists()


def search_path_made(*place):
    path = search_path(*place)
    path.parent.mkdir(exist_ok=True)
    return path


@pytest.mark.slow
def test_seeds_and_agents_may_be_added(folder, table_file):
    before = times(folder)
    alone = ["--agent", "random,start-from=['00000000']"]
    result = call(folder, table_file, "--seeds", "1", "--format", "json", agents=alone)
    assert result.exit_code == 0, result.output
    assert {row["agent"] for row in json.loads(result.output)} == {*alone[1:], *labels(folder)}
    after = times(folder)
    assert all(after[path] == before[path] for path in before)
    assert len(after) == len(before) + 1
    found = read_searches(folder)
    first = found[(found["agent"] == alone[1]) & (found["number"] == 1)]
    assert first["network"].tolist() == ["[ID, ID, ID, ID, ID, ID, ID, ID]"]


@pytest.mark.slow
def test_other_options_are_refused(folder, table_file, tmp_path):
    refused(call(folder, table_file, budgets="5,20"), "budgets [5, 10], not [5, 20]", str(folder))
    refused(call(folder, table_file, "--reward", "nas"), "reward None, not 'nas'")
    moved = Path(shutil.copyfile(table_file, tmp_path / "moved.json"))
    assert call(folder, str(moved)).exit_code == 0
    table = json.loads(moved.read_text())
    table["00000000"]["mean_acc"] += 0.5
    moved.write_text(json.dumps(table))
    refused(call(folder, str(moved)), "what the evaluator reads has changed")
    (tmp_path / "c2").mkdir()
    refused(call(tmp_path / "c2", table_file), "c2 is not the folder of a comparison")


@pytest.mark.slow
def test_code_that_only_the_folder_names_is_not_imported(folder, table_file, monkeypatch):
    (folder / "stranger.py").write_text("open('code has run', 'w')")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    path = folder / "comparison.toml"
    text = path.read_text().replace("[options]", '[options]\nreward = "stranger:best"')
    path.write_text(text.replace('evaluator = "table"', 'evaluator = "stranger:evaluate"'))
    refused(call(folder, table_file), "stranger:", "not imported")
    assert not Path("code has run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agents", "more", "parts"),
    [
        (["--agent", "q-lerning"], [], ["'q-lerning'", "q-learning"]),
        (["--agent", "q-learning,alpa=1"], [], ["alpa", "alpha"]),
        (["--agent", "q-learning,alpha=x"], [], ["alpha", "'x'"]),
        (["--agent", "random"], ["--budgets", "5,0"], ["budgets", "5,0"]),
        (["--agent", "random"], ["--budgets", "five"], ["budgets", "five"]),
        (["--agent", "random"], ["--table", "missing.json"], ["missing.json"]),
        (["--agent", "random"], ["--reference", "randon"], ["'randon'", "random"]),
        (["--agent", "random"], ["--space", "maccro"], ["'maccro'", "macro"]),
        (["--agent", "random"], ["--start-from", "[SM(10)]"], ["start-from", "SM(10)"]),
        ([], [], ["--agent"]),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path, table_file, agents, more, parts):
    refused(call(tmp_path / "c", table_file, *more, agents=agents), *parts)
    assert not (tmp_path / "c").exists()


@pytest.mark.slow
def test_a_damaged_search_is_named(folder, table_file):
    search_path(folder, "random", 10, 1).write_text("number,reward\n1,0.5\n")
    refused(call(folder, table_file), "budget-10-seed-1.csv")
    search_path(folder, "random", 10, 1).write_text("")
    refused(call(folder, table_file), "budget-10-seed-1.csv cannot be read")


@pytest.mark.slow
def test_two_processes_cannot_work_on_one_comparison(folder, table_file):
    with FileLock(folder / "lock"):
        refused(call(folder, table_file), "another process is working on")


@pytest.mark.slow
def test_a_search_that_cannot_go_on_ends_the_comparison_and_is_named(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"00000000": {"test_acc": [50.0], "mean_acc": 50.0}}))
    result = call(tmp_path / "c", str(path), budgets="50")
    assert result.exit_code == 1
    line = result.output.strip().splitlines()[-1]
    assert "seed " in line and "10 networks in a row failed" in line and "the table has no" in line


@pytest.mark.slow
def test_an_early_end_leaves_other_child_processes_alone(tmp_path):
    """They are the caller's."""
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"00000000": {"test_acc": [50.0], "mean_acc": 50.0}}))
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    child.start()
    try:
        assert call(tmp_path / "c", str(path), budgets="50").exit_code == 1
        assert child.is_alive()
        assert multiprocessing.active_children() == [child]
    finally:
        child.kill()
        child.join()


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_keeps_finished_searches(tmp_path, table_file):
    folder = tmp_path / "c"
    command = [sys.executable, "-m", "metaqnn", "compare", str(folder), "--agent", "random"]
    command += ["--budgets", "4000", "--seeds", "40", "--jobs", "2", "--space", "macro"]
    with subprocess.Popen(
        [*command, "--evaluator", "table", "--table", table_file],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # else a background job, in which SIGINT is ignored, hands that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 120
        while not (found := times(folder)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert found
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    (line,) = errors.strip().splitlines()
    assert line.startswith("stopped after ")
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    for path in times(folder):
        assert len(pd.read_csv(path)) == 4000
