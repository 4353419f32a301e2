"""Mean Q-value by depth and field size, as in appendix A4 of Baker et al. 2017."""

from matplotlib.figure import Figure

from metaqnn.networks.ops import OPS
from metaqnn.reports.figures.findings import Findings, NothingToShow
from metaqnn.reports.figures.q_values import draw_means, mean_by_depth
from metaqnn.reports.figures.style import make_figure


def draw(findings: Findings) -> Figure:
    """The mean Q-value of the convolutions and poolings that some network took, by field size."""
    tried = findings.tried()
    if not {"action_field", "action_layer"} <= set(tried):
        raise NothingToShow("the layers of this space have no field size; see the figure depth")
    shown = [layer for layer in ("C", "P") if (tried["action_layer"] == layer).any()]
    if not shown:
        raise NothingToShow("no network has a convolution or pooling yet")
    figure = make_figure(3.2)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, layer in zip(panels, shown, strict=True):
        own = tried[tried["action_layer"] == layer]
        names = own["action_field"].map("{0} x {0}".format)
        sizes = sorted(own["action_field"].unique())
        draw_means(
            axes, mean_by_depth(findings, own, names), [f"{size} x {size}" for size in sizes]
        )
        axes.set_title(OPS[layer].legend(), loc="left")
        axes.legend(handlelength=3)
    panels[0].set_ylabel(f"mean {findings.knows}")
    return figure
