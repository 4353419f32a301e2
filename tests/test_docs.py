"""The examples of the documentation run from top to bottom."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from metaqnn import Search
from metaqnn.cli import main
from tests import ROOT

DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_blocks(path: Path) -> int:
    """Execute the ```python blocks of a page in one namespace; returns how many there are."""
    text = path.read_text(encoding="utf-8")
    namespace = {"__name__": path.stem}
    blocks = list(BLOCK.finditer(text))
    for block in blocks:
        # empty lines before it, so that a traceback names the line of the page
        lines = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(lines + block[1], path, "exec"), namespace)
    return len(blocks)


@pytest.mark.slow
def test_the_page_of_python_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_blocks(DOCS / "python.md") == 10


@pytest.mark.slow
def test_the_parts_of_the_page_of_extending_run_in_its_commands(tmp_path, monkeypatch):
    """Its blocks are the module mine.py, but for the last, which checks the laws of its parts."""
    text = (DOCS / "extending.md").read_text(encoding="utf-8")
    *blocks, laws = BLOCK.findall(text)
    (tmp_path / "mine.py").write_text("\n".join(blocks), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    commands = re.findall(r"^    metaqnn (.*)$", text, re.MULTILINE)
    assert len(commands) == 5
    told = ""
    for command in commands:
        jobs = ["--jobs", "1"] if command.startswith("compare") else []
        result = CliRunner().invoke(main, [*shlex.split(command), *jobs])
        assert result.exit_code == 0, result.output
        told += result.stdout
    assert "Perplexity, lower is better" in told and "worst class" in told
    Search(space="mine:Slots", evaluator="mine:narrow", agent="random", budget=3).run(quiet=True)
    module = importlib.import_module("mine")
    training = module.STRIPES.source
    images = getattr(module, training.partition(":")[2])("train", None, None)
    assert images.shape == (1, 8, 8) and images.counts == {"lying": 40, "standing": 40}
    exec(laws, vars(module))


def test_pages_link_to_what_is_there():
    for page in (*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_page_of_ops_runs_and_its_op_is_a_network(monkeypatch):
    from metaqnn.networks.cost import layer_costs
    from metaqnn.networks.notation import read
    from metaqnn.networks.ops import OPS

    monkeypatch.setitem(OPS, "DW", OPS["ID"])  # so that it is taken out again
    assert run_blocks(DOCS / "ops.md") == 1
    costs = layer_costs(read("[DW(3), C(8,1,1), SM(10)]"), (3, 8, 8))
    assert costs[0] == ((3, 8, 8), 27, 27 * 64)


def test_the_network_with_cells_is_one_and_as_metaqnn_writes_it():
    from metaqnn.networks.cost import total_cost
    from metaqnn.networks.notation import read

    page = (DOCS / "spaces.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^    \[.*(?:\n      where .*)+", page, re.MULTILINE)
    text = " ".join(block.split())
    assert read(text).text == text
    assert total_cost(read(text), (3, 32, 32)).shape == (10,)
