"""How results show themselves in notebooks: as HTML, in which all text is escaped."""

import sys
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

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


class Figures(dict[str, "Figure"]):
    """Figures by name; a notebook shows all of them."""

    def _repr_html_(self) -> str:
        from metaqnn.reports.figures.style import render_png

        return "".join(
            f'<p><img alt="{escape(name)}" style="width: 40em" '
            f'src="data:image/png;base64,{b64encode(render_png(figure)).decode()}"></p>'
            for name, figure in self.items()
        )


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
