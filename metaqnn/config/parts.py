"""Which parts a run has, and the options that each of them owns."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from metaqnn.agents.base import AGENTS
from metaqnn.config.options import RunOptions
from metaqnn.data.datasets import find_dataset
from metaqnn.environment import CONFIG, SPACE
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import EVALUATORS, find_evaluator
from metaqnn.executors.base import EXECUTORS
from metaqnn.options import Section, fields_of, names_of
from metaqnn.registry import MADE, Table
from metaqnn.search.rewards import RewardOptions
from metaqnn.stopping.base import STOPPERS, StoppingOptions
from metaqnn.storage import read_toml


class Role(NamedTuple):
    """A part that a run has one of, and how its options are found by its name."""

    name: str
    default: str
    table: Table[Any]
    options: Any

    def chosen(self, given: Mapping[str, Any]) -> Any:
        """The name among the options of a run, or a part that a program has made itself."""
        if self.name == "stopper":  # is an option of its own
            return next((name for name in STOPPERS if given.get(name) is True), "")
        return given.get(self.name, self.usual(given))

    def usual(self, given: Mapping[str, Any]) -> str:
        """The name where none is among the options; a data set may know its evaluator.

        Raises:
            MetaqnnError: There is no such data set.
        """
        dataset = given.get("dataset")
        if self.name == "evaluator" and isinstance(dataset, str):
            return find_dataset(dataset)[0].evaluator
        return self.default

    def section(self, chosen: str) -> type[Section]:
        """The options of the part of a name.

        Raises:
            MetaqnnError: There is no such part.
        """
        found: type[Section] = self.options(chosen)
        return found


def _stopper_options(name: str) -> type[Section]:
    return STOPPERS.find(name).Options if name else Section


ROLES = (
    Role("evaluator", "train", EVALUATORS, lambda name: find_evaluator(name).Options),
    Role("agent", "q-learning", AGENTS, lambda name: AGENTS.find(name).Options),
    Role("stopper", "", STOPPERS, _stopper_options),
    Role("executor", "in-process", EXECUTORS, lambda name: EXECUTORS.find(name).Options),
)

COMMON: dict[str, type[Section]] = {
    "run": RunOptions,
    "rewards": RewardOptions,
    "stopping": StoppingOptions,
}
"""The sections of every run."""


class Key(NamedTuple):
    """An option: the section or role that holds it, its field, and what it may do."""

    home: str
    field: FieldInfo
    is_free: bool
    is_changeable: bool


Objects = Mapping[str, Any]
"""Parts that a program has made itself, by role; "space" is another one."""


def chosen_parts(given: Mapping[str, Any]) -> Iterator[tuple[str, str, type[Section]]]:
    """The role, name and options of the parts of a run; the sections of every run have no role.

    Raises:
        MetaqnnError: There is no such part.
    """
    named = dict(given)
    for home, section in chosen_sections(named).items():
        role = next((role for role in ROLES if role.name == home), None)
        yield ("", home, section) if role is None else (home, role.chosen(named), section)


def chosen_sections(
    given: dict[str, Any], objects: Objects | None = None
) -> dict[str, type[Section]]:
    """The sections of a run by name or role, as far as its options say which parts it has.

    An executor that is not named is chosen here.

    Raises:
        MetaqnnError: There is no such part.
    """
    asked = given.get("workers", 1) not in (1, None) or given.get("network_timeout") is not None
    if "executor" not in given and asked:
        given["executor"] = "processes"
    for role in ROLES:
        if role.name not in given and (usual := role.usual(given)) != role.default:
            given[role.name] = usual
    sections = dict(COMMON)
    for role in ROLES:
        name = role.chosen(given)
        is_made = not isinstance(name, str) or name.endswith(MADE)
        if is_made or role.name in (objects or {}):
            sections[role.name] = Section
        else:
            sections[role.name] = role.section(name)
    return sections


def of_chosen(values: Mapping[str, Any], objects: Objects | None = None) -> dict[str, Any]:
    """The options of a run's own file that its parts have.

    An older program wrote down the options of all parts, chosen or not.
    """
    named = {key.replace("-", "_"): value for key, value in values.items()}
    known = homes_of(chosen_sections(named, objects))
    if any(role.name in (objects or {}) for role in ROLES):  # nobody knows what options they had
        return {name: value for name, value in named.items() if name in known}
    return {name: value for name, value in named.items() if name in known or not _owners(name)}


def own_sections() -> Iterator[tuple[str, str, type[Section]]]:
    """The role, name and options of every part of metaqnn; imports all of them."""
    for role in ROLES:
        for name in role.table:
            yield role.name, name, role.section(name)


def all_sections() -> Iterator[tuple[str, str, type[Section]]]:
    """Likewise those of installed packages behind them, as far as they can be imported."""
    yield from own_sections()
    for role in ROLES:
        for name in role.table.names():
            if name not in role.table:
                with suppress(MetaqnnError):  # nobody has asked for it
                    yield role.name, name, role.section(name)


def claim_options(given: Mapping[str, Any]) -> None:
    """See to it that no chosen part of another package has the name of an option of metaqnn's.

    Raises:
        MetaqnnError: One has.
    """
    chosen = [(role.table, str(given.get(role.name, role.default))) for role in ROLES]
    if any(name and name not in table and not name.endswith(MADE) for table, name in chosen):
        for _ in own_sections():  # what is imported behind them cannot declare their names
            pass


def belonging(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that the parts have which they choose, by name with _."""
    named = {key.replace("-", "_"): value for key, value in values.items()}
    known = homes_of(chosen_sections(dict(named)))
    return {name: value for name, value in named.items() if name in known}


def homes_of(sections: Mapping[str, type[Section]]) -> dict[str, Key]:
    """Every option of some sections by name."""
    return {
        name: Key(
            home,
            found,
            name in names_of(section, "FREE"),
            name in names_of(section, "CHANGEABLE"),
        )
        for home, section in sections.items()
        for name, (_, found) in fields_of(section).items()
    }


def _owners(name: str) -> list[tuple[str, str]]:
    """The parts that have an option, as (role, name)."""
    return [(role, part) for role, part, section in all_sections() if name in fields_of(section)]


def unknown_option(
    name: str, given: Mapping[str, Any], roles: Collection[str] | None = None
) -> str | None:
    """Whose an option is that the chosen parts do not have; None where no part has it.

    Args:
        name: Of the option.
        given: The options of the run.
        roles: The parts that are asked; None for all.
    """
    key = name.replace("_", "-")
    if name in homes_of(chosen_sections(dict(given))):
        return f"{key} is decided when a run begins, and belongs to it ever after"
    owners = [owner for owner in _owners(name) if roles is None or owner[0] in roles]
    if not owners:
        return None
    role, _ = owners[0]
    parts = " and ".join(part for _, part in owners)
    if role == "stopper":
        return f"{key} is an option of --{parts}, which is not asked for"
    there = next(each for each in ROLES if each.name == role).chosen(given)
    return f"{key} is an option of the {role} {parts}, and the {role} is {there}"


def read_values(path: Path) -> dict[str, Any]:
    """The options in a TOML file, by name; of a run's own file those of its parts.

    Raises:
        MetaqnnError: The file is not there, not readable or not TOML.
    """
    if (path / CONFIG).is_file():
        raise MetaqnnError(f"{path} is a folder, and a TOML file is wanted: {path / CONFIG}")
    values = {key.replace("-", "_"): value for key, value in read_toml(path).items()}
    return of_chosen(values) if (path.parent / SPACE).exists() else values
