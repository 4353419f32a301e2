"""How results show themselves in notebooks: as HTML, in which all text is escaped."""

import sys
import time
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

INTERVAL = 1.0
"""Seconds between two views of what changes."""


def render_facts(title: str, facts: Mapping[str, object]) -> str:
    """A title, and a table with a line a fact."""
    rows = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f"<div><b>{escape(title)}</b><table>{rows}</table></div>"


def render_table(table: "pd.DataFrame") -> str:
    """A table without its index."""
    import pandas as pd

    with pd.option_context("display.max_colwidth", None):
        return table.to_html(index=False, border=0, escape=True)


def show_live(thing: Any) -> Callable[..., None]:
    """Show a thing in a notebook; returns what shows it anew, in the same place.

    That does nothing within `INTERVAL` of the last time, unless it is called with `now=True`;
    and nothing at all where there is no notebook.
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        return lambda now=False: None
    from IPython.display import display

    view = display(thing, display_id=True)
    shown = time.monotonic()

    def show(now: bool = False) -> None:
        nonlocal shown
        if now or time.monotonic() - shown > INTERVAL:
            view.update(thing)
            shown = time.monotonic()

    return show
