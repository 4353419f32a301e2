"""The folder of a run: what it was asked for, where it ran, its memory and its best networks."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from metaqnn.agents.base import Agent, restore_agent
from metaqnn.config import RunConfig, read_toml
from metaqnn.environment import read_images, write_environment
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator
from metaqnn.events import Experience
from metaqnn.executors.base import Executor
from metaqnn.experiences import read_experiences
from metaqnn.extras import need
from metaqnn.files import write_file
from metaqnn.networks.cost import Shape
from metaqnn.registry import find_agent, find_evaluator, find_executor, find_stopper
from metaqnn.rules import Rules
from metaqnn.sections import ExecutionConfig, StoppingConfig
from metaqnn.spaces import bind_space
from metaqnn.stopping.base import Stopper
from replay import BrokenMemory, Memory, WrongRun
from state_space import Space

if TYPE_CHECKING:
    from metaqnn.reports.board import Board

if TYPE_CHECKING:
    from metaqnn.agents.q_learning import QLearning

CONFIG = "config.toml"
SPACE = "space.toml"
MEMORY = "memory.sqlite"
NETWORKS = "networks"
TENSORBOARD = "tensorboard"
INPUTS = {"replay_from": "replay-from", "q_table": "q-table"}
"""Options that name a file, and the name of the file's copy in the run's folder."""

FREE = (
    *("budget", "data-dir", "device", "download", "keep", "tensorboard"),
    *("replay-from", "q-table", "table", "surrogate-from"),
    *(name.replace("_", "-") for name in ExecutionConfig.model_fields),
)
"""Options that do not make a run another one; of the files it keeps copies or fingerprints."""

STOPPING = tuple(name.replace("_", "-") for name in StoppingConfig.model_fields)
"""Options that do so only where something stops trainings."""


@dataclass(frozen=True)
class Run:
    """A run and its folder.

    Attributes:
        path: The folder.
        config: What was asked for.
        space_settings: The space's TOML file.
        shape: (channels, height, width) of the images.
        classes: Names of the classes.
    """

    path: Path
    config: RunConfig
    space_settings: Mapping[str, Any]
    shape: Shape
    classes: tuple[str, ...]

    @property
    def identity(self) -> dict[str, Any]:
        """What makes the run what it is: a memory belongs to one identity."""
        config = self.config
        free = FREE if config.stopping.stopper else (*FREE, *STOPPING)
        options = {key: value for key, value in config.flat().items() if key not in free}
        return {
            **options,
            "space": self.space_settings,
            "images": list(self.shape),
            "classes": len(self.classes),
        }

    def space(self) -> Space[Any]:
        """The space, bound to the images."""
        return bind_space(self.space_settings, self.shape, len(self.classes))

    def memory(self, path: Path | None = None) -> Memory:
        """The memory in the folder, or in a file that is as much the run's.

        Raises:
            MetaqnnError: It is not there, damaged, or belongs to another configuration.
        """
        try:
            # a run of an older program has the defaults of options that were not known then
            return Memory.open(path or self.path / MEMORY, self.identity, RunConfig().flat())
        except (FileNotFoundError, BrokenMemory, WrongRun) as error:
            raise MetaqnnError(str(error)) from None

    def input_file(self, option: str) -> Path | None:
        """The file that an option names: the folder's copy, once the folder is there."""
        source = getattr(self.config, option)
        if source is None:
            return None
        copy = self.path / "".join([INPUTS[option], *Path(source).suffixes[-2:]])
        return copy if self.path.exists() else Path(source)

    def rules(self) -> Rules:
        """What the search goes by.

        Raises:
            MetaqnnError: See `Rules.from_config`.
        """
        return Rules.from_config(self.config, self.space(), self.shape, len(self.classes))

    def evaluator(self) -> Evaluator:
        """What scores the networks.

        Raises:
            MetaqnnError: It does not fit the space, or its file is broken.
        """
        made = find_evaluator(self.config.evaluation.evaluator)
        return made.from_config(self.config, self.space(), self.shape)

    def stopper(self) -> Stopper | None:
        """What ends hopeless trainings; None where all are trained in full.

        Raises:
            MetaqnnError: Nothing is trained that could be stopped.
        """
        name = self.config.stopping.stopper
        if name is None:
            return None
        evaluator = self.config.evaluation.evaluator
        if evaluator != "train":
            raise MetaqnnError(f"{name} stops trainings, but the evaluator {evaluator} trains none")
        return find_stopper(name).from_config(self.config)

    def executor(self) -> Executor:
        """Where the networks are scored.

        Raises:
            MetaqnnError: What it needs is not there.
        """
        return find_executor(self.config.execution.executor).from_config(self.config)

    def board(self) -> "Board | None":
        """What writes the files for TensorBoard; None where nobody asked for them.

        Raises:
            MetaqnnError: The package tensorboard is missing.
        """
        if not self.config.tensorboard:
            return None
        need("--tensorboard", "tensorboard", "tensorboard")
        from metaqnn.reports.board import Board

        return Board(self.path / TENSORBOARD, self.space(), self.config.budget)

    def experiences(self) -> list[Experience]:
        """What the agent is told before it proposes anything.

        Raises:
            MetaqnnError: A row makes no sense; the message names its line.
        """
        replay = self.input_file("replay_from")
        space = self.space()
        shape = self.shape if space.trainable else None
        return [] if replay is None else read_experiences(replay, space, shape)

    def agent(self) -> Agent:
        """The run's agent as it was at the start: without experiences.

        Raises:
            MetaqnnError: The Q-table to start from does not fit.
        """
        agent = find_agent(self.config.agent).from_config(self.config, self.space())
        table = self.input_file("q_table")
        if table is not None:
            from metaqnn.agents.legacy_table import read_q_table
            from metaqnn.agents.q_learning import QLearning

            if not isinstance(agent, QLearning):
                raise MetaqnnError(f"the agent {self.config.agent} has no Q-table to start from")
            agent.warm_start(read_q_table(table))
        return agent

    def trained_agent(self) -> Agent:
        """The agent with all that it has learnt."""
        memory = self.memory()
        agent = self.agent()
        with memory.moment():  # else the history may be longer than what the snapshot knows
            restore_agent(agent, memory.snapshot(), memory.history())
        memory.close()
        return agent

    def q_learning(self) -> "QLearning":
        """The trained agent, where it has a Q-table.

        Raises:
            MetaqnnError: It has none.
        """
        from metaqnn.agents.q_learning import QLearning

        agent = self.trained_agent()
        if not isinstance(agent, QLearning):
            raise MetaqnnError(f"{self.path} has no Q-table: its agent is {self.config.agent}")
        return agent


def create_run(run: Run, command: list[str], facts: Mapping[str, Any]) -> None:
    """Make the folder, whole or not at all; the facts are the evaluator's.

    Raises:
        MetaqnnError: The name is taken, the folder cannot be written, or a file that
            the configuration names is not there or makes no sense.
    """
    if run.path.exists():
        raise MetaqnnError(
            f"{run.path} exists: `metaqnn resume {run.path}` goes on with it, "
            "--name chooses another name"
        )
    run.agent()
    run.rules()
    run.stopper()
    run.board()
    run.experiences()
    building = run.path.with_name(f".{run.path.name}.partial")
    try:
        shutil.rmtree(building, ignore_errors=True)
        (building / NETWORKS).mkdir(parents=True)
        for option in INPUTS:
            source = run.input_file(option)
            if source is not None:
                copy = replace(run, path=building).input_file(option)
                assert copy is not None
                shutil.copyfile(source, copy)
        write_config(replace(run, path=building))
        (building / SPACE).write_text(tomli_w.dumps(run.space_settings), encoding="utf-8")
        write_environment(building, command, facts, run.shape, run.classes)
        Memory.create(building / MEMORY, run.identity).close()
        building.rename(run.path)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise MetaqnnError(f"{run.path} cannot be made: {error}") from None


def write_config(run: Run) -> None:
    """Write the run's configuration anew, whole or not at all."""
    write_file(run.path / CONFIG, run.config.to_toml())


def open_run(path: Path) -> Run:
    """The run in a folder.

    Raises:
        MetaqnnError: The folder is not that of a run.
    """
    if not (path / CONFIG).is_file():
        raise MetaqnnError(f"{path} is not the folder of a run: it has no {CONFIG}")
    shape, classes = read_images(path)
    config = RunConfig.from_flat(read_toml(path / CONFIG))
    return Run(path, config, read_toml(path / SPACE), shape, classes)
