"""All figures of a run."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

from metaqnn.reports.figures.catalogue import FIGURES, OLDER
from metaqnn.reports.figures.findings import Findings, NothingToShow
from metaqnn.reports.figures.style import STYLE, render_png


def draw_figure(name: str, findings: Findings) -> Figure:
    """One figure; `metaqnn.reports.figures.style.save` writes it.

    Raises:
        MetaqnnError: There is no such figure, or nothing that it could show.
    """
    draw = FIGURES.find(OLDER.get(name, name))
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


class Figures(dict[str, Figure]):
    """Figures by name; a notebook shows all of them."""

    def _repr_html_(self) -> str:
        return "".join(
            f'<p><img alt="{escape(name)}" style="width: 40em" '
            f'src="data:image/png;base64,{b64encode(render_png(figure)).decode()}"></p>'
            for name, figure in self.items()
        )
