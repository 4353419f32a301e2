"""Help in groups: every option once, what matters first, and what the rest is asked for by."""

import re
from collections import Counter

import click
import pytest
from click.testing import CliRunner

from metaqnn.cli import main
from metaqnn.cli.help import GroupedCommand
from metaqnn.cli.options import section_options
from metaqnn.config import all_sections, chosen_parts
from metaqnn.options import Section, fields_of

LINES = 50
"""Of a screen."""

FOLDED = "Explained by "
"""How the headings of options begin of which only the names are shown."""

LONG = ["run", "train", "finalize", "compare", "resume"]
PARTS = [[], ["--agent", "ppo"], ["--evaluator", "table"], ["--executor", "ray", "--halving"]]


@pytest.fixture
def shown(capsys, monkeypatch):
    """What a command prints in a terminal of so many columns; the runner of click has 80."""

    def call(*arguments, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main.main(list(arguments), "metaqnn", standalone_mode=False) == 0
        return capsys.readouterr().out

    return call


def sections(text):
    """The lines below every heading."""
    found = {}
    for line in text.splitlines():
        if re.match(r"\S.*:$", line):
            found[line[:-1]] = []
        elif found:
            found[list(found)[-1]].append(line)
    return found


def explained(text):
    """The options that have a row of their own."""
    heads = (re.match(r"  (?:-h, )?(--?[a-z][\w-]*)", line) for line in text.splitlines())
    return [head[1] for head in heads if head]


def folded(text):
    """The options of which only the names are shown, by what explains them."""
    return {
        title.removeprefix(FOLDED): re.findall(r"--[a-z][\w-]*", " ".join(lines))
        for title, lines in sections(text).items()
        if title.startswith(FOLDED)
    }


def everything(text):
    return Counter([*explained(text), *(name for names in folded(text).values() for name in names)])


def options_of(command, *arguments):
    """The first name of all options that a command parses."""
    found = main.get_command(click.Context(main), command)
    context = found.make_context(command, list(arguments), resilient_parsing=True)
    options = [param for param in found.get_params(context) if isinstance(param, click.Option)]
    return {next(filter(lambda name: len(name) > 2, each.opts), each.opts[0]) for each in options}


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("parts", PARTS)
def test_every_option_of_run_is_in_exactly_one_group(shown, parts, columns):
    text = shown("run", *parts, "--help", columns=columns)
    assert everything(text) == dict.fromkeys(options_of("run", *parts), 1)
    assert max(map(len, text.splitlines())) < min(columns, 101)


@pytest.mark.parametrize("command", LONG)
def test_help_fits_on_two_screens_and_has_every_option_once(shown, command):
    text = shown(command, "--help")
    assert len(text.splitlines()) <= 2 * LINES
    assert everything(text) == dict.fromkeys(options_of(command), 1)


def test_data_set_time_space_agent_and_name_are_explained_on_the_first_screen(shown):
    lines = shown("run", "--help").splitlines()
    first = explained("\n".join(lines[:LINES]))
    assert {"--dataset", "--time-limit", "--space", "--agent", "--name"} <= set(first)
    assert first[:1] == ["--dataset"]
    matter = explained("\n".join(sections("\n".join(lines))["Options"]))
    assert len(set(matter) - {"--help", "--help-all"}) == 12


@pytest.mark.parametrize("command", LONG[:4])
def test_what_matters_first_is_what_a_command_has(command):
    found = main.get_command(click.Context(main), command)
    context = found.make_context(command, [], resilient_parsing=True)
    assert set(found.first) <= {param.name for param in found.get_params(context)}


@pytest.mark.parametrize("command", ["run", "compare"])
def test_what_is_folded_is_explained_by_what_its_heading_says(shown, command):
    hidden = folded(shown(command, "--help"))
    assert len(hidden) > 2
    for arguments, names in hidden.items():
        text = shown(command, *arguments.split())
        assert set(names) <= set(explained(text))
        assert arguments not in folded(text)


def test_help_all_lists_and_explains_every_option_of_all_parts(shown):
    text = shown("run", "--help-all")
    fields = [
        (name, field)
        for _, _, section in [*chosen_parts({}), *all_sections()]
        for name, (_, field) in fields_of(section).items()
    ]
    flags = {f"--{name.replace('_', '-')}" for name, _ in fields}
    assert {"--lstm-units", "--table", "--ray-address", "--halving-first", "--alpha"} <= flags
    assert Counter(explained(text)) == dict.fromkeys(flags | options_of("run"), 1)
    words = " ".join(text.split())
    for _, field in fields:
        assert " ".join(field.description.split()) in words
    assert FOLDED not in text


@pytest.mark.parametrize("command", ["train", "finalize", "compare"])
def test_help_all_of_other_commands_cuts_nothing(shown, command):
    text = shown(command, "--help-all")
    assert options_of(command) <= set(explained(text))
    assert " ...\n" in shown(command, "--help") and " ...\n" not in text


def test_an_agent_has_a_group_by_itself(shown, tmp_path, monkeypatch):
    (tmp_path / "brave.py").write_text(
        "from metaqnn.agents.random import RandomSearch\n"
        "from metaqnn.options import Section\n"
        "class Options(Section):\n"
        "    bravery: int = 3\n"
        "class Own(RandomSearch):\n"
        "    Options = Options\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    lines = sections(shown("run", "--agent", "brave:Own", "--help"))["Agent brave:Own"]
    assert [line.split() for line in lines if line] == [["--bravery", "INTEGER", "[default:", "3]"]]


def test_options_without_a_heading_are_among_the_first():
    class Nameless(Section):
        strangeness: int = 3

    @click.command(cls=GroupedCommand)
    @section_options(Nameless)
    def command(strangeness):
        """Do nothing."""

    text = CliRunner().invoke(command, ["--help"]).output
    assert explained("\n".join(sections(text)["Options"])) == ["--strangeness", "--help"]


def test_options_that_agents_share_are_one_group_and_their_own_are_others(shown):
    agents = ["--agent", "ppo", "--agent", "actor-critic,entropy=0.1"]
    found = sections(shown("compare", *agents, "--help"))
    shared, own = (found[f"Agent {name}"] for name in ("ppo, actor-critic", "actor-critic"))
    assert "--lstm-units" in explained("\n".join(shared))
    assert "--gae-lambda" in explained("\n".join(own))


def test_an_option_that_agents_have_with_other_defaults_tells_them_all(shown):
    words = " ".join(shown("compare", "--agent", "reinforce", "--agent", "ppo", "--help").split())
    assert re.search(r"reinforce: [^;]*; [^;]*\[default: 0\.05\]; ppo: .*\[default: 0\.02\]", words)
    assert "\b" not in words


def test_a_comparison_without_arguments_says_what_it_misses():
    result = CliRunner().invoke(main, ["compare"])
    assert result.exit_code == 2
    assert result.output.endswith("Error: Missing argument 'FOLDER'.\n")
