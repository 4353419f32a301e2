"""The score by epsilon, as in appendix A2 of Baker et al. 2017."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from metaqnn.reports.figures.findings import Findings, NothingToShow
from metaqnn.reports.figures.percent import stretch
from metaqnn.reports.figures.style import COLOURS, GREY, make_figure

FEWEST = 5
"""So many networks at least have quartiles."""

HALF = 0.3
"""Of a box's width, where epsilons are 1 apart."""


def draw(findings: Findings) -> Figure:
    """The distribution of the score of the distinct networks at each epsilon.

    A dot a network, in a box from quartile to quartile with the median, and the mean. Networks that
    failed have no score.
    """
    found = findings.succeeded()
    if "epsilon" not in found or found["epsilon"].isna().all():
        raise NothingToShow(f"the agent {findings.run.config.run.agent} has no epsilon")
    scores = findings.score.draw(found["score"])
    groups = [(epsilon, group) for epsilon, group in scores.groupby(found["epsilon"])][::-1]
    figure = make_figure(3.4)
    axes = figure.add_subplot()
    handles: dict[str, Line2D] = {}
    generator = np.random.default_rng(0)
    for place, (_, values) in enumerate(groups):
        places = place + generator.uniform(-HALF, HALF, len(values))
        size = 3.5 if len(values) < 100 else 1.8
        (handles["network"],) = axes.plot(
            places, values, "o", ms=size, mew=0, color=GREY, alpha=0.5
        )
        if len(values) >= FEWEST:
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            sides = [place - HALF, place + HALF]
            corners = [sides[0], sides[1], sides[1], sides[0], sides[0]]
            (box,) = axes.plot(corners, [low, low, high, high, low], color=COLOURS[0], lw=1.2)
            axes.plot(sides, [middle, middle], color=COLOURS[0], lw=2.2, solid_capstyle="butt")
            handles["quartiles and median"] = box
        (handles["mean"],) = axes.plot(
            place, values.mean(), "D", color=COLOURS[1], ms=5, mec="white"
        )
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_xticks(range(len(groups)), [f"{epsilon:g}\n({len(one)})" for epsilon, one in groups])
    axes.set_xlabel("epsilon (networks found with it)")
    axes.set_ylabel(findings.score.label)
    stretch(axes, findings.score)
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=3)
    return figure
