"""A language model as PyTorch source that needs nothing of metaqnn, its equations written out."""

from collections.abc import Sequence

from metaqnn.language.cell import RecurrentCell, weights_name
from metaqnn.language.model import TORCH, Dimensions
from state_space import Architecture
from state_space.recurrent import HIDDEN, INPUT, LINEAR, MEMORY

HEADER = '''"""A language model whose cell metaqnn has designed, and trained.

Scores the next of {tokens:,} tokens, {unit}, at each place of texts that are read side by side:

    net = load()
    scores, state = net(tokens, net.start(texts=1))  # tokens of shape (steps, texts)

The weights, and the vocabulary, lie in the file that `load` names.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

CELL = {cell!r}
TOKENS, UNITS, LAYERS = {tokens}, {units}, {layers}


{layer}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = nn.Parameter(torch.empty(TOKENS, UNITS))
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
{softmax}
        self.bias = nn.Parameter(torch.empty(TOKENS))
        self.vocabulary = []

    def start(self, texts):
        """The state before the first token: of each layer what a step hands on."""
        return [[self.bias.new_zeros(texts, UNITS)] * Layer.STATES for _ in range(LAYERS)]

    def forward(self, tokens, state):
        """Scores before the softmax, (steps, texts, TOKENS), and the state after the last step."""
        values, after = self.embeddings[tokens], []
        for layer, own in zip(self.layers, state):
            values, own = layer(values, own)
            after.append(own)
        return values @ {last}.T + self.bias, after


def load(path=Path(__file__).with_name({weights!r})):
    """The trained model, with its vocabulary."""
    net = Net()
    with safe_open(path, "pt") as file:
        net.load_state_dict({{name: file.get_tensor(name) for name in file.keys()}})
        net.vocabulary = json.loads(file.metadata()["vocabulary"])
    return net.eval()
'''

TORCH_LAYER = '''class Layer(nn.Module):
    """PyTorch's own cell."""

    STATES = {states}

    def __init__(self):
        super().__init__()
        self.layer = nn.{kind}(UNITS, UNITS)

    def forward(self, inputs, state):
        """Outputs of all steps, and what the last one hands on."""
        outputs, after = self.layer(inputs, {before})
        return outputs, {after}'''

LAYER = '''class Layer(nn.Module):
    """The cell: what one step computes, and hands on to the next."""

    STATES = {states}

    def __init__(self):
        super().__init__()
        sizes = {sizes!r}  # linear maps, stacked, of x, h or another value
        self.weights = nn.ParameterDict(
            {{name: nn.Parameter(torch.empty(many * UNITS, UNITS)) for name, many in sizes.items()}}
        )

    def maps(self, name, value):
        """The linear maps of a value."""
        return (value @ self.weights[name].T).split(UNITS, -1)

    def step(self, x, {before}):
{steps}
        return {after}

    def forward(self, inputs, state):
        """Outputs of all steps, and what the last one hands on."""
        outputs = []
        for x in inputs.unbind(0):
            state = self.step(x, *state)
            outputs.append(state[0])
        return torch.stack(outputs), state'''

EQUATIONS = {
    "ADD": "{} + {}",
    "MUL": "{} * {}",
    "LARGER": "torch.maximum({}, {})",
    "TANH": "torch.tanh({})",
    "SIGMOID": "torch.sigmoid({})",
    "RELU": "torch.relu({})",
    "SIN": "torch.sin({})",
    "HIGHWAY": "{2} + {0} * ({1} - {2})",
}
"""What a node computes; the mean has any number of inputs."""

NAMES = {INPUT: "x", HIDDEN: "h", MEMORY: "c"}
"""What a step reads."""


def write_source(cell: Architecture | str, dimensions: Dimensions, unit: str, weights: str) -> str:
    """A Python module with the model, which loads its weights from a file beside it.

    Args:
        cell: See `metaqnn.language.model.LanguageModel`.
        dimensions: Of the model.
        unit: What its tokens are.
        weights: Name of the file that `metaqnn.language.files.save_model` made.
    """
    untied = "        self.weights = nn.Parameter(torch.empty(TOKENS, UNITS))"
    tied = "        # the softmax has the weights of the embeddings"
    return HEADER.format(
        tokens=dimensions.tokens,
        unit=unit,
        weights=weights,
        cell=cell if isinstance(cell, str) else cell.text,
        units=dimensions.units,
        layers=dimensions.layers,
        layer=_torch_layer(cell) if isinstance(cell, str) else layer_source(cell),
        softmax=tied if dimensions.tied else untied,
        last="self.embeddings" if dimensions.tied else "self.weights",
    )


def _torch_layer(name: str) -> str:
    kind, states = TORCH[name]
    one = states == 1
    return TORCH_LAYER.format(
        kind=kind.__name__,
        states=states,
        before="state[0][None]" if one else "tuple(value[None] for value in state)",
        after="[after[0]]" if one else "[value[0] for value in after]",
    )


def layer_source(cell: Architecture) -> str:
    """The class `Layer` of a cell; it knows torch, nn and UNITS."""
    made = RecurrentCell(cell, 1, 1)
    before = [NAMES[-2 - place] for place in range(made.states)]
    return LAYER.format(
        states=made.states,
        sizes={weights_name(source): len(own) for source, own in made.maps.items() if own},
        before=", ".join(before),
        steps="\n".join(f"        {line}" for line in equations(cell, made)),
        after=f"[{', '.join(results_of(cell, made))}]",
    )


def equations(cell: Architecture, made: RecurrentCell) -> list[str]:
    """The lines of a step: the maps of each value once it is there, and a line a node.

    An activation stands in the line of what it alone reads.
    """
    readers: dict[int, list[int]] = {}
    for position, node in enumerate(cell.nodes):
        for source in node.inputs:
            readers.setdefault(source, []).append(position)
    lines: list[str] = []

    def maps(source: int) -> None:
        own = made.maps.get(source)
        if own:
            names = [_map(source, place) for place in range(len(own))]
            left = ", ".join(names) if len(names) > 1 else f"({names[0]},)"
            value = NAMES.get(source, f"v{source}")
            lines.append(f'{left} = self.maps("{weights_name(source)}", {value})')

    maps(INPUT)
    maps(HIDDEN)
    written: dict[int, str] = {}  # what stands in the line of its only reader
    for position, node in enumerate(cell.nodes):
        if node.op == LINEAR:
            continue
        inputs = [written.get(source) or _value(made, source) for source in node.inputs]
        if node.op == "MEAN":
            line = f"({' + '.join(inputs)}) / {len(inputs)}"
        else:
            line = EQUATIONS[node.op].format(*inputs)
        alone = readers.get(position, [])
        reader = cell.nodes[alone[0]] if len(alone) == 1 else None
        if (
            reader is not None
            and len(reader.inputs) == 1
            and reader.op != LINEAR
            and position not in cell.outputs
            and position not in made.maps
        ):
            written[position] = line
            continue
        lines.append(f"v{position} = {line}")
        maps(position)
    return lines


def results_of(cell: Architecture, made: RecurrentCell) -> list[str]:
    """What `equations` call what a step hands on."""
    return [_value(made, output) for output in cell.outputs]


def _map(source: int, place: int) -> str:
    return f"{NAMES.get(source, f'v{source}_')}{place + 1}"


def _value(made: RecurrentCell, position: int) -> str:
    if position in made.places:
        return _map(*made.places[position])
    return NAMES.get(position, f"v{position}")


def names_of_states(states: Sequence[int]) -> list[str]:
    """Of every tensor that a step of a model hands on, layer by layer: h0, c0, h1, c1.

    Args:
        states: How many each layer hands on.
    """
    return [
        f"{NAMES[-2 - place]}{layer}" for layer, many in enumerate(states) for place in range(many)
    ]
