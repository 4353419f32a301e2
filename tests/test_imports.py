"""The arrows between the packages point one way, and --help imports nothing heavy."""

import ast
import shutil
import subprocess
import sys
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests import ROOT

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


FLOORS = (
    {
        "errors",
        "options",
        "registry",
        "task",
        "storage",
        "device",
        "terminal",
        "notebook",
        "budget",
        "objectives",
    },
    {"environment", "metrics", "networks"},
    {"data"},
    {"spaces"},
    {"agents", "executors", "stopping"},
    {"models"},
    {"training", "language"},
    {"evaluators"},
    {"search", "testing"},
    {"config"},
    {"runs"},
    {"reports"},
    {"comparison"},
    {"api", "cli"},
)
"""Modules and folders of metaqnn; each knows those on its own floor and below.

So no part knows the configuration of a run, which is made of the options of all."""

MODULES = sorted((ROOT / "metaqnn").rglob("*.py"))


def test_no_module_of_metaqnn_knows_a_higher_floor():
    floors = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    for path in (path for path in MODULES if not path.name.startswith("_")):
        own = path.relative_to(ROOT / "metaqnn").parts[0].removesuffix(".py")
        for other, _ in known_modules(ast.parse(path.read_text())):
            name = other.split(".")[1]
            assert floors[name] <= floors[own], f"{path} imports {other}"


def test_imports_go_in_no_circle():
    """Those of modules while they are imported, and those of folders among each other."""
    modules: dict[str, set[str]] = {}
    folders: dict[str, set[str]] = {}
    for path in MODULES:
        own = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        known = known_modules(ast.parse(path.read_text()))
        modules[own] = {other for other, is_late in known if not is_late} - {own}
        folder = ".".join(own.split(".")[:2])
        folders.setdefault(folder, set()).update(".".join(each.split(".")[:2]) for each, _ in known)
        folders[folder].discard(folder)
    TopologicalSorter(modules).prepare()
    TopologicalSorter(folders).prepare()


def known_modules(tree: ast.AST, is_late: bool = False) -> set[tuple[str, bool]]:
    """The modules of metaqnn that are imported, and whether only once a function is called."""
    found: set[tuple[str, bool]] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("metaqnn."):
            found.add((str(node.module), is_late))
        found |= known_modules(node, is_late or isinstance(node, ast.FunctionDef))
    return found


def test_modules_are_short_and_have_a_folder():
    for path in (*MODULES, *(ROOT / "state_space").rglob("*.py"), *(ROOT / "replay").rglob("*.py")):
        assert len(path.read_text().splitlines()) <= 300, path
    assert len([path for path in MODULES if path.parent.name == "metaqnn"]) < 16


HELP = (
    "import sys, time; from metaqnn.cli import main\n"
    "try: main(['--help'])\n"
    "except SystemExit as end: assert end.code == 0\n"
)


def after_help(code: str) -> str:
    """What a process prints to stderr that has printed --help."""
    command = [sys.executable, "-c", HELP + code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def test_help_imports_nothing_heavy():
    loaded = set(after_help("print(*sys.modules, file=sys.stderr)").split())
    assert "click" in loaded
    assert not {"torch", "pandas", "numpy", "pydantic", "cloup"} & loaded


@pytest.mark.slow
def test_the_library_is_imported_at_once_and_its_parts_when_they_are_asked_for():
    code = (
        "import sys, metaqnn\n"
        "assert not {'torch', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "from metaqnn import Search, load"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_a_wheel_says_that_its_packages_are_typed(tmp_path):
    """The markers of PEP 561."""
    source = tmp_path / "source"
    packages = ("metaqnn", "state_space", "replay")
    for name in packages:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*command, "-w", tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{name}/py.typed" for name in packages} <= set(names)


def test_help_takes_less_than_a_fifth_of_a_second():
    # of the processor, which nobody else on the machine can take from it; it takes 0.05
    spent = [after_help("print(time.process_time(), file=sys.stderr)") for _ in range(3)]
    assert min(map(float, spent)) < 0.2
