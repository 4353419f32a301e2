"""The best network so far, by networks and by hours of training."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metaqnn.reports.distinct import by_standing
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.percent import stretch
from metaqnn.reports.figures.style import COLOURS, GREY, make_figure
from metaqnn.task import Score

UNITS = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
"""Of time, in seconds."""


def draw(findings: Findings) -> Figure:
    """The score of the network that would be handed over, that of the highest reward so far.

    By what is known now: networks that were trained again, which come first, have their means.
    Against the distinct networks, and, where trainings took time, against the time that they took
    together. Dots are networks that were handed over for a while, or to this day.
    """
    found = findings.measured()
    networks = findings.networks
    order = by_standing(found).index
    standing = pd.Series(-np.arange(len(order), dtype=float), order)
    best = running_best(standing[found.index], findings.score.draw(found["score"]))
    figure = make_figure(3.2)
    places = {"distinct networks": networks["found"].astype(float)}
    if "seconds" in networks and networks["seconds"].sum() > 0:
        seconds = networks["seconds"].fillna(0).cumsum()
        unit = time_unit(seconds.max())
        places[f"{unit} of training"] = seconds / UNITS[unit]
    panels = figure.subplots(1, len(places), sharey=True, squeeze=False)[0]
    for axes, (label, place) in zip(panels, places.items(), strict=True):
        _draw_line(axes, place[found.index], best, place.iloc[-1], findings.score)
        axes.set_xlabel(label)
    panels[0].set_ylabel(f"{findings.score.label}\nof the best network so far")
    stretch(panels[0], findings.score)
    return figure


def time_unit(seconds: float) -> str:
    """The largest unit of which so much time has two, or seconds."""
    return next(unit for unit, size in UNITS.items() if seconds >= 2 * size or size == 1)


def running_best(rewards: "pd.Series[float]", values: "pd.Series[float]") -> "pd.Series[float]":
    """After each network, the value of that of the highest reward so far, the first of equals."""
    before = rewards.cummax().shift(fill_value=-np.inf)
    return values.where(rewards > before).ffill()


def _draw_line(
    axes: Axes, place: "pd.Series[float]", best: "pd.Series[float]", end: float, score: Score
) -> None:
    new = best.ne(best.shift())
    axes.step([*place, end], [*best, best.iloc[-1]], where="post", color=COLOURS[0], linewidth=1.6)
    axes.plot(place[new], best[new], "o", color=COLOURS[0], markersize=3.5)
    axes.annotate(
        score.format(best.iloc[-1] / score.factor),
        (end, best.iloc[-1]),
        (0, -4),
        textcoords="offset points",
        ha="right",
        va="top",
    )
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25, linewidth=0.6, color=GREY)
