"""Command-line options made from the fields of the configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from metaqnn.config import RunConfig, keys
from metaqnn.reports.formats import FORMATS

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


def config_options_without(*names: str) -> Callable[[F], F]:
    """Add an option for every key of RunConfig but these; only those given have a value."""

    def add(function: F) -> F:
        for section, name in reversed(keys()):
            if name not in names:
                function = _option(name, _field(section, name))(function)
        return function

    return add


config_options = config_options_without()
"""Add an option for every key of RunConfig."""


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def config_options_of(*names: str, has_default: bool = True) -> Callable[[F], F]:
    """Add the options of some keys of RunConfig; their help may leave the defaults out."""
    sections = {name: section for section, name in keys()}

    def add(function: F) -> F:
        for name in reversed(names):
            field = _field(sections[name], name)
            function = _option(name, field, has_default=has_default)(function)
        return function

    return add


def _field(section: str | None, name: str) -> FieldInfo:
    model: Any = RunConfig if section is None else RunConfig.model_fields[section].annotation
    field: FieldInfo = model.model_fields[name]
    return field


def _option(name: str, field: FieldInfo, *, has_default: bool = True) -> Callable[[F], F]:
    flag = name.replace("_", "-")
    kind = _type(field.annotation)
    several = get_origin(field.annotation) is tuple
    text = field.description or ""
    if has_default and field.default not in (None, ()) and "Default" not in text:
        default = (
            {True: "on", False: "off"}.get(field.default, field.default)
            if kind is bool
            else (field.default)
        )
        text += f"  [default: {default}]"
    declaration = f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}"
    return click.option(declaration, name, type=kind, default=None, multiple=several, help=text)


def _type(annotation: Any) -> type:
    """The plain type of an annotation such as `Annotated[float, ...] | None`."""
    if annotation in (bool, int, float, str):
        plain: type = annotation
        return plain
    return next(_type(part) for part in get_args(annotation) if part not in (type(None), ...))
