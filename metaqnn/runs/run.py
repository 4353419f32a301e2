"""The folder of a run: what it was asked for, where it ran, its memory and its best networks."""

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from metaqnn.config import Objects, RunConfig, of_chosen
from metaqnn.config.trust import check_read, leave_unread
from metaqnn.environment import (
    CONFIG,
    MEMORY,
    MEMORY_SUFFIX,
    NETWORKS,
    SPACE,
    read_task,
    write_environment,
)
from metaqnn.errors import MetaqnnError
from metaqnn.registry import MADE, not_here
from metaqnn.search.rewards import BEST, OLDER
from metaqnn.spaces import bind_space
from metaqnn.storage import read_toml, why, write_file
from metaqnn.task import Task
from metaqnn.training.presets import PAPER
from replay import BrokenMemory, Memory, WrongRun
from state_space import Space, scaled


@dataclass(frozen=True)
class Run:
    """A run and its folder.

    Attributes:
        path: The folder.
        config: What was asked for.
        space_settings: The space's TOML file.
        task: What the networks learn.
        objects: Parts that a program has made itself.
    """

    path: Path
    config: RunConfig
    space_settings: Mapping[str, Any]
    task: Task
    objects: Objects = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """What makes the run what it is: a memory belongs to one identity."""
        known = self.config.identity
        if known.get("reward") == BEST:
            known["reward"] = OLDER  # so memories of older programs have it
        return {
            **known,
            "space": self.space_settings,
            "images": list(self.task.shape),
            "classes": len(self.task.outputs),
        }

    def space(self) -> Space[Any]:
        """The space, bound to the task.

        Raises:
            MetaqnnError: It is not known here.
        """
        if "space" in self.objects:
            check_read(self.objects, "space")
            try:
                return scaled(self.objects["space"], self.space_settings.get("scale", {}))
            except ValueError as error:
                raise MetaqnnError(f"space: {error}") from None
        name = str(self.space_settings.get("space", ""))
        if name.endswith(MADE):
            return self._guess_space(name)
        return bind_space(self.space_settings, self.task.shape, len(self.task.outputs))

    def _guess_space(self, name: str) -> Space[Any]:
        """The space that a program had made, if that needs to be told nothing.

        Raises:
            MetaqnnError: Its networks are others.
        """
        with closing(self.memory()) as memory:
            known = [trial for trial, _, _ in memory.trained()]
        try:
            space = bind_space(self.space_settings, self.task.shape, len(self.task.outputs))
            if "scale" not in self.space_settings:
                found = [space.architecture(trial.walk).digest for trial in known]
                if found != [trial.digest for trial in known]:
                    raise not_here("space", name)
        except (MetaqnnError, ValueError):
            raise not_here("space", name) from None
        return space

    def memory(self, path: Path | None = None) -> Memory:
        """The memory in the folder, or in a file that is as much the run's.

        Raises:
            MetaqnnError: It is not there, damaged, or belongs to another configuration.
        """
        place = path or self.path / MEMORY
        try:
            # a run of an older program has the defaults of options that were not known then
            return Memory.open(place, self.identity, self.config.defaults())
        except (FileNotFoundError, BrokenMemory, WrongRun) as error:
            raise MetaqnnError(str(error)) from None
        except OSError as error:
            raise MetaqnnError(f"{place} cannot be read: {why(error, place)}") from None

    def input_file(self, option: str) -> Path | None:
        """The file that an option names: the folder's copy, once the folder is there."""
        source = self.config.inputs().get(option)
        if source is None:
            return None
        name = option.replace("_", "-")
        if not self.path.exists():
            return Path(source)
        copy = self.path / f"{name}{MEMORY_SUFFIX}"  # of a run its memory
        return copy if copy.exists() else self.path / "".join([name, *Path(source).suffixes[-2:]])


def make_folder(
    run: Run,
    command: list[str],
    facts: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
) -> None:
    """Make the folder of a run, whole or not at all; facts and data are the evaluator's.

    Raises:
        MetaqnnError: The folder cannot be written.
    """
    building = run.path.with_name(f".{run.path.name}.partial")
    made = replace(run, path=building)
    try:
        shutil.rmtree(building, ignore_errors=True)
        (building / NETWORKS).mkdir(parents=True)
        for option in run.config.inputs():
            source, copy = run.input_file(option), made.input_file(option)
            assert source is not None and copy is not None, "the option has a value"
            if source.is_dir():
                with closing(Memory.open(source / MEMORY)) as memory:
                    memory.copy(copy.with_name(f"{option.replace('_', '-')}{MEMORY_SUFFIX}"))
            else:
                shutil.copyfile(source, copy)
        write_config(made)
        (building / SPACE).write_text(tomli_w.dumps(run.space_settings), encoding="utf-8")
        write_environment(building, command, facts, run.task, data)
        Memory.create(building / MEMORY, run.identity).close()
        building.rename(run.path)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)
        raise MetaqnnError(f"{run.path} cannot be made: {why(error, run.path)}") from None


def write_config(run: Run) -> None:
    """Write the run's configuration anew, whole or not at all."""
    write_file(run.path / CONFIG, run.config.to_toml())


def read_config(path: Path, objects: Objects | None = None) -> RunConfig:
    """The configuration of the run in a folder, also of one that an older program made."""
    values = {"recipe": PAPER, **read_toml(path / CONFIG)}  # once the only one, and not written
    return RunConfig.from_flat(of_chosen(values, objects), objects)


def open_run(path: Path, objects: Objects | None = None, *, trust: bool = False) -> Run:
    """The run in a folder.

    Args:
        path: The folder.
        objects: Parts that its program had made itself.
        trust: Whoever made the folder is trusted: code that it alone names is imported.

    Raises:
        MetaqnnError: The folder is not that of a run.
    """
    if not (path / CONFIG).is_file():
        raise MetaqnnError(f"{path} is not the folder of a run: it has no {CONFIG}")
    task = read_task(path)
    objects = {**({} if trust else leave_unread(path)), **(objects or {})}
    config = read_config(path, objects)
    return Run(path, config, read_toml(path / SPACE), task, objects)
