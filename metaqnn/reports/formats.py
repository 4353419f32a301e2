"""The formats of reports."""

from typing import Literal, get_args

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
