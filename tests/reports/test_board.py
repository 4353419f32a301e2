"""What TensorBoard reads of a search: event files, read back with its own reader."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from metaqnn.reports.tensorboard import HYPERPARAMETERS, METRICS, Board
from metaqnn.runs.run import open_run
from metaqnn.task import accuracy
from replay import Memory, Outcome
from tests.helpers.commands import FAST, refused
from tests.helpers.searches import hash_score, make_search


def read(folder):
    """The scalars of a run by their tags, each as (step, value)."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, pytest.approx(event.value, rel=1e-6)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def read_hyperparameters(folder):
    """What the plugin for hyperparameters reads, by its tags."""
    events = EventAccumulator(str(folder))
    events.Reload()
    content = events.PluginTagToContent("hparams")
    return {tag: HParamsPluginData.FromString(data) for tag, data in content.items()}


def trained(path):
    """What a run's memory says of its distinct networks."""
    memory = open_run(path).memory()
    found = list(memory.trained())
    memory.close()
    return found


def check_whole(path):
    """TensorBoard's files of a run say what its memory says, and every network is there once."""
    found = trained(path)
    folder = path / "tensorboard"
    names = [f"{trial.number:05}" for trial, *_ in found]
    assert sorted(entry.name for entry in folder.iterdir()) == [*sorted(names), "search"]
    assert not folder.with_name("tensorboard.partial").exists()
    for step, (name, (_, outcome, reward)) in enumerate(zip(names, found, strict=True), start=1):
        scalars = read(folder / name)
        assert len(list((folder / name).iterdir())) == 1
        assert scalars["accuracy_by_epoch"] == list(enumerate(outcome.curve, start=1))
        assert scalars["accuracy"] == [(step, max(outcome.curve))]
        assert scalars["reward"] == [(step, reward)]
        assert scalars["seconds"] == [(step, outcome.metrics["seconds"])]
    search = read(folder / "search")
    rewards = [reward for *_, reward in found]
    assert search["search/reward"] == list(enumerate(rewards, start=1))
    best = [max(rewards[:count]) for count in range(1, len(rewards) + 1)]
    assert search["search/reward_best"] == list(enumerate(best, start=1))
    epsilons = [trial.note["epsilon"] for trial, *_ in found]
    assert search["search/epsilon"] == list(enumerate(epsilons, start=1))


@pytest.mark.slow
def test_a_run_and_what_follows_it(invoke, tmp_path):
    path = tmp_path / "results" / "r"
    assert invoke("run", "--name", "r", "--tensorboard", *FAST).output == ""
    check_whole(path)
    (name, *_) = sorted(path.glob("tensorboard/0*"))
    (name / "touched").touch()  # lost if it is written again
    assert invoke("resume", "results/r", "--budget", "6", "--quiet").output == ""
    (name / "touched").unlink()
    check_whole(path)
    assert len(list(path.glob("tensorboard/0*"))) == 6
    shutil.rmtree(name)
    (path / "tensorboard.partial").mkdir()  # as a kill leaves it
    assert invoke("resume", "results/r", "--quiet").output == ""
    check_whole(path)
    assert (
        invoke("resume", "results/r", "--no-tensorboard", "--budget", "7", "--quiet").output == ""
    )
    assert len(list(path.glob("tensorboard/0*"))) == 6


def test_a_run_that_was_begun_without_goes_on_with_it(finished, tmp_path):
    path = tmp_path / "results" / "r"
    before = open_run(path).identity
    assert not (path / "tensorboard").exists()
    assert finished("resume", "results/r", "--tensorboard", "--quiet").output == ""
    check_whole(path)
    assert open_run(path).config.run.tensorboard
    assert open_run(path).identity == before


def test_hyperparameters_are_declared_once_and_every_network_has_its_own(finished, tmp_path):
    path = tmp_path / "results" / "r"
    assert finished("resume", "results/r", "--tensorboard", "--quiet").exit_code == 0
    declared = read_hyperparameters(path / "tensorboard" / "search")
    experiment = declared["_hparams_/experiment"].experiment
    assert {info.name for info in experiment.hparam_infos} == set(HYPERPARAMETERS)
    assert [info.name.tag for info in experiment.metric_infos] == ["accuracy", *METRICS]
    space = open_run(path).space()
    for trial, outcome, _ in trained(path):
        written = read_hyperparameters(path / "tensorboard" / f"{trial.number:05}")
        assert set(written) == {"_hparams_/session_start_info", "_hparams_/session_end_info"}
        values = written["_hparams_/session_start_info"].session_start_info.hparams
        assert values["network"].string_value == space.architecture(trial.walk).text
        assert values["layers"].number_value == len(trial.walk)
        assert values["parameters"].number_value == outcome.metrics["parameters"]
        assert values["multiply_adds"].number_value == outcome.metrics["multiply_adds"]
        assert values["epsilon"].number_value == trial.note["epsilon"]


def score(job):
    """A score; one network in three fails."""
    return Outcome(error="out of memory") if job.seed % 3 == 0 else hash_score(job)


def test_failed_networks_are_there_and_count_in_no_mean(tmp_path):
    search = make_search(tmp_path / "m.sqlite", "random", budget=30, evaluator=score)
    board = Board(tmp_path / "tensorboard", search.space, accuracy(), 30)
    board.begin(search.memory)
    search.observe = board
    search.run()
    board.close()
    found = list(search.memory.trained())
    failed = [step for step, (_, outcome, _) in enumerate(found, 1) if outcome.error is not None]
    assert 0 < len(failed) < 30
    for step in failed:
        name = f"{found[step - 1][0].number:05}"
        assert read(tmp_path / "tensorboard" / name) == {"reward": [(step, 0.1)]}
        events = EventAccumulator(str(tmp_path / "tensorboard" / name))
        events.Reload()
        assert events.Tags()["tensors"] == ["error/text_summary"]
    kept = [(step, reward) for step, (*_, reward) in enumerate(found, 1) if step not in failed]
    scalars = read(tmp_path / "tensorboard" / "search")
    assert "search/epsilon" not in scalars  # random search has none
    assert scalars["search/reward"] == kept
    # a tenth of 30 networks is less than five, over which the mean is at least
    means = [
        (step, sum(reward for _, reward in kept[max(0, place - 4) : place + 1]) / min(5, place + 1))
        for place, (step, _) in enumerate(kept)
    ]
    assert scalars["search/reward_mean"] == means


def test_a_predicted_accuracy_is_the_accuracy(tmp_path):
    space = make_search(tmp_path / "m.sqlite").space
    memory = Memory.open(tmp_path / "m.sqlite")
    trial = memory.add(("SM(10)",), 0, "a", 0, {"epsilon": 1.0})
    memory.finish(trial, Outcome({"predicted": 0.75, "stopped_after": 2}, (0.25, 0.5)), 0.75)
    board = Board(tmp_path / "tensorboard", space, accuracy(), 9)
    board.begin(memory)
    board.close()
    memory.close()
    scalars = read(tmp_path / "tensorboard" / "00001")
    assert scalars["accuracy"] == [(1, 0.75)]
    assert scalars["accuracy_by_epoch"] == [(1, 0.25), (2, 0.5)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_disk_that_is_full_is_one_line_and_nothing_is_half_written(finished, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    files = "tensorboard.compat.tensorflow_stub.io.gfile.LocalFileSystem"
    with monkeypatch.context() as patch:
        patch.setattr(f"{files}.append", full)
        result = finished("resume", "results/r", "--tensorboard", "--quiet")
    assert result.exit_code == 1
    line = result.output.strip().splitlines()[-1]
    assert line.startswith("Error: results/r cannot be written: No space left on device; free some")
    assert not list(Path("results/r/tensorboard").glob("0*"))
    assert finished("resume", "results/r", "--quiet").exit_code == 0
    check_whole(Path("results/r"))


def test_without_the_package_one_line_comes_before_anything_is_made(finished, monkeypatch):
    monkeypatch.setattr("metaqnn.registry.find_spec", lambda name: None)
    parts = ["--tensorboard needs tensorboard: ", "-m pip install 'metaqnn[tensorboard]'"]
    refused(finished("run", "--name", "n", "--tensorboard", *FAST), *parts)
    assert not Path("results/n").exists()
    config = Path("results/r/config.toml").read_text()
    refused(finished("resume", "results/r", "--tensorboard", "--budget", "9"), *parts)
    assert Path("results/r/config.toml").read_text() == config
    assert finished("top-k", "results/r").exit_code == 0


def test_comparisons_have_no_such_option(invoke):
    compare = ["compare", "results/c", "--agent", "random", "--budgets", "2", "--tensorboard"]
    refused(invoke(*compare), "No such option")


@pytest.mark.slow
def test_killed_and_resumed_no_network_is_written_twice_or_lost(tmp_path):
    options = ["--budget", "12", "--epochs", "1", "--train-limit", "200", "--device", "cpu"]
    command = [sys.executable, "-m", "metaqnn"]
    started = [*command, "run", "--name", "r", "--tensorboard", "--quiet", *options]
    path = tmp_path / "results" / "r"
    generator = random.Random(0)
    for kill in range(3):
        process = subprocess.Popen(started, cwd=tmp_path)
        deadline = time.monotonic() + 60
        while len(list(path.glob("tensorboard/0*"))) < 3 * (kill + 1):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(generator.random() / 10)
        process.send_signal(signal.SIGKILL)
        process.wait()
        started = [*command, "resume", "results/r", "--quiet"]
    subprocess.run(started, cwd=tmp_path, check=True)
    check_whole(path)
    assert len(list(path.glob("tensorboard/0*"))) == 12
