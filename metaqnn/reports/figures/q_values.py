"""Lines of mean Q-values by depth."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.style import COLOURS, MARKERS, STYLES


def mean_by_depth(findings: Findings, tried: pd.DataFrame, names: "pd.Series[str]") -> pd.DataFrame:
    """The mean Q-value of the actions of one name, a column each, by layer: a row each, from 1.

    Args:
        findings: Of the run.
        tried: The rows of a Q-table that count, each once.
        names: Of their actions.
    """
    space = findings.space
    observation: Any = type(space.observation(space.initial_state()))
    rows = tried[list(observation._fields)].itertuples(index=False)
    layers = pd.Series([space.layer(observation(*row)) + 1 for row in rows], tried.index)
    means = tried["q"].groupby([layers, names]).mean()
    return means.unstack().rename_axis(index="layer", columns=None)


def draw_means(axes: Axes, means: pd.DataFrame, order: Sequence[str]) -> None:
    """Draw a line a column; its look is that of the name's place in the order."""
    for position, name in enumerate(order):
        if name in means:
            axes.plot(
                means.index,
                means[name],
                STYLES[position // len(COLOURS) % len(STYLES)],
                color=COLOURS[position % len(COLOURS)],
                marker=MARKERS[position % len(MARKERS)],
                markersize=4.5,
                linewidth=1.4,
                label=name,
            )
    axes.xaxis.set_major_locator(MaxNLocator(15, integer=True, min_n_ticks=1))
    axes.set_xlabel("layer")
    axes.grid(alpha=0.25, linewidth=0.6)
