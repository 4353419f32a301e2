"""The Q-table at a glance: the mean Q-value by layer and action."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metaqnn.reports.figures.decisions import name, rows_of
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.q_values import mean_by_depth
from metaqnn.reports.figures.style import make_figure

ROW = 0.2
"""Inches."""

WRITTEN = 12
"""Up to so many layers the values are written into their cells."""


def draw(findings: Findings) -> Figure:
    """The mean Q-value of the actions that some network took, by layer and action.

    What no network took is left white. Where there are too many actions, those of a type are one.
    """
    tried = findings.tried()
    rows = rows_of(tried["action"].unique())
    means = mean_by_depth(findings, tried, tried["action"].map(rows))
    vocabulary = [token for kind in findings.space.vocabulary.values() for token in kind]
    tokens = list(dict.fromkeys(rows[token] for token in vocabulary if token in rows))
    layers = range(1, means.index.max() + 1)
    values = means.reindex(layers)[tokens].T
    figure = make_figure(0.9 + ROW * len(tokens))
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(
        layers, range(len(tokens)), values, cmap="viridis", edgecolors="white", linewidth=0.8
    )
    if len(layers) <= WRITTEN:
        middle = values.stack().agg(["min", "max"]).mean()
        for row, cells in enumerate(values.to_numpy()):
            for layer, value in zip(layers, cells, strict=True):
                if not np.isnan(value):
                    colour = "black" if value > middle else "white"
                    text = f"{value:.2f}"
                    axes.text(layer, row, text, color=colour, fontsize=7, ha="center", va="center")
    axes.set_yticks(range(len(tokens)), [name(token) for token in tokens], fontsize=8)
    axes.set_ylim(len(tokens) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(20, integer=True, min_n_ticks=1))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("layer")
    figure.colorbar(mesh, ax=axes, label=f"mean {findings.knows}", fraction=0.05, pad=0.02)
    return figure
