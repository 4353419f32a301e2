"""Figures of a comparison."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from metaqnn.comparison.statistics import Measure, handed_over, mean_interval
from metaqnn.reports.figures.best import UNITS, time_unit
from metaqnn.reports.figures.style import COLOURS, STYLE, STYLES, make_figure, save

BEGINNING = 0.1
"""Of a search: what its first networks, good by luck, are worth need not fit in the figure."""

POINTS = 200
"""So many points a line at most."""


def best_so_far(searches: pd.DataFrame, agent: str, column: str) -> pd.DataFrame:
    """The value of the network that would be handed over after 1, 2, ... trainings.

    Args:
        searches: As `metaqnn.comparison.searches.read_searches` gives them.
        agent: Whose; where it has several budgets, its searches of the largest.
        column: The value, "expected" or "score".

    Returns:
        A row a number of trainings, up to the budget, a column a seed; NaN before a network
        succeeded. A search that ended early keeps its last value.
    """
    own = searches[searches["agent"] == agent]
    budget = own["budget"].max()
    lines = {}
    for seed, found in own[own["budget"] == budget].dropna(subset=[column]).groupby("seed"):
        ordered = found.sort_values("number").set_index("number")
        values = handed_over(ordered["network"], ordered["reward"], ordered[column])
        lines[seed] = values.reindex(range(1, budget + 1)).ffill()
    return pd.DataFrame(lines)


def best_over_time(searches: pd.DataFrame, agent: str, column: str) -> pd.DataFrame:
    """The value of the network that would be handed over after so many seconds of training.

    Args:
        searches: As `metaqnn.comparison.searches.read_searches` gives them, with seconds.
        agent: Whose; where it has several budgets, its searches of the largest.
        column: The value, "expected" or "score".

    Returns:
        A row for every time at which a training ended, until the first of the searches ended, a
        column a seed; NaN before a network succeeded.
    """
    own = searches[searches["agent"] == agent]
    lines = {}
    ends = []
    for seed, found in own[own["budget"] == own["budget"].max()].groupby("seed"):
        ordered = found.sort_values("number")
        seconds = ordered["seconds"].fillna(0).cumsum()
        succeeded = ordered.dropna(subset=[column])
        values = handed_over(succeeded["network"], succeeded["reward"], succeeded[column])
        values.index = pd.Index(seconds[succeeded.index])
        lines[seed] = values.groupby(level=0).last()
        ends.append(seconds.max())
    return pd.DataFrame(lines).sort_index().ffill().loc[: min(ends)]


def draw_comparison(
    searches: pd.DataFrame, measure: Measure, agents: Sequence[str], folder: Path
) -> None:
    """Write comparison.svg and comparison.png: how good the network to hand over is, and when.

    A line an agent: the mean over the seeds, in a band of its 95 % confidence interval, against the
    trainings; and, where these took time, against the time that they took together.
    """
    column = measure.column
    is_timed = "seconds" in searches and searches["seconds"].any()
    with mpl.rc_context(STYLE):
        figure = make_figure(3.9)
        panels = figure.subplots(1, 2 if is_timed else 1, sharey=True, squeeze=False)[0]
        again = (searches["confirmation"] > 0).any()
        place = "trainings" if again else "distinct networks"
        places = {place: {each: best_so_far(searches, each, column) for each in agents}}
        if is_timed:
            lines = {each: best_over_time(searches, each, column) for each in agents}
            unit = time_unit(max(each.index.max() for each in lines.values()))
            places[f"{unit} of training"] = {
                agent: each.set_axis(each.index / UNITS[unit]) for agent, each in lines.items()
            }
        ranges: list[tuple[float, float]] = []
        for axes, (place, lines) in zip(panels, places.items(), strict=True):
            for position, agent in enumerate(agents):
                points = measure.points(lines[agent]).dropna()
                if len(points):
                    colour = COLOURS[position % len(COLOURS)]
                    style = STYLES[position % len(STYLES)]
                    ranges.append(_draw_line(axes, points, agent, colour, style))
            _set_axes(axes, measure)
            axes.set_xlabel(place)
        if ranges and measure.optimum is None:
            bottom, top = min(low for low, _ in ranges), max(high for _, high in ranges)
            margin = 0.05 * (top - bottom) or 1
            panels[0].set_ylim(bottom - margin, top + margin)
        panels[0].set_ylabel(f"{measure.name}\n(mean, 95 % interval)")
        panels[0].legend(frameon=False, handlelength=3)
    for suffix in ("svg", "png"):
        save(figure, folder / f"comparison.{suffix}")


def _set_axes(axes: Axes, measure: Measure) -> None:
    if measure.optimum is not None:
        # most of a regret goes in the first few networks, and the rest would be a flat line
        axes.set_xscale("log")
        axes.set_yscale("log", nonpositive="clip")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
    axes.margins(x=0)
    axes.grid(alpha=0.25, linewidth=0.6)


def _draw_line(
    axes: Axes, lines: pd.DataFrame, label: str, colour: str, style: str
) -> tuple[float, float]:
    """Draw it; the range of its mean after the beginning, and of its band at the end."""
    drawn = np.unique(np.geomspace(1, len(lines), POINTS).round().astype(int)) - 1
    lines = lines.iloc[drawn]
    low, high = mean_interval(lines.to_numpy().T)
    means = lines.mean(axis=1)
    axes.plot(
        lines.index,
        means,
        style,
        color=colour,
        label=label,
        linewidth=1.6,
        drawstyle="steps-post",
    )
    axes.fill_between(lines.index, low, high, color=colour, alpha=0.15, linewidth=0, step="post")
    later = lines.index >= BEGINNING * lines.index[-1]
    shown = [*means[later], low[-1], high[-1]]  # NaN where one seed has no band
    return np.nanmin(shown), np.nanmax(shown)
