"""Spaces to try everything on: the presets, and one whose networks can all be listed."""

from typing import Any, NamedTuple

import pytest

from metaqnn.spaces import bind_space, preset_names, read_space
from state_space import Decision, Space

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
    "block-qnn-small": (1, 8, 8),
    "nas-digits": (1, 8, 8),
    "nasnet-small": (1, 8, 8),
    "lei-xiong": (1, 28, 28),
    "cell-201-small": (1, 8, 8),
    "hierarchical-small": (1, 8, 8),
}


def make_space(name: str) -> Space[Any]:
    """A space by the name of its preset, or "tiny"."""
    settings = TINY if name == "tiny" else read_space(name)
    return bind_space(settings, SHAPES.get(name, (3, 32, 32)), 10)


LARGE = (
    *("metaqnn-mnist", "metaqnn-svhn", "nas-cifar10", "nasnet-cifar10", "block-qnn-cifar"),
    *("hierarchical-cifar10", "cell-201", "nas-ptb", "metaqnn-cifar10", "lei-xiong", "enas-ptb"),
)
"""Presets beside which there is a smaller one of the same kind, or one that is alike."""


def space_parameter(name: str) -> Any:
    """The name as a parameter of a test, which takes long for a large preset."""
    return pytest.param(name, marks=pytest.mark.slow if name in LARGE else ())


SPACE_NAMES = ["tiny", *preset_names()]


class LayersState(NamedTuple):
    layers: int
    walk: tuple[str, ...]


class Layers(Space[LayersState]):
    """Layers that each may read all before them, as in NAS.

    A layer is small or large, or from the second on the walk may stop instead. Layer i then decides
    for each j < i whether it reads layer j; a large one must read the layer before it.
    """

    vocabulary = {"size": ("small", "large", "stop"), "skip": ("skip:0", "skip:1")}

    def __init__(self, layers=3):
        self.layers = layers

    def initial_state(self, stage=0):
        return LayersState(self.layers + stage, ())

    def decision(self, state):
        anchors, position = [], 0
        for layer in range(state.layers):
            if position == len(state.walk):
                return Decision("size", self.vocabulary["size"][: 2 + (layer > 0)])
            size = state.walk[position]
            if size == "stop":
                return None
            position += 1
            if position + layer > len(state.walk):
                source = len(state.walk) - position
                forced = size == "large" and source == layer - 1
                options = self.vocabulary["skip"][1 if forced else 0 :]
                return Decision("skip", options, (anchors[source],))
            anchors.append(position if layer else 0)
            position += layer
        return None

    def step(self, state, token):
        return state._replace(walk=(*state.walk, token))

    def observation(self, state):
        raise NotImplementedError("no agent under test reads it")

    def action(self, token):
        raise NotImplementedError("no agent under test reads it")

    def architecture(self, walk):
        raise NotImplementedError("no agent under test reads it")

    def parse(self, text):
        raise NotImplementedError("no agent under test reads it")
