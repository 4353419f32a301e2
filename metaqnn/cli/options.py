"""Command-line options made from the fields of sections."""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
import cloup
from pydantic.fields import FieldInfo

from metaqnn.cli.help import MATTERING, Extent, Group, GroupedCommand
from metaqnn.config import (
    ROLES,
    all_sections,
    chosen_parts,
    claim_options,
    read_values,
    unknown_option,
)
from metaqnn.config.trust import check_read, leave_unread
from metaqnn.environment import CONFIG
from metaqnn.errors import MetaqnnError
from metaqnn.executors.options import ExecutorOptions
from metaqnn.options import Section, fields_of, headings_of, names_of, owners_of
from metaqnn.reports.formats import FORMATS
from metaqnn.runs.clock import defaults

F = TypeVar("F", bound=Callable[..., Any])

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="csv and json carry all digits.",
)
"""The option of commands that print a table."""

run_folder = click.argument("folder", type=click.Path(path_type=Path))
"""The argument of commands that look at a run."""

trust_option = click.option(
    "--trust",
    is_flag=True,
    help="Import code that only the folder names, such as an agent module:Class: you trust whoever "
    "made it.",
)
"""The option of commands that look at a run."""

CHOOSING = (*(role.name for role in ROLES), "workers", "network-timeout")
"""Options that say which parts there are."""


class PartsCommand(GroupedCommand):
    """A command that has the options of the parts that its arguments choose.

    What is neither an option of those nor of the command is refused by saying whose it is.

    Attributes:
        skipped: Options that the command does not have.
        only_changeable: It has only those that a run may be given anew.
    """

    skipped: tuple[str, ...] = ()
    only_changeable: bool = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out which parts there are, then parse."""
        chosen = self.choose(args)
        for given in chosen if not self.only_changeable else ():
            claim_options(given)
        parts = [part for given in chosen for part in chosen_parts(given)]
        if self.first and "--help-all" in args:
            parts += all_sections()
        named = {*_names(args), *(name for given in chosen for name in given)}
        ctx.meta["metaqnn.options"] = self.make_options(parts, named)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.removeprefix("--no-").lstrip("-").replace("-", "_")
            reason = None if name in self.skipped else unknown_option(name, chosen[-1])
            if reason is None:
                raise
            raise MetaqnnError(reason) from None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Those of the command, those of the parts, and --help."""
        own = super().get_params(ctx)
        return [*own[:-1], *ctx.meta.get("metaqnn.options", []), *own[-1:]]

    def choose(self, args: list[str]) -> list[dict[str, Any]]:
        """What the arguments say of the parts, as options; of several choices each."""
        given = scan(args, (*CHOOSING, "config", "time-limit", "dataset"))
        from_file = read_values(Path(given.pop("config"))) if "config" in given else {}
        chosen = {**from_file, **given}
        own = {"help", *(str(param.name) for param in self.params)}
        others = dict.fromkeys(_names(args) - own)
        return [{**defaults({**others, **chosen}), **chosen}]

    def make_options(
        self, parts: Iterable[tuple[str, str, type[Section]]], named: Collection[str]
    ) -> list[click.Parameter]:
        """The options of parts, each in the group of its part, or of all parts that have it.

        Args:
            parts: Role, name and options of each.
            named: The options that say something, such as of which role the part is named.
        """
        owners: dict[str, dict[tuple[str, str], type[Section]]] = {}
        for role, part, section in parts:
            wanted = names_of(section, "CHANGEABLE") if self.only_changeable else fields_of(section)
            whose = owners_of(section)
            for name in fields_of(section):
                if name in wanted and name not in self.skipped:
                    owners.setdefault(name, {})[whose.get(name, (role, part))] = section
        made: list[click.Parameter] = []
        for name, found in owners.items():
            (role, part), section = next(iter(found.items()))
            heading = headings_of(section)[name]
            if not heading:
                heading = f"{role.capitalize()} {', '.join(part for _, part in found)}"
            if not role:
                group = Group(heading)
            elif role in named or part in named:
                group = Group(heading, Extent.ALL)
            else:
                group = Group(heading, Extent.NAMES, f"--{role} {part} --help")
            fields = {part: fields_of(section)[name][1] for (_, part), section in found.items()}
            made.append(_option(name, fields, group, has_default=not self.only_changeable))
        return made


class ResumeCommand(PartsCommand):
    """Has those options that the run in its folder may be given anew."""

    only_changeable = True

    def choose(self, args: list[str]) -> list[dict[str, Any]]:
        """The options of the run."""
        files = [Path(arg) / CONFIG for arg in args if not arg.startswith("-")]
        there = [path for path in files if path.is_file()]
        if there and "--trust" not in args:
            check_read(leave_unread(there[0].parent))
        stored = read_values(there[0]) if there else {}
        return [{**stored, **scan(args, CHOOSING)}]


class CompareCommand(PartsCommand):
    """Has the options of all agents that are compared, and of what scores their networks."""

    skipped = (
        *("agent", "seed", "budget", "time_limit", "keep", "tensorboard", "executor"),
        *fields_of(ExecutorOptions),
    )

    def choose(self, args: list[str]) -> list[dict[str, Any]]:
        """One choice an agent."""
        given = scan(args, (*CHOOSING, "dataset"))
        given.pop("agent", None)
        entrants = [after for arg, after in pairwise([*args, ""]) if arg == "--agent"]
        entrants += [arg.partition("=")[2] for arg in args if arg.startswith("--agent=")]
        return [{**given, "agent": text.partition(",")[0]} for text in entrants] or [given]


def _names(args: list[str]) -> set[str]:
    """The names of all options that are given, with _."""
    keys = (arg.partition("=")[0] for arg in args if arg.startswith("--"))
    return {key.removeprefix("--").removeprefix("no-").replace("-", "_") for key in keys}


def scan(args: list[str], names: Iterable[str]) -> dict[str, Any]:
    """The values of some options, by name with _; flags are True."""
    wanted = {f"--{name}": name.replace("-", "_") for name in names}
    flags = {"--predictor": "predictor", "--halving": "halving"}
    found: dict[str, Any] = {}
    for place, arg in enumerate(args):
        key, equals, value = arg.partition("=")
        if key in flags:
            found[flags[key]] = True
        elif key in wanted and (equals or place + 1 < len(args)):
            found[wanted[key]] = value if equals else args[place + 1]
    return found


def section_options(
    section: type[Section], *names: str, has_default: bool = True
) -> Callable[[F], F]:
    """Add the options of a section, or some of them; their help may leave the defaults out."""

    def add(function: F) -> F:
        for name in reversed(names or tuple(fields_of(section))):
            params = function.__dict__.setdefault("__click_params__", [])
            params.append(make_option(section, name, has_default=has_default))
        return function

    return add


def make_option(section: type[Section], name: str, *, has_default: bool) -> cloup.Option:
    """The option of a field of a section, in the group of its heading."""
    heading = headings_of(section)[name]
    group = Group(heading) if heading else MATTERING
    return _option(name, {"": fields_of(section)[name][1]}, group, has_default=has_default)


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def _option(
    name: str, fields: Mapping[str, FieldInfo], group: Group, *, has_default: bool
) -> cloup.Option:
    """The option of a field, which several parts may have, each with a default of its own."""
    flag = name.replace("_", "-")
    annotation = next(iter(fields.values())).annotation
    kind = _type(name, annotation)
    declaration = f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}"
    parts: dict[str, list[str]] = {}
    for part, field in fields.items():
        parts.setdefault(_explain(field, kind, has_default=has_default), []).append(part)
    told = [f"{', '.join(those)}: {text}" for text, those in parts.items()]
    return cloup.Option(
        [declaration, name],
        type=kind,
        default=None,
        multiple=get_origin(annotation) is tuple,
        help="; ".join(told) if len(told) > 1 else next(iter(parts)),
        group=group,
    )


def _explain(field: FieldInfo, kind: type, *, has_default: bool) -> str:
    """What help says of a field."""
    text = field.description or ""
    has_default = has_default and not field.is_required() and "Default" not in text
    if has_default and field.default not in (None, ()):
        words = {True: "on", False: "off"} if kind is bool else {}
        text += f"  [default: {words.get(field.default, field.default)}]"
    return text


def _type(name: str, annotation: Any) -> type:
    """The plain type of an option's annotation, such as `Annotated[float, ...] | None`.

    Raises:
        MetaqnnError: It has none.
    """
    if annotation in (bool, int, float, str):
        plain: type = annotation
        return plain
    parts = [part for part in get_args(annotation) if part not in (type(None), ...)]
    if get_origin(annotation) is Literal:
        parts = list(map(type, parts))
    if not parts:
        raise MetaqnnError(
            f"the option {name} is a {getattr(annotation, '__name__', annotation)}, not a bool, "
            "int, float, str, Literal, or a tuple of these"
        )
    return _type(name, parts[0])
