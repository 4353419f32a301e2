"""Parts of a run, made of options, as tests want them: each by itself, on any space."""

from pathlib import Path
from typing import Any

from metaqnn.agents.base import AGENTS, Agent
from metaqnn.config import RunConfig
from metaqnn.evaluators.base import Evaluator
from metaqnn.runs.assembly import make_evaluator, make_rules
from metaqnn.runs.creation import find_task
from metaqnn.runs.run import Run
from metaqnn.search.rules import Rules
from metaqnn.task import Shape, Task, classification
from state_space import Space

AGENT_OPTIONS: dict[str, dict[str, Any]] = {
    **{name: {"agent": name} for name in AGENTS},
    "q-learning": {"agent": "q-learning", "sweeps": 8},
    "q-learning as in the paper": {
        **{"agent": "q-learning", "q_preset": "paper", "alpha": 0.1, "sweeps": 8},
    },
    "evolution without deaths": {
        **{"agent": "evolution", "population": 5, "tournament_share": 0.3, "deaths": False},
        **{"first_mutations": 3, "mutate_kind_first": True},
    },
}
"""Options of every agent; few sweeps, for they take long."""


def image_task(shape: Shape = (1, 8, 8), classes: int = 10) -> Task:
    """Images in classes that are called by their numbers."""
    return classification(shape, tuple(map(str, range(classes))))


def run_of(space: Space[Any] | None, task: Task, **options: Any) -> Run:
    """A run whose folder is nowhere."""
    config = RunConfig.from_flat(options)
    objects = {} if space is None else {"space": space}
    return Run(Path("nowhere"), config, {}, task, objects)


def agent_of(space: Space[Any], **options: Any) -> Agent:
    """The agent that options ask for."""
    config = RunConfig.from_flat(options)
    made = AGENTS.find(config.run.agent)
    return made.from_options(config.parts["agent"], space, config.run.seed)


def evaluator_of(bound: Space[Any], shape: Shape = (1, 8, 8), **options: Any) -> Any:
    """The evaluator that options ask for, whose task is its own where it looks nothing large up."""
    config = RunConfig.from_flat(options)
    task = image_task(shape)
    if config.run.evaluator != "train":
        task = find_task(config, {"made-for": {"shape": list(shape), "classes": 10}})
    run = Run(Path("nowhere"), config, {}, task, {"space": bound})
    made: Evaluator = make_evaluator(run, bound)
    return made


def rules_of(space: Space[Any], task: Task, **options: Any) -> Rules:
    """The rules that options ask for."""
    return make_rules(run_of(space, task, **options), space)
