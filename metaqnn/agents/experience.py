"""Experiences of elsewhere, of which an agent can be told."""

from contextlib import closing
from pathlib import Path
from typing import Any

from metaqnn.environment import MEMORY, MEMORY_SUFFIX
from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import size_metrics
from metaqnn.task import Shape
from replay import BrokenMemory, Memory, Outcome
from replay.legacy import LegacyError, read_replay
from state_space import IllegalMove, Space, Token, stage_of
from state_space.notation import NotationError

Experience = tuple[tuple[Token, ...], Outcome]
"""A walk, and what came of it elsewhere."""


def read_experiences(
    path: Path, space: Space[Any], input_shape: Shape | None = None
) -> list[Experience]:
    """What is recorded elsewhere, as experiences in this space.

    Args:
        path: A run's folder or memory, or a replay database of the 2017 code.
        space: Where to search.
        input_shape: Of the images; then the rows of a database have the metrics that rewards
            charge for.

    Raises:
        MetaqnnError: There is nothing that this space has, or a row makes no sense.
    """
    memory = path / MEMORY if path.is_dir() else path
    if memory.suffix == MEMORY_SUFFIX:
        return read_memory(memory, space)
    return read_log(path, space, input_shape)


def read_memory(path: Path, space: Space[Any]) -> list[Experience]:
    """The measured networks of a run, of this space or another, as far as this one has them.

    Raises:
        MetaqnnError: It is no memory of a run, or this space has none of its networks.
    """
    try:
        with closing(Memory.open(path)) as memory:
            known = list(memory.trained())
    except (FileNotFoundError, BrokenMemory) as error:
        raise MetaqnnError(str(error)) from None
    measured = [
        (trial.walk, outcome)
        for trial, outcome, _ in known
        if outcome.error is None and outcome.is_measured
    ]
    found = [experience for experience in measured if _fits(space, experience[0])]
    if not found:
        raise MetaqnnError(
            f"{path}: none of its {len(measured)} trained networks is in the space of this run"
        )
    return found


def _fits(space: Space[Any], walk: tuple[Token, ...]) -> bool:
    try:
        stage_of(space, walk)
    except IllegalMove:
        return False
    return True


def read_log(path: Path, space: Space[Any], input_shape: Shape | None = None) -> list[Experience]:
    """The rows of a replay database of the 2017 code.

    Raises:
        MetaqnnError: A row makes no sense, or its network is not in the space; the message names
            the line.
    """
    experiences = []
    try:
        for row in read_replay(path):
            try:
                walk = space.parse(row.network)
            except (NotationError, IllegalMove) as error:
                raise MetaqnnError(f"{path}, line {row.line}: {error}") from None
            metrics: dict[str, float] = {}
            if input_shape is not None:
                metrics = size_metrics(space.architecture(walk), input_shape)
            experiences.append((walk, Outcome(metrics, (row.accuracy,))))
    except LegacyError as error:
        raise MetaqnnError(str(error)) from None
    if not experiences:
        raise MetaqnnError(f"{path} has no rows")
    return experiences
