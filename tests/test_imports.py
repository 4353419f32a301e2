"""The arrows between the packages point one way, and --help imports nothing heavy."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STANDARD = set(sys.stdlib_module_names)
ALLOWED = {
    "state_space": STANDARD | {"numpy", "state_space"},
    "replay": STANDARD | {"numpy", "pandas", "replay"},
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_know_only_what_they_may(package):
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    for module in modules:
        assert imported(module) <= ALLOWED[package], module


def test_help_imports_neither_torch_nor_pandas():
    code = (
        "import sys; from metaqnn.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_the_library_is_imported_at_once_and_its_parts_when_they_are_asked_for():
    code = (
        "import sys, metaqnn\n"
        "assert not {'torch', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "from metaqnn import Search, load"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("package", ["metaqnn", "state_space", "replay"])
def test_packages_say_that_they_are_typed(package):
    """The marker of PEP 561 is there, and goes into what is built."""
    assert (ROOT / package / "py.typed").is_file()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "py.typed" in settings["tool"]["setuptools"]["package-data"][package]


def test_help_answers_in_half_a_second():
    import time

    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "metaqnn", "--help"], check=True, capture_output=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.5
