"""The option --input of commands that describe networks."""

import re

import click

from metaqnn.networks.cost import Shape


class InputShape(click.ParamType[Shape]):
    """CHANNELSxHEIGHTxWIDTH, such as 3x32x32."""

    name = "CxHxW"

    def convert(
        self, value: str | Shape, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shape:
        """The shape (channels, height, width)."""
        if not isinstance(value, str):
            return value
        if not re.fullmatch(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}x[1-9][0-9]{0,4}", value):
            self.fail(f"{value!r} is not CHANNELSxHEIGHTxWIDTH, such as 3x32x32", param, ctx)
        return tuple(map(int, value.split("x")))
