"""The figures of a run: what draws them, what they are called, and what they say."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from metaqnn.registry import Table
from metaqnn.task import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from metaqnn.reports.figures.findings import Findings

FIGURES: "Table[Callable[[Findings], Figure]]" = Table(
    "figure",
    {
        "score": "metaqnn.reports.figures.score:draw",
        "epsilon": "metaqnn.reports.figures.epsilon:draw",
        "depth": "metaqnn.reports.figures.depth:draw",
        "field": "metaqnn.reports.figures.field:draw",
        "layers": "metaqnn.reports.figures.layers:draw",
        "best": "metaqnn.reports.figures.best:draw",
        "pareto": "metaqnn.reports.figures.pareto:draw",
        "hypervolume": "metaqnn.reports.figures.hypervolume:draw",
        "curves": "metaqnn.reports.figures.curves:draw",
        "heatmap": "metaqnn.reports.figures.heatmap:draw",
    },
)

OLDER = {"accuracy": "score"}
"""Names that figures had."""

CAPTIONS = {
    "score": (
        "{Score} over the search",
        "A dot is a network, from the first one found to the last. Where the blue line rises, the "
        "search finds better networks than before.",
    ),
    "epsilon": (
        "{Score} by epsilon",
        "Epsilon is how much is left to chance: the lower it is, the more the agent relies on what "
        "it has learnt.",
    ),
    "depth": (
        "Q-value by depth and type of layer",
        "A Q-value says how much a choice promises. From left to right: what is chosen as first "
        "layer, as second, and so on.",
    ),
    "field": (
        "Q-value by depth and field size",
        "The same for the size of the window through which a convolution or a pooling looks.",
    ),
    "layers": (
        "Layers of the best networks",
        "Where a blue ring is larger than the grey disc, the best networks chose that layer there "
        "more often than all did.",
    ),
    "best": (
        "The best network so far",
        "Which {score} the search had to offer at any moment. A dot is a new best network.",
    ),
    "pareto": (
        "{Score} against size",
        "No network beats those on the orange line: whatever is as small is no better.",
    ),
    "hypervolume": (
        "Hypervolume over the search",
        "How much of what is possible the networks cover, the {score} and what is to be small "
        "together: 1 would be perfect networks of the smallest cost. It is the mean {score}, from "
        "chance at 0, within all costs.",
    ),
    "curves": (
        "Learning curves of the best networks",
        "The {score} after every epoch, a pass through all training data. A curve that is still "
        "getting better at its end would gain from a longer training.",
    ),
    "heatmap": (
        "Q-values by layer and action",
        "The lighter a cell, the more the agent expects of this action at this layer, as a mean "
        "over all ways there; what no network tried is white.",
    ),
}
"""The title of each of `FIGURES`, and how to read it; of a score's word."""


def caption(name: str, score: Score) -> tuple[str, str]:
    """The title of a figure, and how to read it, for networks of a score."""
    words = {"score": score.word, "Score": f"{score.word[0].upper()}{score.word[1:]}"}
    title, text = CAPTIONS[name]
    return title.format(**words), text.format(**words)
