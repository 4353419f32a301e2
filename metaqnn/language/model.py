"""Language models: embeddings, layers of a recurrent cell, and a softmax over the tokens.

Zaremba, Sutskever & Vinyals 2014, https://arxiv.org/abs/1409.2329: dropout on all links but the
recurrent ones. With variational dropout a mask stays for all steps of a piece of text (Gal &
Ghahramani 2016, https://arxiv.org/abs/1512.05287, without their masks of recurrent links).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from metaqnn.language.cell import RecurrentCell
from state_space import Architecture

State = tuple[tuple[Tensor, ...], ...]
"""Of each layer what a step hands on, each of shape (texts, units)."""

TORCH: dict[str, tuple[type[Any], int]] = {
    "lstm": (nn.LSTM, 2),
    "gru": (nn.GRU, 1),
    "rnn": (nn.RNN, 1),
}
"""Torch's own cells, and how many tensors each hands on."""


@dataclass(frozen=True)
class Dimensions:
    """How large a language model is.

    Attributes:
        tokens: Different ones.
        units: Of an embedding and of a layer.
        layers: How many.
        tied: The softmax has the weights of the embeddings.
    """

    tokens: int
    units: int
    layers: int
    tied: bool = False


class TorchCell(nn.Module):
    """A layer of torch's own, with one bias a gate, as in equations; torch has two that add up."""

    def __init__(self, name: str, units: int) -> None:
        """As wide as what it reads."""
        super().__init__()
        kind, self.states = TORCH[name]
        self.layer = kind(units, units)
        self.layer.bias_hh_l0.requires_grad_(False)

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `RecurrentCell.forward`."""
        own = tuple(value[None] for value in state)
        outputs, after = self.layer(inputs, own if self.states > 1 else own[0])
        ends = after if self.states > 1 else (after,)
        return outputs, tuple(value[0] for value in ends)


class LanguageModel(nn.Module):
    """Scores the next token at each place of texts."""

    def __init__(
        self,
        cell: Architecture | str,
        dimensions: Dimensions,
        generator: torch.Generator,
        *,
        spread: float = 0.1,
        dropout: float = 0.0,
        variational: bool = False,
    ) -> None:
        """Draw the weights.

        Args:
            cell: Or the name of one of torch's own.
            dimensions: See there.
            generator: Draws weights and dropout.
            spread: Weights are uniform between this and its negative; biases are 0.
            dropout: Probability that a value is dropped, on links that are not recurrent.
            variational: One mask for all steps of a piece of text.
        """
        super().__init__()
        tokens, units = dimensions.tokens, dimensions.units
        self.dimensions = dimensions
        self.generator = generator
        self.dropout, self.variational = dropout, variational
        self.embeddings = nn.Parameter(torch.empty(tokens, units))
        made: Callable[[], nn.Module] = (
            (lambda: TorchCell(cell, units))
            if isinstance(cell, str)
            else (lambda: RecurrentCell(cell, units, units))
        )
        self.layers = nn.ModuleList(made() for _ in range(dimensions.layers))
        self.weights = None if dimensions.tied else nn.Parameter(torch.empty(tokens, units))
        self.bias = nn.Parameter(torch.zeros(tokens))
        with torch.no_grad():
            for weights in self.parameters():
                if weights.dim() > 1:
                    weights.uniform_(-spread, spread, generator=generator)
                else:
                    weights.zero_()

    @property
    def size(self) -> int:
        """Weights and biases that are learnt."""
        return sum(weights.numel() for weights in self.parameters() if weights.requires_grad)

    def start(self, texts: int) -> State:
        """The state before the first token."""
        zeros = self.bias.new_zeros(texts, self.dimensions.units)
        return tuple((zeros,) * many for many in states_of(self))

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Scores, of shape (steps, texts, tokens), of each next token, and the state after.

        Args:
            tokens: int64, shape (steps, texts).
            state: Before the first step.
        """
        values = self._drop(embedding(tokens, self.embeddings))
        after = []
        for layer, own in zip(self.layers, state, strict=True):
            values, ends = layer(values, own)
            values = self._drop(values)
            after.append(ends)
        weights = self.embeddings if self.weights is None else self.weights
        return linear(values, weights, self.bias), tuple(after)

    def _drop(self, values: Tensor) -> Tensor:
        if not self.training or not self.dropout:
            return values
        shape = (1, *values.shape[1:]) if self.variational else values.shape
        keep = 1 - self.dropout
        draws = values.new_empty(shape).uniform_(generator=self.generator)
        return values * draws.lt_(keep).div_(keep)


def states_of(model: LanguageModel) -> list[int]:
    """How many tensors each layer hands on."""
    found = []
    for layer in model.layers:
        assert isinstance(layer, RecurrentCell | TorchCell)
        found.append(layer.states)
    return found


def parameters(cell: Architecture | str, dimensions: Dimensions) -> int:
    """The weights and biases of a model, without making them."""
    with torch.device("meta"):
        layer = (
            TorchCell(cell, dimensions.units)
            if isinstance(cell, str)
            else RecurrentCell(cell, dimensions.units, dimensions.units)
        )
    own = sum(weights.numel() for weights in layer.parameters() if weights.requires_grad)
    tables = (1 if dimensions.tied else 2) * dimensions.tokens * dimensions.units
    return dimensions.layers * own + tables + dimensions.tokens


def units_for(
    parameters_wanted: int, cell: Architecture | str, tokens: int, layers: int, *, tied: bool
) -> int:
    """The number of units whose model has the number of parameters that is nearest to one."""

    def size(units: int) -> int:
        return parameters(cell, Dimensions(tokens, units, layers, tied))

    low, high = 1, 2
    while size(high) < parameters_wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= parameters_wanted else (low, middle)
    return min((low, high), key=lambda units: abs(size(units) - parameters_wanted))
