"""How much the front dominates, by networks."""

from matplotlib.figure import Figure

from metaqnn.reports.figures.findings import Findings, NothingToShow
from metaqnn.reports.figures.style import COLOURS, make_figure
from metaqnn.reports.pareto import Box, measured


def draw(findings: Findings) -> Figure:
    """The share of the box that the networks so far dominate; see `metaqnn.reports.pareto.Box`.

    The box is that of all networks so far, so that it grows while the run goes on.
    """
    objectives = findings.objectives
    if not objectives:
        raise NothingToShow("the run has no objective beside its score (--objective)")
    found = measured(findings.measured(), objectives)
    box = Box.around(found, objectives, findings.score)
    if box is None:
        raise NothingToShow(f"the networks' {' and '.join(objectives)} are not known")
    volumes = box.volumes(found)
    figure = make_figure(2.9)
    axes = figure.subplots()
    axes.step(found["found"], volumes, where="post", color=COLOURS[0], linewidth=1.6)
    rises = volumes > volumes.shift(fill_value=0.0)
    axes.plot(found["found"][rises], volumes[rises], "o", ms=4, color=COLOURS[0])
    axes.set_xlabel("distinct networks")
    axes.set_ylabel("hypervolume")
    axes.set_title(box.describe(findings.score), fontsize=8)
    axes.grid(alpha=0.25, linewidth=0.6)
    return figure
