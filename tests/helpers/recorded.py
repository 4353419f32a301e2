"""Runs whose outcomes are written by hand, for tests of what reports on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from metaqnn.cli import main
from metaqnn.runs.assembly import trained_agent
from metaqnn.runs.run import Run, open_run
from replay import Outcome
from state_space import random_walk

CHANCE = 0.1


def record_run(folder: Path, outcomes: Sequence[Outcome | str], *options: str) -> Run:
    """A run in a new folder with these outcomes of random networks; a text is a refusal."""
    arguments = ["run", "--name", folder.name, "--results-dir", str(folder.parent)]
    result = CliRunner().invoke(main, [*arguments, "--budget", "0", "--quiet", *options])
    assert result.exit_code == 0, result.output
    run = open_run(folder)
    space: Any = run.space()
    generator = np.random.default_rng(0)
    agent, memory = trained_agent(run), run.memory()
    walks: dict[str, tuple[str, ...]] = {}  # by digest
    while len(walks) < len(outcomes):
        walk = random_walk(space, generator)
        walks.setdefault(space.architecture(walk).digest, walk)
    for outcome, (digest, walk) in zip(outcomes, walks.items(), strict=True):
        trial = memory.add(walk, 0, digest, 0, {"epsilon": 1.0})
        if isinstance(outcome, str):
            memory.refuse(trial, outcome)
        else:
            reward = max(outcome.curve, default=CHANCE)
            agent.tell(trial, reward)
            memory.finish(trial, outcome, reward)
    memory.keep_snapshot(agent.snapshot())
    memory.close()
    return run


def trained(accuracy: float, **metrics: float) -> Outcome:
    """The outcome of a training of two epochs."""
    costs = {"parameters": 1000, "multiply_adds": 2000, "seconds": 3.0}
    return Outcome({**costs, **metrics}, (accuracy / 2, accuracy))
