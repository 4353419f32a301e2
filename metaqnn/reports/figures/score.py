"""The score over the search, as in figure 3 of Baker et al. 2017."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.percent import stretch
from metaqnn.reports.figures.style import COLOURS, GREY, make_figure


def draw(findings: Findings) -> Figure:
    """The score of the distinct networks, the rolling mean, and the mean at each epsilon.

    Networks that failed are marked at the bottom and count in no mean. Where the agent was told
    something else than the score, a second panel shows it.
    """
    networks = findings.networks
    found = findings.succeeded()
    told_otherwise = (found["reward"] != found["score"]).any()
    figure = make_figure(5.6 if told_otherwise else 3.4)
    panels = figure.subplots(2 if told_otherwise else 1, 1, sharex=True, squeeze=False)[:, 0]
    handles = _draw_panel(panels[0], networks, findings.score.draw(networks["score"]))
    panels[0].set_ylabel(findings.score.label)
    stretch(panels[0], findings.score)
    if told_otherwise:
        _draw_panel(panels[1], networks, networks["reward"])
        panels[1].set_ylabel(f"reward ({findings.run.config.rewards.reward})")
    _mark_epsilons(panels[0], networks)
    panels[-1].set_xlim(0.5, len(networks) + 0.5)
    panels[-1].set_xlabel("distinct networks")
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=1.5)
    return figure


def window(networks: int) -> int:
    """How many networks a rolling mean is over: a tenth of them, at least 5 and at most 100.

    The paper's 2,700 networks have its 100.
    """
    return min(100, max(5, networks // 10))


def by_epsilon(networks: pd.DataFrame, values: "pd.Series[float]") -> pd.DataFrame:
    """A row an epsilon, falling: first and last network, and the mean of the values known."""
    if "epsilon" not in networks:
        return pd.DataFrame(columns=["first", "last", "mean"])
    table = pd.DataFrame({"found": networks["found"], "value": values})
    groups = table.groupby(networks["epsilon"])
    return groups.agg(
        first=("found", "min"), last=("found", "max"), mean=("value", "mean")
    ).sort_index(ascending=False)


def _draw_panel(axes: Axes, networks: pd.DataFrame, values: "pd.Series[float]") -> list[Line2D]:
    """Draw the values of the networks; returns what the legend needs."""
    found, predicted = networks["found"], networks["predicted"]
    known = values.notna() & networks["error"].isna()
    size = 3.5 if len(networks) < 200 else 2
    look: dict[str, Any] = {"ms": size, "color": GREY, "alpha": 0.6}
    for own, label, edge, face in (
        (known & ~predicted, "network", 0, GREY),
        (known & predicted, "network, predicted", 1, "none"),
    ):
        if own.any():
            axes.plot(found[own], values[own], "o", mew=edge, mfc=face, label=label, **look)
    last = window(len(networks))
    mean = values[known].rolling(last).mean()
    axes.plot(found[known], mean, color=COLOURS[0], linewidth=1.6, label=f"mean of the last {last}")
    for start, end, level in by_epsilon(networks[known], values[known]).itertuples(index=False):
        place = [start - 0.5, end + 0.5]
        axes.plot(place, [level, level], color=COLOURS[1], lw=2.2, label="mean at an epsilon")
    failed = found[networks["error"].notna()]
    if len(failed):
        bottom = axes.get_xaxis_transform()
        heights = [0.015] * len(failed)
        axes.plot(failed, heights, "x", ms=4, color=COLOURS[6], transform=bottom, label="failed")
    handles = {line.get_label(): line for line in axes.lines}  # one for all epsilons
    return list(handles.values())


def _mark_epsilons(axes: Axes, networks: pd.DataFrame) -> None:
    """Write each epsilon above its networks, and rule off where it falls."""
    steps = by_epsilon(networks, networks["score"])
    for position, (epsilon, first, last, _) in enumerate(steps.itertuples()):
        axes.annotate(
            f"$\\epsilon$ = {epsilon:g}" if position == 0 else f"{epsilon:g}",
            ((first + last) / 2, 1),
            (0, 2),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
        if position:
            for panel in axes.figure.axes:
                panel.axvline(first - 0.5, color=GREY, linewidth=0.5, alpha=0.5, zorder=0)
