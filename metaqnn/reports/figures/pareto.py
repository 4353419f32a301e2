"""The score against parameters, multiply-adds and, where it was measured, latency."""

from textwrap import wrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from metaqnn.objectives.names import LABELS, LATENCY
from metaqnn.reports.figures.findings import Findings, NothingToShow
from metaqnn.reports.figures.percent import stretch
from metaqnn.reports.figures.style import COLOURS, GREY, make_figure
from metaqnn.reports.pareto import pareto_front

UNITS = {LATENCY: "s"}
"""Of costs that have one."""

NAMED = 15
"""So many networks at most are named."""

LINE = 80
"""Characters of a network in a line of the list."""

COLUMNS = ((0.03, "right"), (0.145, "right"), (0.23, "right"), (0.245, "left"))
"""Where those of the list are, as shares of the width, and their alignment."""

LINE_HEIGHT = 0.12
"""Inches."""


def draw(findings: Findings) -> Figure:
    """The score of the networks against what they cost, or the run's objectives, with the fronts.

    On a front are the networks that no other one beats in both. The list below names them in the
    order of size, where they are many only the best; the numbers in the panels are those
    of the list.
    """
    found = findings.measured()
    wanted = findings.objectives or LABELS
    costs = [cost for cost in wanted if cost in found and (found[cost] > 0).any()]
    if not costs:
        raise NothingToShow("the networks' parameters are not known")
    found = found.dropna(subset=costs)
    fronts = {cost: pareto_front(found[cost], found["score"]) for cost in costs}
    on_fronts = found[pd.DataFrame(fronts).any(axis=1)]
    named = on_fronts.nlargest(NAMED, "score").sort_values([costs[0], "score"])
    numbers = pd.Series(range(1, len(named) + 1), named.index)
    lines = _list(findings, named, numbers)
    height = LINE_HEIGHT * len(lines) + 0.1
    figure = make_figure(3.3 + height)
    parts = figure.subfigures(2, 1, height_ratios=[3.3, height], squeeze=False)[:, 0]
    panels = parts[0].subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for axes, cost in zip(panels, costs, strict=True):
        _draw_front(axes, found[cost], findings.score.draw(found["score"]), fronts[cost], numbers)
        axes.set_xlabel(LABELS[cost])
        axes.xaxis.set_major_formatter(EngFormatter(UNITS.get(cost, ""), sep=""))
    panels[0].set_ylabel(findings.score.label)
    stretch(panels[0], findings.score)
    for row, cells in enumerate(lines, start=1):
        # a cell at a time, for SVG files have no runs of spaces
        for (place, align), cell in zip(COLUMNS, cells, strict=True):
            y = 1 - row * LINE_HEIGHT / height
            parts[1].text(place, y, cell, ha=align, va="baseline", family="monospace", size=7)
    return figure


def _draw_front(
    axes: Axes,
    costs: "pd.Series[float]",
    scores: "pd.Series[float]",
    front: "pd.Series[bool]",
    numbers: "pd.Series[int]",
) -> None:
    size = 4 if len(costs) < 200 else 2.5
    axes.plot(costs[~front], scores[~front], "o", ms=size, mew=0, color=GREY, alpha=0.5)
    on_front = pd.DataFrame({"cost": costs[front], "score": scores[front]})
    on_front = on_front.assign(number=numbers).sort_values(["cost", "score"])
    axes.step(on_front["cost"], on_front["score"], where="post", color=COLOURS[1], linewidth=1.2)
    axes.plot(on_front["cost"], on_front["score"], "o", ms=4.5, color=COLOURS[1])
    for place, (cost, score, number) in enumerate(on_front.dropna().itertuples(index=False)):
        above = place % 2 == 0  # in turn, for they may be near to each other
        axes.annotate(
            f"{number:.0f}",
            (cost, score),
            (-2, 2) if above else (3, -2),
            textcoords="offset points",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            fontsize=7.5,
        )
    axes.set_xscale("log")
    narrow = costs.max() < 100 * costs.min()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25, linewidth=0.6)


def _list(
    findings: Findings, named: pd.DataFrame, numbers: "pd.Series[int]"
) -> list[tuple[str, str, str, str]]:
    """The lines that name the networks on the fronts, in four columns."""
    lines = [("", "parameters", findings.score.word, "network")]
    columns = named[["parameters", "score", "walk"]].itertuples()
    for index, parameters, score, walk in columns:
        first, *more = wrap(findings.space.text(walk), LINE)
        lines.append((str(numbers[index]), f"{parameters:,.0f}", findings.score.show(score), first))
        lines += [("", "", "", text) for text in more]
    return lines
