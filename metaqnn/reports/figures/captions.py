"""What the figures of a run are called, and what they say, for those who see them first."""

CAPTIONS = {
    "accuracy": (
        "Accuracy over the search",
        "A dot is a network, from the first one found to the last. Where the blue line rises, the "
        "search finds better networks than before.",
    ),
    "epsilon": (
        "Accuracy by epsilon",
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
        "Which accuracy the search had to offer at any moment. A dot is a new best network.",
    ),
    "pareto": (
        "Accuracy against size",
        "No network beats those on the orange line: whatever is as small is no more accurate.",
    ),
    "curves": (
        "Learning curves of the best networks",
        "The accuracy after every epoch, a pass through all training images. A curve that still "
        "rises at its end would gain from a longer training.",
    ),
    "heatmap": (
        "Q-values by layer and action",
        "The lighter a cell, the more the agent expects of this action at this layer, as a mean "
        "over all ways there; what no network tried is white.",
    ),
}
"""The title of each of `metaqnn.registry.FIGURES`, and how to read it."""
