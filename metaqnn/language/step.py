"""One step of a language model as a program, which PT2 and ONNX files hold.

A whole text is read by calling it again and again with what it has handed on.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from metaqnn.language.cell import RecurrentCell
from metaqnn.language.model import LanguageModel, TorchCell, states_of
from metaqnn.language.source import layer_source, names_of_states
from state_space import Architecture

TORCH_STEPS: dict[type[Any], Callable[..., Any]] = {
    nn.LSTM: torch.lstm_cell,
    nn.GRU: torch.gru_cell,
    nn.RNN: torch.rnn_tanh_cell,
}
"""What computes one step of torch's own layers."""


class TorchStep(nn.Module):
    """One of torch's own layers, whose weights programs know one by one."""

    def __init__(self, cell: TorchCell) -> None:
        """Of a layer."""
        super().__init__()
        layer = cell.layer
        self.compute = TORCH_STEPS[type(layer)]
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        self.weights = nn.ParameterList([getattr(layer, name) for name in names])

    def forward(self, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the step hands on, the output first; all are of shape (texts, units)."""
        before = state if len(state) > 1 else state[0]
        after = self.compute(inputs, before, *self.weights)
        return tuple(after) if len(state) > 1 else (after,)


class WrittenStep(nn.Module):
    """One step of a cell as the source of an exported model has it, which programs can follow."""

    def __init__(self, cell: Architecture, layer: RecurrentCell, units: int) -> None:
        """Of a layer, whose weights it gets."""
        super().__init__()
        names: dict[str, Any] = {"torch": torch, "nn": nn, "UNITS": units}
        exec(layer_source(cell), names)
        self.layer = names["Layer"]()
        self.layer.load_state_dict(layer.state_dict())

    def forward(self, inputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """As `TorchStep.forward`."""
        return tuple(self.layer.step(inputs, *state))


class Step(nn.Module):
    """Scores the next token of each text, and hands on the state, whose tensors are laid out flat.

    Attributes:
        names: Of these tensors.
    """

    def __init__(self, model: LanguageModel, cell: Architecture | str) -> None:
        """Of a model of a cell."""
        super().__init__()
        self.units = model.dimensions.units
        self.states = states_of(model)
        self.names = names_of_states(self.states)
        self.embeddings = model.embeddings
        self.layers = nn.ModuleList()
        for layer in model.layers:
            if isinstance(layer, TorchCell):
                self.layers.append(TorchStep(layer))
            elif isinstance(layer, RecurrentCell) and isinstance(cell, Architecture):
                self.layers.append(WrittenStep(cell, layer, self.units))
        self.weights = model.embeddings if model.weights is None else model.weights
        self.bias = model.bias

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Scores, of shape (texts, tokens), and the state after.

        Args:
            tokens: int64, shape (texts,).
            state: Each of shape (texts, units).
        """
        left = iter(state)
        values = embedding(tokens, self.embeddings)
        after: list[Tensor] = []
        for layer, many in zip(self.layers, self.states, strict=True):
            values, *memory = layer(values, tuple(next(left) for _ in range(many)))
            after += (values, *memory)
        return linear(values, self.weights, self.bias), *after


def program(step: Step) -> torch.export.ExportedProgram:
    """The step for any number of texts."""
    texts = torch.export.Dim("texts")
    state = tuple(torch.zeros(2, step.units) for _ in step.names)
    tokens = torch.zeros(2, dtype=torch.int64)
    shapes = ({0: texts}, tuple({0: texts} for _ in state))
    with torch.no_grad():  # nobody asks for gradients of it
        return torch.export.export(step, (tokens, *state), dynamic_shapes=shapes)
