"""One step of an LSTM and of a softmax in numpy, where a call of torch costs more than it does."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def lstm_cell(
    weights: dict[str, Floats], layer: int, value: Floats, hidden: Floats, cell: Floats
) -> tuple[Floats, Floats]:
    """The hidden state and the cell after a step, with the weights of an `nn.LSTM`."""
    gates = weights[f"lstm.weight_ih_l{layer}"] @ value + weights[f"lstm.bias_ih_l{layer}"]
    gates += weights[f"lstm.weight_hh_l{layer}"] @ hidden + weights[f"lstm.bias_hh_l{layer}"]
    take, keep, new, show = gates.reshape(4, -1)
    cell = _sigmoid(keep) * cell + _sigmoid(take) * np.tanh(new)
    return _sigmoid(show) * np.tanh(cell), cell


def _sigmoid(values: Floats) -> Floats:
    """By the hyperbolic tangent, which never overflows."""
    found: Floats = 0.5 + 0.5 * np.tanh(0.5 * values)
    return found


def draw(logits: Floats, generator: np.random.Generator) -> tuple[int, float]:
    """Draw from the softmax; returns the position and its probability."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max())
    sums = exponentials.cumsum()
    choice = int(np.searchsorted(sums, generator.random() * sums[-1], side="right"))
    choice = min(choice, len(sums) - 1)  # the product may round up to the sum
    return choice, float(exponentials[choice] / sums[-1])
