"""Searches in which training costs nothing, for tests; as a script, one to be killed.

python -m tests.helpers.searches FOLDER AGENT BUDGET
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from metaqnn.agents.base import Agent
from metaqnn.evaluators.base import Evaluate, Job
from metaqnn.executors.in_process import InProcess
from metaqnn.search.kept_weights import KeptWeights
from metaqnn.search.loop import Search
from metaqnn.search.rules import Rules
from metaqnn.stopping.base import Stopper
from replay import Memory, Outcome
from tests.helpers.parts import agent_of
from tests.helpers.spaces import make_space

CLASSES = 10


def hash_score(job: Job) -> Outcome:
    """A score that depends on network and seed alone."""
    value = (int(job.architecture.digest[:8], 16) ^ job.seed) % 2**32 / 2**32
    return Outcome({"parameters": 1}, (value / 2, value))


def slow_score(job: Job) -> Outcome:
    """The same, slow enough that the search can be killed several times."""
    time.sleep(0.003)
    return hash_score(job)


def kills_its_process(job):
    """A network that ends the process, as the kernel does for lack of memory."""
    if job.architecture.text.count("C(") == 0:
        os._exit(137)
    return hash_score(job)


def make_search(
    path: Path,
    agent_name: str = "q-learning",
    *,
    budget: int = 20,
    seed: int = 0,
    space_name: str = "digits",
    evaluator: Evaluate = hash_score,
    kept: KeptWeights | None = None,
    stopper: Stopper | None = None,
    **more: Any,
) -> Search:
    """A search in a new memory, or in the one that is there."""
    memory = Memory.open(path, {}) if path.exists() else Memory.create(path, {})
    space = make_space(space_name)
    return Search(
        space,
        make_agent(agent_name, budget, seed, space),
        evaluator,
        InProcess(),
        memory,
        Rules(
            seed=seed,
            budget=budget,
            reward=lambda outcome: max(outcome.curve),
            failure_reward=1 / CLASSES,
            **more,
        ),
        kept=kept,
        stopper=stopper,
    )


def make_agent(name: str, budget: int, seed: int, space: Any) -> Agent:
    """A new agent."""
    return agent_of(space, agent=name, budget=budget, seed=seed)


def state(search: Search) -> tuple[Any, ...]:
    """All that a search leaves behind, to the bit."""
    memory = search.memory
    frame = memory.frame()
    return list(memory.history()), memory.snapshot(), frame.to_json(double_precision=15)


if __name__ == "__main__":
    folder, agent_name, budget = sys.argv[1:]
    path = Path(folder) / "memory.sqlite"
    make_search(path, agent_name, budget=int(budget), evaluator=slow_score).run()
