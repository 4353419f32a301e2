"""Fixtures: every agent."""

from collections.abc import Callable
from typing import Any

import pytest

from metaqnn.agents.base import Agent
from state_space import Space
from tests.helpers.parts import AGENT_OPTIONS, agent_of


@pytest.fixture(params=AGENT_OPTIONS)
def make_agent(request: pytest.FixtureRequest) -> Callable[[Space[Any], int], Agent]:
    """Every agent, as a function that makes one of a space and a seed."""

    def make(space: Space[Any], seed: int = 0) -> Agent:
        options = AGENT_OPTIONS[request.param]
        return agent_of(space, **options, seed=seed, budget=20)

    return make
