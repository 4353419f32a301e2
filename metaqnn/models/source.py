"""A network as PyTorch source that needs nothing of metaqnn."""

from collections.abc import Iterable, Sequence

from metaqnn.models.model import Facts
from metaqnn.networks.cost import place_ops
from metaqnn.networks.notation import read
from metaqnn.task import Shape
from state_space import Architecture

HEADER = '''"""A network that metaqnn has designed and trained.

Reads images of shape (n, {shape}) with values from {low:g} to {high:g}, and returns the
scores of {classes} classes before the softmax. The weights lie in {weights}.

    net = load()
    net(images.float()).argmax(1)
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

ARCHITECTURE = {architecture!r}
INPUT_SHAPE = {input_shape!r}
CLASSES = {names!r}
MEAN = {mean!r}
DEVIATION = {deviation!r}
CONTRAST = {contrast!r}
PREPARATION = {preparation!r}

# this module's layers, and what the file of weights calls them
STORED = {{
{stored}
}}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, -1, 1, 1))
{layers}

    def forward(self, images):
{normalisation}
{steps}
        return {last}


def load(path=Path(__file__).with_name({weights!r})):
    """The trained network."""
    net, tensors = Net(), load_file(path)
    for name, stored in STORED.items():
        layer = getattr(net, name)
        layer.load_state_dict({{key: tensors[f"{{stored}}.{{key}}"] for key in layer.state_dict()}})
    return net.eval()
'''


LEVELS = "images = (images * {factor}).round()"
"""What brings images from 0 to 1 to grey levels, as those of the training were."""

NORMALISATIONS = {
    False: ("{x} = (images - self.mean) / self.deviation",),
    True: (
        "{x} = images - images.mean((1, 2, 3), keepdim=True)",
        "{x} = {x} / {x}.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min={floor:g})",
    ),
}
"""What is done to images first: by channel, or each image by itself (global contrast)."""


def write_source(facts: Facts, weights: str) -> str:
    """A Python module with the network, which loads its weights from a file beside it.

    Args:
        facts: Of the network.
        weights: Name of the file that `save_network` made.
    """
    architecture = read(facts.architecture).expanded
    ops = place_ops(architecture, facts.input_shape)
    names = _values(architecture)
    preparation = facts.preparation
    low, high = {"bytes": (0, 255), "unit": (0, 1)}.get(
        preparation.scale, (preparation.low, preparation.high)
    )
    layers, stored, steps = [], [], []
    for position, (node, op) in enumerate(zip(architecture.nodes, ops, strict=True)):
        part = op.source()
        attributes = {}
        for kind, made, place in part.modules:
            attributes[kind] = f"self.{kind}{position + 1}"
            layers.append(f"{attributes[kind]} = {made}")
            stored.append(f'"{kind}{position + 1}": "layers.{position}{place}",')
        inputs = [names[source] for source in node.inputs]
        joined = {"x": _joined(inputs, op.inputs)} if op.joins else {}
        steps.append(f"{names[position]} = {part.step.format(*inputs, **joined, **attributes)}")
    return HEADER.format(
        shape=", ".join(map(str, facts.input_shape)),
        classes=len(facts.classes),
        weights=weights,
        architecture=facts.architecture,
        input_shape=facts.input_shape,
        names=facts.classes,
        mean=facts.mean,
        deviation=facts.deviation,
        contrast=facts.contrast,
        stored="\n".join(f"    {line}" for line in stored),
        layers=_indented(layers),
        steps=_indented(steps),
        preparation=facts.preparation.text,
        low=low,
        high=high,
        normalisation=_indented(
            line.format(x=names[-1], factor=preparation.factor, floor=preparation.floor)
            for line in (LEVELS,) * (preparation.factor != 1) + NORMALISATIONS[facts.contrast]
        ),
        last=names[len(architecture.nodes) - 1],
    )


def _indented(lines: Iterable[str]) -> str:
    """Lines of a method."""
    return "\n".join(f"        {line}" for line in lines)


def _values(architecture: Architecture) -> dict[int, str]:
    """The variable of every node, and of the images at -1; all of a chain are one."""
    places = range(-1, len(architecture.nodes))
    if all(node.inputs == (place,) for place, node in enumerate(architecture.nodes, -1)):
        return dict.fromkeys(places, "x")
    return {place: f"x{place + 1}" for place in places}


def _joined(names: list[str], shapes: Sequence[Shape]) -> str:
    """The values side by side along channels, the smaller images padded."""
    if len(names) == 1:
        return names[0]
    if len(shapes[0]) == 3:
        height, width = (max(shape[axis] for shape in shapes) for axis in (1, 2))
        names = [
            name
            if shape[1:] == (height, width)
            else f"F.pad({name}, (0, {width - shape[2]}, 0, {height - shape[1]}))"
            for name, shape in zip(names, shapes, strict=True)
        ]
    return f"torch.cat([{', '.join(names)}], 1)"
