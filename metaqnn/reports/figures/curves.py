"""Learning curves of the best networks."""

from itertools import zip_longest

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metaqnn.reports.figures.findings import Findings, NothingToShow
from metaqnn.reports.figures.percent import stretch
from metaqnn.reports.figures.style import COLOURS, GREY, MARKERS, make_figure
from metaqnn.reports.top_k import ranking

SHOWN = 5
"""So many networks of the highest rewards."""


def draw(findings: Findings) -> Figure:
    """The score of the best networks after every epoch, and the median of all networks.

    The median of an epoch is that of the networks that were trained so long.
    """
    found = findings.succeeded()
    epochs = zip_longest(*found["curve"], fillvalue=np.nan)  # some are stopped early
    curves = findings.score.draw(pd.DataFrame(epochs, columns=found.index))
    curves.index += 1
    if len(curves) < 2:
        raise NothingToShow("no network was scored after more than one epoch")
    figure = make_figure(3.4)
    axes = figure.add_subplot()
    median = curves.median(axis=1)
    label = f"median of all {len(found)}"
    axes.plot(median.index, median, "--", color=GREY, linewidth=1.6, label=label)
    best = ranking(found).head(SHOWN)
    for place, (index, score, predicted) in enumerate(best[["score", "predicted"]].itertuples()):
        curve, shown = curves[index].dropna(), findings.score.show(score)
        axes.plot(
            curve.index,
            curve,
            color=COLOURS[place],
            marker=MARKERS[place],
            markersize=4,
            linewidth=1.4,
            label=f"rank {place + 1}, {shown}{' predicted' if predicted else ''}",
        )
    axes.xaxis.set_major_locator(MaxNLocator(15, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.set_ylabel(findings.score.label)
    axes.grid(alpha=0.25, linewidth=0.6)
    stretch(axes, findings.score)
    figure.legend(loc="outside lower center", ncols=3)
    return figure
