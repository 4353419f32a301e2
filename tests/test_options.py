"""Whose an option is: no two parts have one of a name, and none has that of a command."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from metaqnn.agents.q_options import QLearningOptions
from metaqnn.cli.compare import compare
from metaqnn.cli.resume import resume
from metaqnn.cli.run import run
from metaqnn.errors import MetaqnnError
from metaqnn.options import Section
from tests import ROOT
from tests.helpers.commands import refused

AGENT = """
from metaqnn.agents.random import RandomSearch
from metaqnn.options import Section

class Options(Section):
    {option}: float = 0.5

class Own(RandomSearch):
    Options = Options

    def __init__(self, space, seed, options):
        super().__init__(space, seed)
"""


@pytest.fixture(autouse=True)
def own_names(monkeypatch):
    """What a test declares is forgotten behind it."""
    from metaqnn import options

    monkeypatch.setattr(options, "_owners", dict(options._owners))


def declare(option, module="elsewhere.agent", name="Options"):
    body = {"__module__": module, "__qualname__": name, "__annotations__": {option: float}}
    return type(name, (Section,), {**body, option: 0.5})


def own_params():
    """What the commands have that parts' options stand beside, by flag and keyword."""
    names = {"help"}
    for command in (run, resume, compare):
        for param in command.params:
            names.add(param.name)
            names |= {flag.removeprefix("--").replace("-", "_") for flag in param.opts}
            assert isinstance(param, click.Parameter)
    return sorted(names - {"agent"})  # which is an option of every run


def test_the_commands_have_options_of_their_own():
    assert {"config", "jobs", "quiet", "format", "name", "folder"} <= set(own_params())


@pytest.mark.parametrize("name", [*own_params(), "shape", "classes", "score"])
def test_no_part_has_an_option_that_a_command_has_itself(name):
    with pytest.raises(MetaqnnError) as error:
        declare(name)
    assert str(error.value).startswith(f"elsewhere.agent.Options declares the option {name}, ")
    assert "which belongs to " in str(error.value) and "\n" not in str(error.value)
    assert "elsewhere" not in str(error.value).partition("belongs to")[2]


def test_of_two_sections_with_one_option_the_later_is_refused():
    declare("courage")
    declare("courage")  # as in a notebook, where a cell is run again
    with pytest.raises(MetaqnnError, match=r"^other\.Options .* courage, which belongs to elsewh"):
        declare("courage", "other")
    with pytest.raises(MetaqnnError, match=r"alpha, which belongs to metaqnn\.agents\.q_options"):
        declare("alpha")


def test_whoever_comes_first_it_is_not_metaqnn_that_is_to_blame():
    declare("courage")
    for _ in range(2):
        with pytest.raises(MetaqnnError) as error:
            declare("courage", "metaqnn.agents.brave")
        assert str(error.value) == (
            "elsewhere.agent.Options declares the option courage, which belongs to "
            "metaqnn.agents.brave.Options: rename it"
        )


def test_a_program_that_is_imported_by_its_name_too_is_not_another(tmp_path):
    """As in `python mine.py` with Search(agent="mine:Own"), and in its workers."""
    (tmp_path / "mine.py").write_text(
        AGENT.format(option="courage") + 'import importlib; importlib.import_module("mine")\n'
    )
    command = [sys.executable, tmp_path / "mine.py"]
    subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)


BANDIT = ["--space", "lei-xiong", "--evaluator", "bandit", "--budget", "1", "--name", "r"]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of an agent with an option of a type, and names the agent."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, option):
        text = AGENT.replace("{option}: float = 0.5", option)
        head = "from enum import Enum\nfrom typing import Literal\n"
        (tmp_path / f"{name}.py").write_text(head + text)
        return ["run", "--agent", f"{name}:Own", *BANDIT]

    return write


def test_an_option_may_be_one_of_some_words(invoke, module):
    run = module("worded", "mood: Literal['calm', 'wild'] = 'calm'")
    refused(invoke(*run, "--mood", "sad"), "mood is 'sad': input should be 'calm' or 'wild'")
    assert invoke(*run, "--mood", "wild").exit_code == 0
    assert 'mood = "wild"' in Path("results/r/config.toml").read_text()
    assert invoke("resume", "results/r", "--trust", "--budget", "2").exit_code == 0


def test_an_option_may_have_no_default(invoke, module):
    run = module("needy", "courage: int")
    refused(invoke(*run), "courage must be given: it has no default")
    assert "Undefined" not in invoke(*run, "--help").output
    assert invoke(*run, "--courage", "3").exit_code == 0
    assert invoke("resume", "results/r", "--trust", "--budget", "2").exit_code == 0


def test_an_option_of_a_type_that_no_command_line_has_is_refused(invoke, module):
    run = module("typed", "mood: Enum = None")
    refused(invoke(*run), "the option mood is a Enum, not a bool, int, float, str, Literal")


@pytest.mark.parametrize(
    ("code", "reason"),
    [("def f(:", "SyntaxError: "), ("raise RuntimeError('no\\ngood')", "RuntimeError: no good")],
)
def test_whatever_a_module_raises_is_one_line(invoke, module, tmp_path, code, reason):
    run = module(f"broken{len(code)}", "mood: int = 0")
    (tmp_path / f"broken{len(code)}.py").write_text(code)
    refused(invoke(*run), f":Own' cannot be imported: {reason}")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run --name", "compare c --budgets 2 --seeds 1 --agent"])
def test_the_options_of_parts_that_were_not_chosen_are_taken_too(tmp_path, command):
    """In a process of its own, where they are not imported yet."""
    assert "alpha" in QLearningOptions.model_fields
    (tmp_path / "mine.py").write_text(AGENT.format(option="alpha"))
    words = [*command.split(), "mine:Own", "--agent", "mine:Own", "--evaluator", "bandit"]
    done = subprocess.run(
        [sys.executable, "-m", "metaqnn", *words],
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "Error: mine.Options declares the option alpha, which belongs to "
        "metaqnn.agents.q_options.QLearningOptions: rename it\n"
    )
