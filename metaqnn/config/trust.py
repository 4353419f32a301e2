"""Code that only the folder of a run names: it is imported where whoever made that is trusted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from metaqnn.agents.base import AGENTS
from metaqnn.config.parts import Objects
from metaqnn.data.datasets import DATASETS, FILE_DATASETS
from metaqnn.environment import CONFIG, SPACE
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import EVALUATORS
from metaqnn.metrics.base import METRICS
from metaqnn.registry import MADE, Table, not_here
from metaqnn.search.rewards import REWARDS
from metaqnn.spaces import SPACES
from metaqnn.storage import read_toml

TABLES: Mapping[str, Table[Any]] = {
    "agent": AGENTS,
    "evaluator": EVALUATORS,
    "reward": REWARDS,
    "metric": METRICS,
    "dataset": DATASETS,
    "space": SPACES,
}
"""What a folder may name as module:name, by the option."""


@dataclass(frozen=True)
class Unread:
    """Stands among the objects of a run for a part whose code is not imported.

    Attributes:
        error: What is told where the part is needed.
    """

    error: MetaqnnError


def leave_unread(folder: Path) -> dict[str, Unread]:
    """The parts of a run that its folder alone names, and no package that is installed offers.

    Raises:
        MetaqnnError: The folder cannot be read; or the data set is such a part, without which
            nothing is known of a run.
    """
    found = {}
    for option, place, file in _named(folder):
        made_by_program = place.endswith(MADE)
        if made_by_program and option != "space":  # never imported
            continue
        told = (
            f"{folder / file} names the {option} {place}, whose code would be imported: say "
            "--trust (trust=True) if you trust whoever made the folder"
        )
        error = MetaqnnError(told)
        if made_by_program:
            hint = "" if place.startswith("__main__:") else f"; {told}"
            error = MetaqnnError(f"{not_here('space', place)}{hint}")
        if option == "dataset":
            raise error
        found[option] = Unread(error)
    return found


def _named(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The options that name code, the names, and the files that they are in."""
    config = {key.replace("-", "_"): value for key, value in read_toml(folder / CONFIG).items()}
    space = read_toml(folder / SPACE) if (folder / SPACE).exists() else {}
    for option in TABLES:
        values, file = (space, SPACE) if option == "space" else (config, CONFIG)
        if is_code(place := values.get(option), option):
            yield option, place, file


def is_code(place: Any, option: str) -> TypeGuard[str]:
    """Whether a value of an option names code that no package that is installed offers."""
    if option not in TABLES or not isinstance(place, str):
        return False
    kind, colon, _ = place.partition(":")
    is_file = option == "dataset" and kind.lower() in FILE_DATASETS
    return bool(colon) and not is_file and not TABLES[option].offers(place)


def check_read(objects: Objects, *roles: str) -> None:
    """See whether the parts of some roles, or all, are there to be used.

    Raises:
        MetaqnnError: The code of one is not imported.
    """
    for role, part in objects.items():
        if isinstance(part, Unread) and (not roles or role in roles):
            raise part.error
