"""An agent learns first from an earlier run, of this space or of another."""

import json

import pytest
from tomli_w import dumps

from metaqnn.agents.experience import read_experiences
from metaqnn.runs.run import open_run
from replay import Outcome
from tests.helpers.commands import refused
from tests.helpers.searches import hash_score, make_search
from tests.helpers.spaces import TINY

WIDER = {**TINY, "convolution": {"filters": [2, 4, 8], "fields": [1, 3]}}
OPTIONS = ["--epochs", "1", "--restart-below", "0", "--threads", "1", "--device", "cpu"]


@pytest.fixture
def earlier(tmp_path, invoke):
    """A run of four networks in the tiny space; beside it the file of a wider one."""
    for name, settings in (("tiny", TINY), ("wider", WIDER)):
        full = {"space": "chain", "size-bins": [8, 4, 1], "field-may-equal-bin": True, **settings}
        (tmp_path / f"{name}.toml").write_text(dumps(full))
    done = invoke("run", "--space", "tiny.toml", "--budget", "4", "--name", "first", *OPTIONS)
    assert done.exit_code == 0, done.output
    return tmp_path / "results" / "first"


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["q-learning", "evolution"])
def test_a_wider_space_learns_from_an_earlier_run(earlier, invoke, agent):
    arguments = ["--agent", agent, "--budget", "2", "--replay-from", str(earlier)]
    done = invoke("run", "--space", "wider.toml", "--name", "second", *arguments, *OPTIONS)
    assert done.exit_code == 0, done.output
    memory = open_run(earlier.with_name("second")).memory()
    imported = [trial for trial, _ in memory.history() if trial.imported]
    before = open_run(earlier).memory()
    assert [trial.walk for trial in imported] == [trial.walk for trial, *_ in before.trained()]
    assert len(memory.frame()) == 2  # what was learnt elsewhere is in no budget and no top-k
    # the run has a copy of its own
    for file in earlier.iterdir():
        if file.is_file():
            file.unlink()
    assert invoke("resume", "results/second", "--budget", "3").exit_code == 0


def test_a_run_that_has_nothing_to_teach_is_refused(earlier, invoke):
    result = invoke("run", "--space", "digits", "--replay-from", str(earlier), "--budget", "1")
    refused(result, "none of its", "trained networks is in the space of this run")
    refused(invoke("run", "--replay-from", "nowhere", "--budget", "1"), "nowhere")


def test_networks_that_failed_teach_nothing(tmp_path):
    path = tmp_path / "m.sqlite"
    half = make_search(
        path,
        budget=10,
        evaluator=lambda job: Outcome(error="no") if job.seed % 2 else hash_score(job),
    )
    half.run()
    found = read_experiences(path, half.space)
    assert 0 < len(found) < 10
    assert json.dumps([outcome.curve for _, outcome in found])
    assert all(outcome.error is None for _, outcome in found)
