"""All figures of a run."""

from collections.abc import Iterable

import matplotlib as mpl
from matplotlib.figure import Figure

from metaqnn.reports.figures.catalogue import FIGURES
from metaqnn.reports.figures.findings import Findings, NothingToShow
from metaqnn.reports.figures.style import STYLE


def draw_figure(name: str, findings: Findings) -> Figure:
    """One figure; `metaqnn.reports.figures.style.save` writes it.

    Raises:
        MetaqnnError: There is no such figure, or nothing that it could show.
    """
    draw = FIGURES.find(name)
    with mpl.rc_context(STYLE):
        return draw(findings)


def draw_figures(
    findings: Findings, names: Iterable[str] = tuple(FIGURES)
) -> tuple[dict[str, Figure], dict[str, str]]:
    """The figures that have something to show, by name; and of the others, why they have not."""
    figures, left_out = {}, {}
    for name in names:
        try:
            figures[name] = draw_figure(name, findings)
        except NothingToShow as reason:
            left_out[name] = str(reason)
    return figures, left_out
