"""Code that only the folder of a run names is imported where that is trusted, and nowhere else."""

import importlib
import json
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from metaqnn import Search
from metaqnn.errors import MetaqnnError
from metaqnn.registry import Table
from tests.helpers.commands import refused

CODE = """
from pathlib import Path
Path("code has run").touch()
from metaqnn.agents.random import RandomSearch
from metaqnn.data.datasets import DATASETS
from metaqnn.metrics.accuracy import ACCURACY as METRIC
from metaqnn.search.rewards import best
from state_space.chain import ChainSpace as Space

IMAGES = DATASETS.find("digits")

class Agent(RandomSearch):
    @classmethod
    def from_options(cls, options, space, seed):
        return cls(space, seed)

def evaluate(job):
    return 0.5
"""
MARK = Path("code has run")
LOOKING = [
    ("top-k", "results/r"),
    ("trials", "results/r"),
    ("report", "results/r", "--html", "page.html"),
    ("plot", "results/r", "--to", "figures", "--figure", "best"),
    ("export", "results/r", "--to", "net.safetensors"),
]


@pytest.fixture
def strange(finished, monkeypatch):
    """Call commands where the run results/r lies beside a module that it can be made to name."""
    Path("stranger.py").write_text(CODE)
    monkeypatch.syspath_prepend(".")
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    importlib.invalidate_caches()
    yield finished
    sys.modules.pop("stranger", None)


def name(option, place):
    """Let the folder name something, its memory too."""
    folder = Path("results/r")
    path = folder / ("space.toml" if option == "space" else "config.toml")
    text, line = path.read_text(), f'{option} = "{place}"'
    found = re.compile(rf'^{option} = ".*"$', re.MULTILINE)
    path.write_text(found.sub(line, text) if found.search(text) else f"{line}\n{text}")
    with closing(sqlite3.connect(folder / "memory.sqlite")) as memory:
        query = "SELECT value FROM run WHERE key = 'configuration'"
        known = json.loads(memory.execute(query).fetchone()[0])
        if option == "space":
            known["space"]["space"] = place
        elif option in known:
            known[option] = place
        memory.execute("UPDATE run SET value = ? WHERE key = 'configuration'", [json.dumps(known)])
        memory.commit()


def add_option(text):
    path = Path("results/r/config.toml")
    path.write_text(f"{text}\n{path.read_text()}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("agent", "stranger:Agent"),
        ("evaluator", "stranger:evaluate"),
        ("reward", "stranger:best"),
        ("metric", "stranger:METRIC"),
    ],
)
def test_a_run_is_looked_at_without_the_code_of_its_parts(strange, option, place):
    name(option, place)
    if option not in ("reward", "metric"):
        add_option("of-its-own = 3")
    for command in LOOKING:
        done = strange(*command)
        assert done.exit_code == 0, done.output
    assert len(Search.open("results/r").best(9)) == 4
    search = Search.open("results/r", budget=9)
    assert "results/r" in repr(search) + search._repr_html_()
    refused(strange("resume", "results/r"), f"names the {option} {place}, whose code", "--trust")
    for work in (search.run, search.ask):
        with pytest.raises(MetaqnnError, match=rf"names the {option} {place}, .*trust=True"):
            work()
    if option == "agent":
        refused(strange("q-table", "results/r"), "stranger:Agent", "--trust")
        with pytest.raises(MetaqnnError, match="stranger:Agent"):
            search.q_table()
    assert not MARK.exists() and "stranger" not in sys.modules


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("space", "stranger:Space"),
        ("space", "stranger:Space()"),
        ("dataset", "stranger:IMAGES"),
    ],
)
def test_what_nothing_is_known_without_is_told(strange, option, place):
    name(option, place)
    for command in (*LOOKING, ("resume", "results/r"), ("finalize", "results/r", "-k", "1")):
        refused(strange(*command), place, "--trust")
    with pytest.raises(MetaqnnError, match="trust=True"):
        Search.open("results/r").best()
    assert not MARK.exists() and "stranger" not in sys.modules


@pytest.mark.slow
def test_who_is_trusted_is_gone_on_with(strange):
    name("agent", "stranger:Agent")
    with closing(sqlite3.connect("results/r/memory.sqlite")) as memory:
        memory.execute("DELETE FROM run WHERE key = 'snapshot'")  # of another agent
        memory.commit()
    done = strange("resume", "results/r", "--budget", "5", "--trust")
    assert done.exit_code == 0, done.output
    assert "5 networks trained" in done.output and MARK.exists()
    assert Search.open("results/r", trust=True, budget=6).run(quiet=True) == "the budget is spent"
    name("space", "stranger:Space")
    for command in LOOKING:
        done = strange(*command, "--trust")
        assert done.exit_code == 0, done.output
    # and whoever gives the part itself need not say so
    import stranger

    search = Search.open("results/r", budget=6, trust=True)
    Search.open("results/r", agent=stranger.Agent(search._run.space(), 0))


def test_what_a_package_offers_is_offered_by_its_place_too(monkeypatch):
    from importlib.metadata import EntryPoint

    entry = EntryPoint("mine", "package.module:Class", "metaqnn.agents")
    monkeypatch.setattr("metaqnn.registry.entry_points", lambda group: [entry])
    table = Table("agent", {"ours": "metaqnn:Ours"}, "metaqnn.agents")
    for known in ("ours", "mine", "package.module:Class", "package.module:Class()"):
        assert table.offers(known)
    for unknown in ("metaqnn:Ours", "package.module:Other", "os:system"):
        assert not table.offers(unknown)
