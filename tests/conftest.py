"""Fixtures: spaces to try everything on, and the real data, where they lie beside the project."""

import os
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from parts import agent_of

from metaqnn.agents.base import AGENTS, Agent
from metaqnn.spaces import bind_space, preset_names, read_space
from state_space import Space

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"

# clusters that start at the same time would each write their own token into the one file of Ray
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=uuid.uuid4().hex)
# pictures of tests are not kept among those of whoever runs them
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="metaqnn-tests-")

TINY: dict[str, Any] = {
    "max-depth": 3,
    "convolution": {"filters": [2, 4], "fields": [1, 3]},
    "pooling": {"windows": [[2, 2]]},
    "fully-connected": {"units": [8, 4], "max-layers": 2, "max-size": 4},
}
"""A chain so small that all of its architectures can be listed."""

SHAPES = {
    "tiny": (1, 8, 8),
    "metaqnn-mnist": (1, 28, 28),
    "mnist-small": (1, 28, 28),
    "digits": (1, 8, 8),
    "nas-digits": (1, 8, 8),
    "lei-xiong": (1, 28, 28),
}


def make_space(name: str) -> Space[Any]:
    """A space by the name of its preset, or "tiny"."""
    settings = TINY if name == "tiny" else read_space(name)
    return bind_space(settings, SHAPES.get(name, (3, 32, 32)), 10)


SPACE_NAMES = ["tiny", *preset_names()]


@pytest.fixture(params=SPACE_NAMES)
def space(request: pytest.FixtureRequest) -> Space[Any]:
    """Every space."""
    return make_space(request.param)


AGENT_OPTIONS: dict[str, dict[str, Any]] = {
    **{name: {"agent": name} for name in AGENTS},
    "q-learning": {"agent": "q-learning", "sweeps": 8},
    "q-learning as in the paper": {
        **{"agent": "q-learning", "q_preset": "paper", "alpha": 0.1, "sweeps": 8},
    },
}


@pytest.fixture(params=AGENT_OPTIONS)
def make_agent(request: pytest.FixtureRequest) -> Callable[[Space[Any], int], Agent]:
    """Every agent, as a function that makes one of a space and a seed."""

    def make(space: Space[Any], seed: int = 0) -> Agent:
        options = AGENT_OPTIONS[request.param]
        return agent_of(space, **options, seed=seed, budget=20)

    return make


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """The path of a file or folder of real data; skips the test where it is missing."""

    def find(name: str) -> Path:
        path = REAL_DATA / name
        if not path.exists():
            pytest.skip(f"the real data {name} are not beside the project")
        return path

    return find


def refused(result: Any, *parts: str) -> None:
    """Assert that a command ended with one line of error, which has these parts."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    line = result.output.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line
