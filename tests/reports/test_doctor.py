"""metaqnn doctor: what is on its page, and what it says of that which does not work."""

import getpass
import tomllib
import warnings
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

from metaqnn import __version__
from metaqnn.cli import main
from metaqnn.reports import doctor
from tests import ROOT


@pytest.fixture
def quick(monkeypatch):
    """One epoch of training, no export, no heavy packages."""
    monkeypatch.setattr(doctor, "EPOCHS", {"cpu": 1})
    monkeypatch.setattr(doctor, "NEAR", 0.2)
    monkeypatch.setattr(doctor, "EXTRAS", {"onnx": ("no_such_package",), "ray": ("json",)})
    monkeypatch.setattr(doctor, "version", lambda name: "1.2")


def call():
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def rows(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


@pytest.mark.slow
def test_a_page_about_this_machine():
    result = call()
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert len(lines) < 60 and lines[0] == "## metaqnn doctor"
    assert f"metaqnn {__version__}, torch {version('torch')}, torchvision" in result.output
    (row,) = rows(result.output, "| cpu |")
    _, _, fast, slow, *accuracies, verdict, _ = (cell.strip() for cell in row.split("|"))
    assert verdict == "agree"
    assert all(int(rate.replace(",", "")) > 100 for rate in (fast, slow))
    assert all(float(share.removesuffix("%")) > 90 for share in accuracies)
    assert str(Path.home()) not in result.output
    assert f"/{getpass.getuser()}/" not in result.output


def test_what_is_missing_has_its_command_and_is_no_fault(quick):
    result = call()
    assert result.exit_code == 0, result.output
    assert "- no_such_package: missing; pip install 'metaqnn[onnx]'" in result.output
    assert "- not tried: there is no no_such_package" in result.output


def broken(*_, **__):
    raise OSError(f"{Path.home()}/lib/secret/libx.so:\nno such file, {Path.home()}")


def test_errors_become_lines_and_the_exit_code(quick, monkeypatch):
    monkeypatch.setattr(doctor, "train", broken)
    monkeypatch.setattr(doctor, "import_module", broken)
    monkeypatch.setattr(doctor, "devices", lambda: ["cpu", "cpu"])
    result = call()
    assert result.exit_code == 1
    fault = "**DOES NOT WORK**: OSError: .../libx.so: no such file, ~"
    assert rows(result.output, "| cpu |") == [f"| cpu | | | | | {fault} |"] * 2
    assert f"- json: {fault}" in result.output


def test_an_export_that_breaks_is_told(quick, monkeypatch):
    monkeypatch.setattr(doctor, "EXTRAS", {"onnx": ("json",)})
    monkeypatch.setattr(doctor, "export", broken)
    result = call()
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("- **DOES NOT WORK**: OSError: ")


def test_ways_that_disagree_are_a_fault(quick, monkeypatch):
    usual, calls = doctor.train, []

    def apart(*args, **more):
        outcome = usual(*args, **more)
        calls.append(outcome)
        score = outcome.curve[-1] if len(calls) % 3 else 0.0
        return type(outcome)(outcome.metrics, (score,))

    monkeypatch.setattr(doctor, "train", apart)
    result = call()
    assert result.exit_code == 1
    assert "they differ by more than 20%" in rows(result.output, "| cpu |")[0]


def test_what_a_graph_warns_of_is_on_the_page(quick, monkeypatch):
    usual = doctor.train

    def warned(*args, graphs, **more):
        outcome = usual(*args, graphs=graphs, **more)
        if more["speed"].late:
            warnings.warn("CUDA graphs are not used: weights differ", RuntimeWarning, stacklevel=1)
        return outcome

    monkeypatch.setattr(doctor, "train", warned)
    with pytest.warns(RuntimeWarning):
        result = call()
    assert result.exit_code == 1
    (row,) = rows(result.output, "| cpu |")
    assert "agree; **DOES NOT WORK**: CUDA graphs are not used: weights differ" in row


def test_gpus_are_described(monkeypatch):
    found = SimpleNamespace(name="NVIDIA H100", total_memory=85e9, major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda name: found)
    monkeypatch.setattr(doctor, "devices", lambda: ["cpu", "cuda:1"])
    *_, line = doctor._devices()
    assert line == "- cuda:1: NVIDIA H100, 85.0 GB, compute capability 9.0"


def test_the_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        name: {requirement.partition(">")[0] for requirement in requirements}
        for name, requirements in project["optional-dependencies"].items()
        if name != "dev"
    }
    assert {name: set(packages) for name, packages in doctor.EXTRAS.items()} == extras


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no /home/a-b/c.d/x.so here", "no .../x.so here"),
        ("12 images/s, 3/4, a/b/c", "12 images/s, 3/4, a/b/c"),
        ("'/tmp/x'", "'.../x'"),
    ],
)
def test_folders_are_not_on_the_page(line, expected):
    assert doctor._nameless(line) == expected
