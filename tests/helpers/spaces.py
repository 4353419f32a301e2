"""Spaces to try everything on: the presets, and one whose networks can all be listed."""

from typing import Any

from metaqnn.spaces import bind_space, preset_names, read_space
from state_space import Space

TINY: dict[str, Any] = {
    "max-depth": 3,
    "convolution": {"filters": [2, 4], "fields": [1, 3]},
    "pooling": {"windows": [[2, 2]]},
    "fully-connected": {"units": [8, 4], "max-layers": 2, "max-size": 4},
}
"""A chain so small that all of its architectures can be listed."""

SHAPES = {
    "tiny": (1, 8, 8),
    "metaqnn-mnist": (1, 28, 28),
    "mnist-small": (1, 28, 28),
    "digits": (1, 8, 8),
    "nas-digits": (1, 8, 8),
    "lei-xiong": (1, 28, 28),
    "cell-201-small": (1, 8, 8),
    "hierarchical-small": (1, 8, 8),
}


def make_space(name: str) -> Space[Any]:
    """A space by the name of its preset, or "tiny"."""
    settings = TINY if name == "tiny" else read_space(name)
    return bind_space(settings, SHAPES.get(name, (3, 32, 32)), 10)


SPACE_NAMES = ["tiny", *preset_names()]
