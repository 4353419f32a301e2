"""Fixtures: every space, runs that commands are called on, and the real data beside the project."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from metaqnn.cli import main
from state_space import Space
from tests import ROOT

pytest.register_assert_rewrite("tests.helpers")  # before any of them is imported

from tests.helpers.commands import FAST  # noqa: E402
from tests.helpers.spaces import SPACE_NAMES, make_space, space_parameter  # noqa: E402

# clusters that start at the same time would each write their own token into the one file of Ray
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=uuid.uuid4().hex)
# pictures of tests are not kept among those of whoever runs them
CACHE = tempfile.TemporaryDirectory(prefix="metaqnn-tests-")
os.environ["XDG_CACHE_HOME"] = CACHE.name


@pytest.fixture(params=map(space_parameter, SPACE_NAMES))
def space(request: pytest.FixtureRequest) -> Space[Any]:
    """Every space."""
    return make_space(request.param)


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """The path of a file or folder of real data; skips the test where it is missing."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"the real data {name} are not beside the project")
        return path

    return find


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Call a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(main, list(arguments))

    return call


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """The folder of a run that has finished; not to be changed."""
    results = tmp_path_factory.mktemp("finished")
    arguments = ["run", "--name", "r", "--results-dir", str(results), *FAST]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert result.output == ""
    return results / "r"


@pytest.fixture
def finished(invoke, finished_run, tmp_path):
    """Call a command in a folder in which the run results/r has finished."""
    shutil.copytree(finished_run, tmp_path / "results" / "r")
    return invoke
