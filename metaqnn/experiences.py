"""Experiences of elsewhere, as trials that an agent can be told."""

from pathlib import Path
from typing import Any

from metaqnn.errors import MetaqnnError
from replay import Outcome, Trial
from replay.legacy import LegacyError, read_replay
from state_space import IllegalMove, Space
from state_space.notation import NotationError


def read_experiences(path: Path, space: Space[Any]) -> list[tuple[Trial, Outcome]]:
    """The rows of a replay database of the 2017 code, as trials of this space.

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
            digest = space.architecture(walk).digest
            trial = Trial(len(experiences) + 1, walk, 0, digest, 0, {}, imported=True)
            experiences.append((trial, Outcome(curve=(row.accuracy,))))
    except LegacyError as error:
        raise MetaqnnError(str(error)) from None
    if not experiences:
        raise MetaqnnError(f"{path} has no rows")
    return experiences
