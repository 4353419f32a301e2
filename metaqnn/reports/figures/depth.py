"""Mean Q-value by depth and type of layer, as in appendix A3 of Baker et al. 2017."""

from typing import Any

from matplotlib.figure import Figure

from metaqnn.reports.figures.decisions import group
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.q_values import draw_means, mean_by_depth
from metaqnn.reports.figures.style import make_figure

CLOSE: dict[str, Any] = {
    "borderaxespad": 0,
    "columnspacing": 1,
    "handlelength": 2,
    "handletextpad": 0.4,
}
"""Of a legend beside a panel's title."""

BESIDE, BELOW = 5, 9
"""So many names fit beside the title of one of two panels in a row; more stand to the right of a
panel that has a row of its own, so many in a column."""


def draw(findings: Findings) -> Figure:
    """The mean Q-value of the actions that some network took, by layer and what was chosen there.

    A panel a kind of decision: a chain has one, the type of the layer.
    """
    tried = findings.tried()
    groups = group(findings.space)
    kinds = tried["action"].map({token: kind for token, (kind, _) in groups.items()})
    names = tried["action"].map({token: name for token, (_, name) in groups.items()})
    shown = [kind for kind in findings.space.vocabulary if (kinds == kind).any()]
    order = {
        kind: list(dict.fromkeys(name for other, name in groups.values() if other == kind))
        for kind in shown
    }
    is_wide = len(shown) > 1 and max(map(len, order.values())) > BESIDE
    columns = 1 if is_wide else min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = make_figure(3.4 if rows == 1 else 2.5 * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, kind in zip(panels.flat, shown, strict=False):
        own = kinds == kind
        draw_means(axes, mean_by_depth(findings, tried[own], names[own]), order[kind])
        if is_wide:
            axes.set_title(kind, loc="left")
            ncols = -(-len(order[kind]) // BELOW)
            axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), ncols=ncols, **CLOSE)
        elif len(shown) > 1:
            axes.set_title(kind, loc="left")
            axes.legend(
                loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(order[kind]), **CLOSE
            )
        axes.label_outer()
    for axes in panels.flat[len(shown) :]:
        axes.remove()
    if len(shown) == 1:
        figure.legend(loc="outside right upper", handlelength=3)
    figure.supylabel(f"mean {findings.knows}", fontsize=9)
    return figure
