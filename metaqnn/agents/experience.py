"""Experiences of elsewhere, of which an agent can be told."""

from pathlib import Path
from typing import Any

from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import size_metrics
from metaqnn.task import Shape
from replay import Outcome
from replay.legacy import LegacyError, read_replay
from state_space import IllegalMove, Space, Token
from state_space.notation import NotationError

Experience = tuple[tuple[Token, ...], Outcome]
"""A walk, and what came of it elsewhere."""


def read_experiences(
    path: Path, space: Space[Any], input_shape: Shape | None = None
) -> list[Experience]:
    """The rows of a replay database of the 2017 code, as experiences in this space.

    Where the shape of the images is given, they have the metrics that rewards charge for.

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
