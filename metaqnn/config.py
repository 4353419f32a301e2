"""The configuration of a run: the options of its parts, composed; TOML in and out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import tomli_w
from pydantic import Field, PositiveInt
from pydantic.fields import FieldInfo

from metaqnn.agents.base import AGENTS
from metaqnn.environment import SPACE
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import EVALUATORS, find_evaluator
from metaqnn.executors.base import EXECUTORS
from metaqnn.options import Section, fields_of, flatten, make, names_of
from metaqnn.registry import MADE
from metaqnn.search.rewards import REWARDS, RewardOptions
from metaqnn.stopping.base import STOPPERS, StoppingOptions
from metaqnn.storage import read_toml
from state_space.settings import suggestion

DEFAULT_BUDGET = 70
"""Networks of a run that says neither budget nor schedule."""


class RunOptions(Section):
    """What belongs to no part."""

    space: str = Field(
        "digits",
        description="A name that `metaqnn space` lists, or a TOML file. Default: the data set's.",
    )
    agent: str = Field("q-learning", description=f"One of {', '.join(AGENTS)}.")
    evaluator: str = Field(
        "train",
        description="train, table (--table), surrogate (--surrogate-from) or bandit.",
    )
    executor: str = Field(
        "in-process",
        description="in-process, processes (of this machine) or ray (of many). Default: "
        "in-process, or processes where --workers or --network-timeout ask for them.",
    )
    budget: int = Field(
        DEFAULT_BUDGET,
        ge=0,
        description="Distinct networks to train. Default: the schedule's total, or 70.",
    )
    start_from: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (),
        description="A network to train first, such as '[C(64,3,1), SM(10)]', from which the "
        "agent goes on; may be given several times.",
    )
    grow_every: PositiveInt = Field(
        1600, description="Networks after which a space that grows is raised by a stage."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the whole run.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")
    keep: int = Field(5, ge=0, description="Keep the weights of the best so many networks.")
    tensorboard: bool = Field(
        False, description="Write files for TensorBoard into the run's folder."
    )
    replay_from: str | None = Field(
        None,
        description="Learn first from another run's folder, as far as its networks are in this "
        "space, or from a replay_database.csv[.gz] of the 2017 code.",
    )

    FREE: ClassVar = ("executor", "budget", "device", "keep", "tensorboard", "replay_from")
    CHANGEABLE: ClassVar = ("budget", "device", "tensorboard", "executor")
    INPUTS: ClassVar = ("replay_from",)


class Role(NamedTuple):
    """A part that a run has one of, and how its options are found by its name."""

    name: str
    default: str
    options: Any

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
    Role("evaluator", "train", lambda name: find_evaluator(name).Options),
    Role("agent", "q-learning", lambda name: AGENTS.find(name).Options),
    Role("stopper", "", _stopper_options),
    Role("executor", "in-process", lambda name: EXECUTORS.find(name).Options),
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


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run does: one section a part, checked.

    In TOML and on the command line the options of all sections stand side by side.

    Attributes:
        run: What belongs to no part.
        rewards: What the agent is told.
        stopping: Which stopper there is, if any.
        parts: The options of the chosen parts, by role.
    """

    run: RunOptions
    rewards: RewardOptions
    stopping: StoppingOptions
    parts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_flat(cls, values: Mapping[str, Any], objects: Objects | None = None) -> Self:
        """The configuration of keys as in a TOML file, "start-from" for start_from.

        Args:
            values: By key.
            objects: Parts that are given, and so have no options.

        Raises:
            MetaqnnError: A key is unknown or of a part that is not chosen, or a value impossible.
        """
        given = {key.replace("-", "_"): value for key, value in values.items()}

        def spell(name: str) -> str:  # as a program or as a file does
            return name if any("_" in key for key in values) else name.replace("_", "-")

        sections = chosen_sections(given, objects)
        known = _homes(sections)
        for name in given:
            if name not in known:
                raise MetaqnnError(
                    unknown_option(name, given)
                    or f"unknown option {spell(name)}{suggestion(spell(name), map(spell, known))}"
                )
        for section in sections.values():
            given = section.complete(given)
        made = {
            home: make(section, {name: given[name] for name in fields_of(section) if name in given})
            for home, section in sections.items()
        }
        REWARDS.check(made["rewards"].reward)  # type: ignore[attr-defined]  # a RewardOptions
        common: Any = {name: made.pop(name) for name in COMMON}
        return cls(**common, parts=made)

    @property
    def stopper(self) -> str | None:
        """The name of what ends trainings; None where all are trained in full."""
        return next((name for name in STOPPERS if getattr(self.stopping, name)), None)

    def sections(self) -> dict[str, Section]:
        """All sections by their name or role."""
        return {"run": self.run, "rewards": self.rewards, "stopping": self.stopping, **self.parts}

    def keys(self) -> dict[str, Key]:
        """All options by name."""
        return _homes({home: type(section) for home, section in self.sections().items()})

    def values(self) -> dict[str, Any]:
        """The values of all options by name."""
        return {
            name: value
            for section in self.sections().values()
            for name, value in flatten(section).items()
        }

    def flat(self) -> dict[str, Any]:
        """All options that have a value, as in a TOML file."""
        values = self.values().items()
        return {name.replace("_", "-"): value for name, value in values if value is not None}

    @property
    def identity(self) -> dict[str, Any]:
        """The options that make a run another one, as in a TOML file."""
        keys = self.keys()
        free = () if self.stopper else ("stopping",)
        return {
            name: value
            for name, value in self.flat().items()
            for key in [keys[name.replace("-", "_")]]
            if not key.is_free and key.home not in free
        }

    def defaults(self) -> dict[str, Any]:
        """The values that the same options have where nobody gives them, as in a TOML file."""
        return {
            name.replace("_", "-"): value
            for section in self.sections().values()
            for name, value in flatten(make(type(section), {})).items()
        }

    def inputs(self) -> dict[str, str]:
        """The files that options name and a run's folder keeps, by option."""
        values = self.values()
        names = [name for one in self.sections().values() for name in names_of(type(one), "INPUTS")]
        return {name: values[name] for name in names if values[name] is not None}

    def changed(self, options: Mapping[str, Any], objects: Objects | None = None) -> Self:
        """The configuration with some other values.

        What it says of an executor does not hold for another: not its workers, and in-process,
        which is the default, not where workers or a timeout are asked for.

        Raises:
            MetaqnnError: See `from_flat`.
        """
        own = [name for name, key in self.keys().items() if key.home == "executor"]
        kept = self.values()
        options = {name.replace("-", "_"): value for name, value in options.items()}
        if options.get("executor", self.run.executor) != self.run.executor:
            kept = {name: value for name, value in kept.items() if name not in own}
        elif self.run.executor == "in-process":
            del kept["executor"]
        kept = {name: value for name, value in kept.items() if value is not None}
        return self.from_flat({**kept, **options}, objects)

    def to_toml(self) -> str:
        """The text that `read_toml` and `from_flat` turn into this configuration."""
        return tomli_w.dumps(self.flat())


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
    stopper = next((name for name in STOPPERS if given.get(name) is True), "")
    sections = dict(COMMON)
    for role in ROLES:
        name = stopper if role.name == "stopper" else given.get(role.name, role.default)
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
    known = _homes(chosen_sections(named, objects))
    return {name: value for name, value in named.items() if name in known or not _owners(name)}


def all_sections() -> Iterator[tuple[str, str, type[Section]]]:
    """The role, name and options of every part of metaqnn; imports all of them."""
    tables: Mapping[str, Any] = {
        "evaluator": EVALUATORS,
        "agent": AGENTS,
        "stopper": STOPPERS,
        "executor": EXECUTORS,
    }
    for role in ROLES:
        for name in tables[role.name]:
            yield role.name, name, role.section(name)


def _homes(sections: Mapping[str, type[Section]]) -> dict[str, Key]:
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


def unknown_option(name: str, given: Mapping[str, Any]) -> str | None:
    """Whose an option is that the chosen parts do not have; None where no part has it.

    Args:
        name: Of the option.
        given: The options of the run.
    """
    owners = _owners(name)
    if not owners:
        return None
    role, _ = owners[0]
    key, parts = name.replace("_", "-"), " and ".join(part for _, part in owners)
    if role == "stopper":
        return f"{key} is an option of --{parts}, which is not asked for"
    there = given.get(role, next(each.default for each in ROLES if each.name == role))
    return f"{key} is an option of the {role} {parts}, and the {role} is {there}"


def read_values(path: Path) -> dict[str, Any]:
    """The options in a TOML file, by name; of a run's own file those of its parts.

    Raises:
        MetaqnnError: The file is not there, not readable or not TOML.
    """
    values = {key.replace("-", "_"): value for key, value in read_toml(path).items()}
    return of_chosen(values) if (path.parent / SPACE).exists() else values
