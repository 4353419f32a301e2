"""The command line as its user sees it: outputs, and bad input answered in one line with exit 2."""

import gzip
import json
import re
import sqlite3
import subprocess
import sys
import tomllib
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from metaqnn.cli import COMMANDS
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.spaces import bind_space, made_for, read_space
from state_space import random_walk
from tests.helpers.commands import FAST, refused
from tests.helpers.tables import macro_table


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(invoke, command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {command}")


def test_every_key_of_the_configuration_is_an_option(invoke):
    for chosen in ([], ["--agent", "reinforce", "--executor", "ray", "--halving"]):
        text = invoke("run", *chosen, "--help").output
        options = dict(zip([one[2:] for one in chosen[::2]], chosen[1::2], strict=False))
        config = RunConfig.from_flat(options | ({"halving": True} if chosen else {}))
        assert len(config.keys()) > 50
        for name in config.values():
            assert f"--{name.replace('_', '-')}" in text


def test_a_run_leaves_all_that_describes_it(finished, tmp_path):
    folder = tmp_path / "results" / "r"
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["budget"] == 4
    assert config["epsilon-schedule"] == "1.0:1,0.5:3"
    assert config["batch-size"] == 64
    assert RunConfig.from_flat(config).flat() == config
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["command"][0] == "metaqnn"
    assert environment["evaluator"] == {"device": "cpu"}
    assert environment["packages"]["torch"]
    assert 0 < len(list((folder / "networks").glob("*.safetensors"))) <= 4
    assert tomllib.loads((folder / "space.toml").read_text())["made-for"] == "digits"


@pytest.mark.slow
def test_the_configuration_of_a_run_runs_again_and_the_command_line_wins(finished, tmp_path):
    config = str(tmp_path / "results" / "r" / "config.toml")
    assert finished("run", "--config", config, "--name", "same", "--quiet").exit_code == 0
    assert (
        finished("run", "--config", config, "--seed", "1", "--name", "other", "--quiet").exit_code
        == 0
    )
    first, same, other = (
        networks(finished("top-k", f"results/{name}", "--format", "json").output)
        for name in ("r", "same", "other")
    )
    assert first == same
    assert first != other


def networks(text):
    return [(row["network"], row["accuracy"]) for row in json.loads(text)]


def test_top_k_in_all_formats(finished):
    table = finished("top-k", "results/r", "-k", "2").output.splitlines()
    assert table[0].split() == [
        "rank",
        "accuracy",
        "parameters",
        "multiply-adds",
        "seconds",
        "found",
        "epsilon",
        "network",
    ]
    assert len(table) == 4
    markdown = finished("top-k", "results/r", "-k", "2", "--format", "markdown").output
    assert markdown.startswith("|") and markdown.count("\n") == 4
    rows = json.loads(finished("top-k", "results/r", "--format", "json").output)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert sorted((row["accuracy"] for row in rows), reverse=True) == [
        row["accuracy"] for row in rows
    ]
    csv = pd.read_csv(StringIO(finished("top-k", "results/r", "--format", "csv").output))
    assert csv["network"].tolist() == [row["network"] for row in rows]
    assert csv["accuracy"].tolist() == [row["accuracy"] for row in rows]


def test_the_layout_of_2017_is_for_chains(invoke):
    run = invoke("run", "--space", "nas-digits", "--name", "n", "--budget", "0", "--quiet")
    assert run.exit_code == 0, run.output
    refused(invoke("q-table", "results/n", "--layout", "metaqnn2017"), "is for chains")


def test_the_q_table_goes_out_and_warm_starts_a_run(finished, tmp_path):
    assert finished("q-table", "results/r", "--csv", "q.csv").output.endswith("written to q.csv\n")
    assert (
        finished("q-table", "results/r", "--layout", "metaqnn2017", "--csv", "l.csv").exit_code == 0
    )
    assert list(pd.read_csv("l.csv"))[0] == "end_fc_size"
    values = {}
    for name in ("q", "l"):
        arguments = ["--q-table", f"{name}.csv", "--name", name, "--budget", "0", "--quiet"]
        result = finished("run", *arguments)
        assert result.exit_code == 0, result.output
        output = pd.read_csv(StringIO(finished("q-table", f"results/{name}").output))
        values[name] = output.drop(columns="visits").sort_values(list(output)[:9])
    original = pd.read_csv("q.csv").drop(columns="visits").sort_values(list(values["q"])[:9])
    np.testing.assert_array_equal(values["q"]["q"], original["q"])
    np.testing.assert_array_equal(values["l"]["q"], original["q"])


def test_resume_extends_a_run(finished):
    assert finished("resume", "results/r", "--budget", "6", "--quiet").exit_code == 0
    rows = json.loads(finished("top-k", "results/r", "-k", "9", "--format", "json").output)
    assert len(rows) == 6


def test_a_run_of_an_older_program_has_the_defaults_of_options_that_were_unknown(finished):
    config = Path("results/r/config.toml")
    config.write_text(config.read_text().replace("nesterov = false\n", ""))
    with sqlite3.connect("results/r/memory.sqlite") as memory:
        memory.execute(
            "UPDATE run SET value = json_remove(value, '$.nesterov') WHERE key = 'configuration'"
        )
    resumed = finished("resume", "results/r", "--budget", "5", "--quiet")
    assert resumed.exit_code == 0, resumed.output
    assert "nesterov = false" in config.read_text()


def test_it_learns_from_a_log_of_2017_without_training(invoke, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text(
        "net,accuracy_best_val\n"
        '"[C(8,3,1), C(8,3,1), D(1,1), SM(10)]",0.9\n"[C(8,3,1), SM(10)]",0.3\n'
    )
    arguments = ["--replay-from", str(log), "--budget", "0", "--name", "r"]
    result = invoke("run", *arguments, "--sweeps", "10")
    assert result.exit_code == 0, result.output
    assert "0 networks trained" in result.output
    frame = pd.read_csv(StringIO(invoke("q-table", "results/r").output))
    assert frame["visits"].sum() == 5
    assert frame.query("action == 'SM(10)' and depth == 2")["q"].item() > 0.5
    log.unlink()  # the folder has its own copy
    assert invoke("resume", "results/r", "--quiet").exit_code == 0


def test_a_name_that_is_taken_is_refused(finished):
    refused(finished("run", "--name", "r", *FAST), "results/r exists", "metaqnn resume results/r")


def test_without_a_name_the_next_number_is_taken(invoke, tmp_path):
    for _ in range(2):
        assert invoke("run", *FAST, "--budget", "0").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        "digits-1",
        "digits-2",
    ]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--dataset", "mnits"], ["there is no data set 'mnits'; did you mean mnist?"]),
        (["--agent", "q-lerning"], ["there is no agent 'q-lerning'; did you mean q-learning?"]),
        (["--space", "digit"], ["there is no space 'digit'; did you mean digits?"]),
        (["--space", "missing.toml"], ["missing.toml cannot be read"]),
        (["--device", "cuda:99"], ["there is no device 'cuda:99' here; there is cpu"]),
        (["--epsilon-schedule", "1.0:x"], ["'1.0:x' is not EPSILON:NETWORKS"]),
        (["--epsilon-schedule", "1.5:3"], ["1.5 is not from 0 to 1"]),
        (["--epsilon-schedule", "0.1:3,0.2:3"], ["epsilon must fall"]),
        (["--epsilon-schedule", ""], ["'' is not EPSILON:NETWORKS"]),
        (["--epochs", "0"], ["epochs is 0: input should be greater than 0"]),
        (["--alpha", "2"], ["alpha is 2.0: input should be less than or equal to 1"]),
        (["--learning-rate", "nan"], ["learning-rate is nan"]),
        (["--budget", "-1"], ["budget is -1"]),
        (["--budget", "many"], ["'many' is not a valid int"]),
        (["--budgett", "3"], ["No such option"]),
        (["--validation", "3"], ["3 of 1437 images for validation"]),
        (["--dataset", "npz:missing.npz"], ["missing.npz cannot be read"]),
        (["--dataset", "mnist", "--data-dir", "."], ["MNIST is not in ."]),
        (["--replay-from", "missing.csv"], ["missing.csv"]),
        (["--q-table", "missing.csv"], ["missing.csv"]),
        (["--config", "missing.toml"], ["missing.toml cannot be read"]),
        (["--name", "../a"], ["the name '../a' must be letters, digits"]),
    ],
)
def test_bad_options_are_answered_in_one_line(invoke, tmp_path, arguments, parts):
    refused(invoke("run", *arguments), *parts)
    assert not (tmp_path / "results").exists() or not any((tmp_path / "results").iterdir())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("epochss = 3", ["unknown option epochss; did you mean epochs?"]),
        ("epochs = 'three'", ["epochs is 'three': input should be a valid integer"]),
        ("epochs = ", ["cannot be read"]),
        ("[epochs]\nx = 1", ["epochs is {'x': 1}"]),
        ("agent = 3", ["agent is 3: input should be a valid string"]),
        ("name = 3", ["name is 3"]),
        ("quiet = 'yes'", ["quiet is 'yes'"]),
    ],
)
def test_bad_configurations_are_answered_in_one_line(invoke, tmp_path, text, parts):
    (tmp_path / "run.toml").write_text(text)
    refused(invoke("run", "--config", "run.toml"), *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("max-dept = 3", ["unknown key max-dept; did you mean max-depth?", "max-depth is missing"]),
        ("space = 'chian'", ["there is no kind of space 'chian'; did you mean chain?"]),
        ("max-depth = ", ["cannot be read"]),
    ],
)
def test_bad_spaces_are_answered_in_one_line(invoke, tmp_path, text, parts):
    (tmp_path / "my.toml").write_text(text)
    refused(invoke("run", "--space", "my.toml"), *parts)
    refused(invoke("space", "my.toml"), *parts)


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ('"[SM(10)]",1.5', ["line 3", "accuracy_best_val must be a number from 0 to 1"]),
        ('"[X(1), SM(10)]",0.5', ["line 3", "character 2", "unknown layer 'X'"]),
        ('"[C(8,3,1) SM(10)]",0.5', ["line 3", "character 11", "expected ','"]),
        ('"[C(999,3,1), SM(10)]",0.5', ["line 3", "position 1: C(999,3,1) is not allowed here"]),
    ],
)
def test_a_row_of_a_log_that_makes_no_sense_is_refused_with_its_line(invoke, tmp_path, row, parts):
    (tmp_path / "log.csv").write_text(f'net,accuracy_best_val\n"[SM(10)]",0.5\n{row}\n')
    refused(invoke("run", "--replay-from", "log.csv", "--quiet"), *parts)
    assert not (tmp_path / "results").exists() or not any((tmp_path / "results").iterdir())


def test_a_q_table_of_another_space_is_refused(invoke, tmp_path):
    (tmp_path / "q.csv").write_text("layer,q\nC,0.5\n")
    refused(invoke("run", "--q-table", "q.csv", *FAST), "the Q-table has no column")
    result = invoke("run", "--q-table", "q.csv", "--agent", "random", *FAST)
    refused(result, "q-table is an option of the agent q-learning, and the agent is random")


@pytest.mark.parametrize("command", ["resume", "top-k", "trials", "plot", "report", "q-table"])
def test_a_folder_that_is_no_run_is_refused(invoke, command):
    refused(invoke(command, "nowhere"), "nowhere is not the folder of a run")


@pytest.mark.parametrize("command", ["resume", "top-k", "trials", "plot", "report", "q-table"])
def test_a_damaged_memory_is_refused(finished, tmp_path, command):
    (tmp_path / "results" / "r" / "memory.sqlite").write_bytes(b"damaged" * 1000)
    refused(finished(command, "results/r"), "is no replay memory or is damaged")


@pytest.mark.parametrize("command", ["resume", "top-k", "trials", "plot", "report", "q-table"])
def test_another_configuration_is_refused_with_both_values(finished, tmp_path, command):
    config = tmp_path / "results" / "r" / "config.toml"
    config.write_text(config.read_text().replace("epochs = 1\n", "epochs = 2\n"))
    refused(finished(command, "results/r"), "another run: epochs is 1 there and 2 here")


@pytest.mark.slow
def test_a_memory_that_is_locked_is_told_in_one_line(finished, tmp_path):
    connection = sqlite3.connect(tmp_path / "results" / "r" / "memory.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = finished("resume", "results/r", "--budget", "5", "--quiet")
    finally:
        connection.close()
    assert result.exit_code == 1
    assert "database is locked" in result.output
    assert isinstance(result.exception, SystemExit)


def test_the_random_agent_has_no_q_table(invoke):
    assert invoke("run", "--agent", "random", "--name", "r", *FAST).exit_code == 0
    refused(invoke("q-table", "results/r"), "results/r has no Q-table: its agent is random")
    assert invoke("top-k", "results/r").exit_code == 0


def test_show(invoke):
    lines = invoke("show", "[C(64,3,1), P(2,2), SM(10)]", "--input", "3x32x32").output.splitlines()
    assert lines[3].split() == ["0", "C(64,3,1)", "64x32x32", "1,792", "1,769,472"]
    assert lines[-1].split() == ["total", "165,642", "1,933,312"]


def test_show_says_what_the_layers_of_a_graph_read(invoke):
    text = "[CB(8,3,5,1,1), MP(3,3,2,2)@-1, AP(3,3,1,1)@-1,0, SM(10)@0,1,2]"
    lines = invoke("show", text, "--input", "1x8x8").output.splitlines()
    assert [line.split()[:3] for line in lines[2:7]] == [
        ["-1", "input", "1x8x8"],
        ["0", "CB(8,3,5,1,1)", "8x8x8"],
        ["1", "MP(3,3,2,2)@-1", "1x4x4"],
        ["2", "AP(3,3,1,1)@-1,0", "9x8x8"],
        ["3", "SM(10)@0,1,2", "10"],
    ]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["[C(64,3,1), X(1), SM(10)]"], "character 13: unknown layer 'X'"),
        (["[P(3,2), SM(10)]", "--input", "3x2x2"], "layer 1, P(3,2): a field of 3 does not fit"),
        (["[SM(10)]", "--input", "32x32"], "'32x32' is not CHANNELSxHEIGHTxWIDTH"),
    ],
)
def test_show_says_what_is_wrong_and_where(invoke, arguments, part):
    refused(invoke("show", *arguments), part)


@pytest.mark.parametrize("name", ["practical", "nasnet-small", "block-qnn-small", "nas-digits"])
def test_show_reads_the_words_of_a_space(invoke, name):
    mapping = read_space(name)
    task = made_for(mapping)
    space = bind_space(mapping, task.shape, len(task.outputs))
    walk = random_walk(space, np.random.default_rng(0))
    shape = "x".join(map(str, task.shape))
    shown = invoke("show", space.text(walk), "--space", name, "--input", shape)
    told = invoke("show", space.architecture(walk).text, "--input", shape)
    assert shown.exit_code == 0
    assert shown.output == told.output


def test_train_reads_the_words_of_a_space(invoke):
    limits = ["--dataset", "digits", "--epochs", "1", "--train-limit", "60", "--device", "cpu"]
    words = "2 | x1 stride 1 plain 3x3 | x1 stride 1 plain 3x3 | mean"
    found = invoke("train", words, "--space", "practical", *limits)
    assert found.exit_code == 0
    # 1 and 16 channels into 16, by 3x3 with batch norm, and 16 values into 10 classes
    assert f"{16 * 9 + 32 + 4 * (16 * 16 * 9 + 32) + 170:,} parameters" in found.output
    refused(invoke("train", words, *limits), "--space NAME")


def test_words_of_no_space_are_refused_with_the_way_to_it(invoke):
    refused(invoke("show", "3 | x2 stride 1 plain 3x3 | max"), "--space NAME")
    refused(invoke("show", "3 | x9 | max", "--space", "practical"), "'x9' is not a width")


def test_space(invoke):
    text = invoke("space", "metaqnn-cifar10").output
    assert "states              621" in text
    assert "architectures       289,172,459,552,993,535,842" in text
    assert "P(5,3) P(3,2) P(2,2)" in text
    other = invoke("space", "digits", "--input", "1x4x4", "--classes", "2").output
    assert "for 1x4x4 images of 2 classes" in other
    assert "metaqnn-svhn" in invoke("space").output
    assert "height:1 height:3 height:5\n" in invoke("space", "nas-digits").output


def test_datasets(invoke):
    text = invoke("datasets").output
    for name in ("digits", "fashion-mnist", "cifar100", "npz:FILE", "folder:DIR"):
        assert name in text


def test_an_unknown_command_gets_the_nearest(invoke):
    refused(invoke("topk"), "there is no command 'topk'; did you mean top-k?")


def test_run_config_refuses_what_no_option_can_say():
    with pytest.raises(MetaqnnError, match="initial-q is inf"):
        RunConfig.from_flat({"initial-q": float("inf")})


def test_the_papers_schedule_brings_its_budget():
    config = RunConfig.from_flat({"epsilon-schedule": "paper", "dataset": "cifar10"})
    assert (config.run.budget, config.run.space) == (2700, "metaqnn-cifar10")
    assert RunConfig.from_flat({"epsilon-schedule": "1.0:20,0.5:10"}).run.budget == 30
    paper = RunConfig.from_flat({"budget": 200, "q-preset": "paper"}).parts["agent"]
    assert paper.epsilon_schedule.startswith("1.0:111,")


def test_ctrl_c_says_how_to_resume_and_exits_with_130(invoke, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("metaqnn.search.trainings.attempt", interrupted)
    result = invoke("run", "--name", "r", *FAST)
    assert result.exit_code == 130
    assert result.output == "stopped after 0 of 4 networks; `metaqnn resume results/r` goes on\n"
    monkeypatch.undo()


def break_show(monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr("metaqnn.networks.cost.layer_costs", broken)


def test_what_nobody_expected_is_told_in_one_line_and_traced_back_on_demand(invoke, monkeypatch):
    break_show(monkeypatch, KeyError("no such\nthing"))
    result = invoke("show", "[SM(10)]")
    assert result.exit_code == 1
    assert result.output == (
        "Error: KeyError: 'no such\\nthing'; run with --debug for the traceback\n"
    )
    result = invoke("--debug", "show", "[SM(10)]")
    assert result.exit_code == 1
    first, *_, last = result.output.splitlines()
    assert first.startswith("Traceback") and "in broken" in result.output
    assert last == "Error: KeyError: 'no such\\nthing'"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MetaqnnError("bad input"), 2, "Error: bad input"),
        (OSError("no room"), 1, "Error: no room"),
        (sqlite3.OperationalError("locked"), 1, "Error: the replay memory cannot be read or "),
    ],
)
def test_debug_shows_where_our_own_errors_come_from(invoke, monkeypatch, error, code, line):
    break_show(monkeypatch, error)
    plain, traced = invoke("show", "[SM(10)]"), invoke("--debug", "show", "[SM(10)]")
    assert plain.exit_code == traced.exit_code == code
    assert plain.output.startswith(line) and plain.output.count("\n") == 1
    assert traced.output.startswith("Traceback") and "in broken" in traced.output
    assert traced.output.endswith(plain.output)


def test_a_training_that_fails_shows_its_own_traceback(invoke, monkeypatch):
    def broken(*_, **__):
        raise ValueError("no such network")

    monkeypatch.setattr("metaqnn.evaluators.image_lesson.train", broken)
    arguments = ["train", "[SM(10)]", "--device", "cpu"]
    assert "in broken" in invoke("--debug", *arguments).output
    (line,) = invoke(*arguments).output.splitlines()
    assert line == "Error: [SM(10)] failed: ValueError: no such network"


def test_usage_is_told_as_before_with_debug_too(invoke):
    assert invoke("--debug", "show").exit_code == 2
    assert "Traceback" not in invoke("--debug", "show").output
    assert invoke("--debug", "show", "--help").exit_code == 0


def test_a_changed_budget_is_kept(finished, tmp_path):
    assert finished("resume", "results/r", "--budget", "5", "--quiet").exit_code == 0
    config = tomllib.loads((tmp_path / "results" / "r" / "config.toml").read_text())
    assert config["budget"] == 5


def test_name_results_and_quiet_may_stand_in_the_configuration(invoke, tmp_path):
    (tmp_path / "run.toml").write_text(
        'name = "mine"\nresults-dir = "out"\nquiet = true\nbudget = 0\n'
    )
    result = invoke("run", "--config", "run.toml")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "out" / "mine" / "config.toml").exists()


def make_npz(path, size, classes):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, size, size), dtype=np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(40) % classes)


def test_data_that_is_gone_or_changed_is_refused_on_resume(invoke, tmp_path):
    make_npz(tmp_path / "a.npz", 8, 2)
    options = ["--dataset", "npz:a.npz", "--space", "digits", "--name", "r", *FAST]
    assert invoke("run", *options, "--validation", "8").exit_code == 0
    make_npz(tmp_path / "a.npz", 8, 4)
    more = ["resume", "results/r", "--budget", "9", "--quiet"]
    refused(invoke(*more), "in 4 classes; the run was made for (1, 8, 8) in 2")
    (tmp_path / "a.npz").unlink()
    refused(invoke(*more), "a.npz cannot be read")
    rows = json.loads(invoke("top-k", "results/r", "-k", "9", "--format", "json").output)
    assert len(rows) == 4


def test_a_second_process_on_a_run_is_refused(finished, tmp_path):
    with FileLock(tmp_path / "results" / "r" / "lock"):
        refused(
            finished("resume", "results/r", "--budget", "5"),
            "another process is working on results/r",
        )
        assert finished("top-k", "results/r").exit_code == 0


@pytest.mark.slow
def test_the_real_log_of_2017_teaches_without_any_images(invoke, real_data):
    log = real_data("metaqnn_log/replay_database.csv.gz")
    options = ["--dataset", "svhn", "--replay-from", str(log), "--budget", "0", "--sweeps", "2"]
    result = invoke("run", "--name", "r", *options)
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(StringIO(invoke("q-table", "results/r").output))
    # each of the 1,910 rows took one first layer, and each of its other layers
    assert frame.query("layer == 'start'")["visits"].sum() == 1910
    assert frame["visits"].sum() == 10396 + 1910 + 1793 + 664 + 343


@pytest.mark.parametrize("name", ["log.csv.gz", "q.csv.gz"])
def test_broken_archives_are_answered_in_one_line(invoke, tmp_path, name):
    content = bytearray(gzip.compress(b"net,accuracy_best_val\n" * 1000))
    content[15:25] = b"\xff" * 10
    (tmp_path / name).write_bytes(content)
    option = "--replay-from" if name.startswith("log") else "--q-table"
    refused(invoke("run", option, name, *FAST), f"{name} cannot be read")


def test_a_row_of_a_2017_q_table_that_does_not_fit_is_refused_with_its_line(invoke, real_data):
    table = real_data("metaqnn_log/q_values.csv.gz")
    options = ["--q-table", str(table), "--budget", "0"]
    refused(invoke("run", *options), "of the Q-table: ", "is not in this space")
    pd.read_csv(table).drop(columns="start_image_size").to_csv("cut.csv", index=False)
    refused(invoke("run", "--q-table", "cut.csv", "--budget", "0"), "no column start_image_size")


@pytest.mark.slow
def test_a_search_of_a_table_needs_no_images_and_resumes_with_the_same_table_only(invoke, tmp_path):
    macro_table(tmp_path / "table.json")
    options = ["--space", "macro", "--evaluator", "table", "--table", "table.json", "--name", "t"]
    result = invoke("run", *options, "--budget", "12")
    assert result.exit_code == 0
    assert "12 networks trained, 0 of them failed" in result.output
    assert "networks: 6561" in result.stderr
    assert invoke("resume", "results/t", "--budget", "14").exit_code == 0
    assert (
        len(json.loads(invoke("top-k", "results/t", "-k", "99", "--format", "json").stdout)) == 14
    )
    macro_table(tmp_path / "table.json", best=50.0)
    changed = invoke("resume", "results/t", "--budget", "16")
    refused(changed, "has changed since results/t was made")
    refused(invoke("run", "--space", "macro", "--budget", "2"), "cannot be built, only looked up")
    limited = [*options[:-1], "u", "--max-flops", "1000"]
    refused(invoke("run", *limited), "need networks that read images and can be built")
    refused(invoke("run", *options[:4]), "--table FILE")
    assert not (tmp_path / "results" / "u").exists()


@pytest.mark.slow
def test_human_designs_are_trained_first_and_large_networks_refused(invoke, tmp_path):
    designs = ["[C(8,3,1), P(2,2), SM(10)]", "[GAP(10), SM(10)]"]
    options = [option for text in designs for option in ("--start-from", text)]
    result = invoke(
        "run", "--name", "s", "--budget", "6", "--epochs", "1", "--max-parameters", "5000", *options
    )
    assert result.exit_code == 0
    assert re.search(r"[1-9]\d* refused as too large; the budget is spent", result.output)
    found = pd.read_csv(StringIO(invoke("top-k", "results/s", "-k", "9", "--format", "csv").stdout))
    assert len(found) == 6
    assert found["parameters"].max() <= 5000
    assert found.sort_values("found")["network"].tolist()[:2] == designs
    config = tomllib.loads((tmp_path / "results" / "s" / "config.toml").read_text())
    assert config["start-from"] == designs
    refused(invoke("run", "--start-from", "[C(7,3,1), SM(10)]"), "start-from '[C(7,3,1), SM(10)]'")
    refused(invoke("run", "--reward", "scor"), "no reward 'scor'; did you mean score")


def test_an_error_about_a_long_text_leaves_its_middle_out(invoke):
    result = invoke("train", f"[{'C(8,3,1), ' * 10_000}X(1)]")
    refused(result, "Error: '[C(8,3,1)", "[...]", "unknown layer 'X'")
    assert len(result.output) < 1200


@pytest.mark.slow
def test_no_module_beside_a_stranger_s_run_is_imported(invoke, tmp_path):
    assert invoke("run", "--name", "r", *FAST).exit_code == 0
    config = tmp_path / "results" / "r" / "config.toml"
    config.write_text(re.sub("^agent = .*", 'agent = "evil:src"', config.read_text(), flags=re.M))
    (tmp_path / "evil.py").write_text('print("CODE RUNS")')
    command = [sys.executable, "-m", "metaqnn", "top-k", "results/r"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and "CODE RUNS" not in done.stdout
    assert "belongs to another run: agent is" in done.stderr
    command[3] = "resume"
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and "CODE RUNS" not in done.stdout
    assert "config.toml names the agent evil:src, whose code would be imported" in done.stderr


def test_toml_that_is_nested_too_deeply_is_told(invoke, tmp_path):
    (tmp_path / "deep.toml").write_text("a=" + "[" * 5000 + "]" * 5000)
    refused(invoke("run", "--config", "deep.toml"), "deep.toml cannot be read")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("C:\\pictures", "there is no data set, file or folder"),
        ("ftp:foo", "No module named 'ftp'"),
        ("s3://bucket/x.npz", "is an address: download it"),
        ("https://a.b/x.npz", "is an address: download it"),
    ],
)
def test_a_data_set_of_another_form_says_which_there_are(invoke, name, problem):
    refused(invoke("check", name), problem, "a data set is npz:FILE, folder:DIR, text:FILE")


def test_a_folder_is_no_file_of_options(finished_run, invoke, tmp_path):
    message = "is a folder, and a TOML file is wanted"
    (tmp_path / "empty").mkdir()
    for option in ("--config", "--space"):
        refused(invoke("run", option, f"{tmp_path}/empty"), f"Error: {tmp_path}/empty {message}")
    result = invoke("run", "--config", str(finished_run))
    refused(result, f"{finished_run} {message}: {finished_run}/config.toml")
    refused(invoke("run", "--config", "no.toml"), "no.toml cannot be read: No such file")
