"""The formats of reports."""

import json
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Literal, get_args

from tabulate import tabulate

from metaqnn.terminal import as_cell, printable

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["table", "markdown", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)

FIGURE_FORMATS = ("png", "svg", "pdf")
"""The formats of figures, suffixes of their files."""


def render_exactly(frame: "pd.DataFrame", form: Literal["csv", "json"]) -> str:
    """A table with all digits; JSON is a list of objects, and carries texts to the letter."""
    if form == "csv":
        return as_cells(frame).to_csv(index=False, lineterminator="\n").rstrip("\n")
    known = frame.astype(object).where(frame.notna(), None)
    return json.dumps(known.to_dict("records"), indent=2)


def as_cells(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with its texts, those of the header too, as `as_cell` has them."""
    texts = {
        str(name): [as_cell(value) if isinstance(value, str) else value for value in column]
        for name, column in frame.select_dtypes(["object", "string"]).items()
    }
    return frame.assign(**texts).rename(columns=lambda name: as_cell(str(name)))


def render_cells(
    frame: "pd.DataFrame", form: Literal["table", "markdown"], left: Collection[str]
) -> str:
    """A table for people, as it stands; the columns in `left` are aligned there."""
    bar = r"\|" if form == "markdown" else "|"
    return tabulate(
        {name: [printable(str(cell)).replace("|", bar) for cell in frame[name]] for name in frame},
        headers="keys",
        tablefmt="pipe" if form == "markdown" else "simple",
        colalign=["left" if name in left else "right" for name in frame] if len(frame) else None,
        disable_numparse=True,
    )


def format_column(column: "pd.Series[Any]", form: Callable[[Any], str]) -> list[str]:
    """The values of a column as text; nothing where there is none."""
    import pandas as pd

    return ["" if pd.isna(value) else form(value) for value in column]
