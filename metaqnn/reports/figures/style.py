"""How all figures look: made for print, one column of 6.3 inches, and for the colour-blind."""

from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe & Ito, which the colour-blind can tell apart; without the yellow, too pale for lines."""

STYLES = ("-", "--", ":", "-.")
"""As many that colours and styles together repeat only after 28 lines."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One a colour."""

GREY = "#8C8C8C"
"""What stands behind: all networks, where some are the matter."""

WIDTH = 6.3
"""Inches."""

DOTS = 200
"""Of a png, an inch."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "lines.solid_capstyle": "butt",
    "svg.hashsalt": "metaqnn",  # the same figure is the same file
    "svg.fonttype": "none",
}

_DATES = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""The date that a file would carry, taken out, for the same figure is the same file."""


def make_figure(height: float) -> Figure:
    """An empty figure of the common width; to be drawn within the style."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix, png at 200 dots an inch."""
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=DOTS, metadata=_DATES[path.suffix[1:]])


def render_png(figure: Figure) -> bytes:
    """The content of a figure's png file."""
    content = BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(content, format="png", dpi=DOTS)
    return content.getvalue()
