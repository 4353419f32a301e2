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
    """The accuracy of the best networks after every epoch, and the median of all networks.

    The median of an epoch is that of the networks that were trained so long.
    """
    found = findings.succeeded()
    epochs = zip_longest(*found["curve"], fillvalue=np.nan)  # some are stopped early
    curves = 100 * pd.DataFrame(epochs, columns=found.index)
    curves.index += 1
    if len(curves) < 2:
        raise NothingToShow("no network was scored after more than one epoch")
    figure = make_figure(3.4)
    axes = figure.add_subplot()
    median = curves.median(axis=1)
    label = f"median of all {len(found)}"
    axes.plot(median.index, median, "--", color=GREY, linewidth=1.6, label=label)
    best = ranking(found).head(SHOWN)
    for place, (index, accuracy, predicted) in enumerate(
        best[["accuracy", "predicted"]].itertuples()
    ):
        curve = curves[index].dropna()
        axes.plot(
            curve.index,
            curve,
            color=COLOURS[place],
            marker=MARKERS[place],
            markersize=4,
            linewidth=1.4,
            label=f"rank {place + 1}, {accuracy:.2%}{' predicted' if predicted else ''}",
        )
    axes.xaxis.set_major_locator(MaxNLocator(15, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"{findings.score} in %")
    axes.grid(alpha=0.25, linewidth=0.6)
    stretch(axes)
    figure.legend(loc="outside lower center", ncols=3)
    return figure
