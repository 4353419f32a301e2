"""The option --input of commands that describe networks."""

import re

import click

from metaqnn.task import Shape


def parse_shape(context: click.Context, option: click.Parameter, value: str | None) -> Shape | None:
    """The shape (channels, height, width) of a text such as 3x32x32; a callback of click."""
    if value is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,4}(x[1-9][0-9]{0,4}){2}", value):
        raise click.BadParameter(f"{value!r} is not CHANNELSxHEIGHTxWIDTH, such as 3x32x32")
    return tuple(map(int, value.split("x")))
