"""Sections: the options that a part of a run owns."""

import re
import sys
from collections.abc import Mapping
from reprlib import Repr
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from metaqnn.errors import MetaqnnError

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

M = TypeVar("M", bound=BaseModel)

RESERVED = {
    **dict.fromkeys(("config", "name", "results_dir"), "metaqnn run"),
    "quiet": "metaqnn run and metaqnn resume",
    **dict.fromkeys(("agents", "budgets", "seeds", "first_seed", "until"), "metaqnn compare"),
    **dict.fromkeys(("reference", "jobs", "form", "format"), "metaqnn compare"),
    **dict.fromkeys(("shape", "classes", "score"), "metaqnn.Search"),
    **dict.fromkeys(("folder", "trust", "help", "help_all", "debug", "version"), "the commands"),
}
"""Names that no part's option can have, and whose they are."""

_owners: dict[str, tuple[str, tuple[str, str]]] = {}
"""Every option's name, with the section that declares it, and the file and place of that."""


class Section(BaseModel):
    """The options of one part: immutable, strict about types, without unknown keys.

    In TOML and on the command line the options of all parts stand side by side, so no two sections
    can declare one name: the second is refused when it is imported, and so is what commands have
    themselves. A section may inherit options, and may have sections as fields, whose options are
    its own.

    Attributes:
        FREE: Names of options that do not make a run another one.
        CHANGEABLE: Those of them that a run may be given anew, as `metaqnn resume` does.
        INPUTS: Those of them that name a file of which the run's folder keeps a copy.
        HEADING: Over its options in the help of commands; empty for the kind and name of the part.
        ELSEWHERE: Names of options that stand under another heading, by that.
        ONLY_WITH: Names of options that count only with some part or function, by its kind and
            name, whose they are in help.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    FREE: ClassVar[tuple[str, ...]] = ()
    CHANGEABLE: ClassVar[tuple[str, ...]] = ()
    INPUTS: ClassVar[tuple[str, ...]] = ()
    HEADING: ClassVar[str] = ""
    ELSEWHERE: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    ONLY_WITH: ClassVar[Mapping[tuple[str, str], tuple[str, ...]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Claim the names of the options that the section declares.

        Raises:
            MetaqnnError: Another section or a command has one of them.
        """
        for name in cls.__annotations__:
            field = cls.model_fields.get(name)
            inherited = any(name in getattr(base, "model_fields", ()) for base in cls.__bases__)
            if field is None or is_section(field) or inherited:
                continue
            _claim(name, cls)

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The options of a run as given, with defaults that depend on others written out.

        Args:
            given: Of all parts, by name, not checked yet; values of a wrong type are left to the
                checks of the fields.
        """
        return given


def _claim(name: str, section: type[Section]) -> None:
    """Make an option's name a section's own.

    Raises:
        MetaqnnError: It is another's already; whoever is not of metaqnn is to blame.
    """
    own = f"{section.__module__}.{section.__qualname__}"
    # a program's own file is imported once more under its name, and in workers under a third one
    file = getattr(sys.modules.get(section.__module__), "__file__", None)
    place = (file or section.__module__, section.__qualname__)
    if name in RESERVED and not _is_ours(own):
        owner = RESERVED[name]
    else:
        owner, first = _owners.setdefault(name, (own, place))
        if first == place:
            return
        if _is_ours(own):
            own, owner = owner, own
    raise MetaqnnError(f"{own} declares the option {name}, which belongs to {owner}: rename it")


def _is_ours(section: str) -> bool:
    return section.startswith("metaqnn.")


def is_section(field: FieldInfo) -> bool:
    """Whether a field holds a section."""
    kind = field.annotation
    return isinstance(kind, type) and issubclass(kind, Section)


def fields_of(section: type[Section]) -> dict[str, tuple[tuple[str, ...], FieldInfo]]:
    """Every option of a section: its name, the path of sections that leads to it, and its field."""
    found: dict[str, tuple[tuple[str, ...], FieldInfo]] = {}
    for name, field in section.model_fields.items():
        if is_section(field):
            inner: Any = field.annotation
            for key, (path, own) in fields_of(inner).items():
                found[key] = (name, *path), own
        else:
            found[name] = (), field
    return found


def names_of(section: type[Section], kind: str) -> tuple[str, ...]:
    """The names in FREE, CHANGEABLE or INPUTS of a section and of those in it."""
    inner = _sections_in(section)
    return (*getattr(section, kind), *(name for one in inner for name in names_of(one, kind)))


def headings_of(section: type[Section]) -> dict[str, str]:
    """The heading of every option of a section and of those in it; "" for that of the part."""
    found = dict.fromkeys(section.model_fields, section.HEADING)
    for inner in _sections_in(section):
        found |= headings_of(inner)
    for heading, names in section.ELSEWHERE.items():
        found |= dict.fromkeys(names, heading)
    return found | dict.fromkeys(owners_of(section), "")


def owners_of(section: type[Section]) -> dict[str, tuple[str, str]]:
    """Whose options are in help that count only with some part; see `Section.ONLY_WITH`."""
    found: dict[str, tuple[str, str]] = {}
    for inner in _sections_in(section):
        found |= owners_of(inner)
    for owner, names in section.ONLY_WITH.items():
        found |= dict.fromkeys(names, owner)
    return found


_NUMBER = r"(\d+(?:\.\d+)?)"


def read_duration(text: str, units: Mapping[str, float]) -> float:
    """Seconds, of a text such as 1h30m: numbers with units, in the order of these.

    Args:
        text: What somebody has written.
        units: Seconds of each.

    Raises:
        ValueError: It is something else, or nothing.
    """
    parts = "".join(f"(?:{_NUMBER}{unit})?" for unit in units)
    found = re.fullmatch(parts, text.strip())
    numbers = zip(found.groups() if found else (), units.values(), strict=False)
    seconds = sum(float(number) * unit for number, unit in numbers if number)
    if not seconds:
        raise ValueError(f"{text!r} is no time in {', '.join(units)}")
    return seconds


def _sections_in(section: type[Section]) -> list[Any]:
    return [field.annotation for field in section.model_fields.values() if is_section(field)]


def make(section: type[M], values: dict[str, Any]) -> M:
    """The section of its options' values, which are not nested.

    Raises:
        MetaqnnError: See `validated`.
    """
    nested: dict[str, Any] = {}
    homes = fields_of(section) if issubclass(section, Section) else {}
    for name, value in values.items():
        place = nested
        for step in homes[name][0]:
            place = place.setdefault(step, {})
        place[name] = value
    return validated(section, nested)


def flatten(section: Section) -> dict[str, Any]:
    """The values of a section's options by name, as TOML can hold them; None stays."""
    values = section.model_dump(mode="json")
    flat = {}
    for name, (path, _) in fields_of(type(section)).items():
        place = values
        for step in path:
            place = place[step]
        flat[name] = place[name]
    return flat


def validated(model: type[M], values: dict[str, Any]) -> M:
    """The model of the values.

    Raises:
        MetaqnnError: One line that names all that is wrong with them.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise MetaqnnError("; ".join(map(_problem, error.errors()))) from None


def _problem(problem: Any) -> str:
    """What is wrong with a value, of what pydantic says of it."""
    name = str(problem["loc"][-1]).replace("_", "-")
    if problem["type"] == "missing":
        return f"{name} must be given: it has no default"
    text = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
    return f"{name} is {_shown(problem['input'])}: {text}"


def _shown(value: Any) -> str:
    """A value in one line that is not too long."""
    short = Repr()
    short.maxstring, short.maxlong = 200, 200
    short.maxother = 40  # such as arrays
    text = " ".join(short.repr(value).split())
    return text if len(text) <= 200 else f"{text[:200]}..."
