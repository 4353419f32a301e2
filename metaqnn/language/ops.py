"""What a node of a recurrent cell computes of its inputs, all of one shape, and its gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Op:
    """An op.

    Attributes:
        compute: The value, of the inputs; `out` is where it is written.
        gradients: Of the gradient of the value, the value and the inputs those of the inputs.
        reads: What `gradients` reads beside the gradient, "value" or "inputs"; the rest may be
            None.
        in_place: Writes the value over its one input.
        inputs: How many it has; None is any number.
    """

    compute: Callable[..., Tensor]
    gradients: Callable[..., tuple[Tensor, ...]]
    reads: str = ""
    in_place: Callable[[Tensor], Tensor] | None = None
    inputs: int | None = 1

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The value."""
        return self.compute(*inputs)


_tanh: Any = torch.ops.aten.tanh_backward.default
_sigmoid: Any = torch.ops.aten.sigmoid_backward.default
_relu: Any = torch.ops.aten.threshold_backward.default


def _positive(value: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.clamp_min(value, 0, out=out)


def _larger(gradient: Tensor, _: Any, first: Tensor, second: Tensor) -> tuple[Tensor, ...]:
    """Of two that are equal each has half of it, as torch has it."""
    share = (first > second).to(gradient.dtype).add_(first == second, alpha=0.5)
    own = gradient * share
    return own, gradient - own


def _average(*values: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.mean(torch.stack(values), 0, out=out)


def _mean(gradient: Tensor, _: Any, *inputs: Any) -> tuple[Tensor, ...]:
    return (gradient / len(inputs),) * len(inputs)


def _blend(gate: Tensor, new: Tensor, old: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.lerp(old, new, gate, out=out)


def _highway(
    gradient: Tensor, _: Any, gate: Tensor, new: Tensor, old: Tensor
) -> tuple[Tensor, ...]:
    own = gradient * gate
    return gradient * (new - old), own, gradient - own


OPS = {
    "ADD": Op(torch.add, lambda gradient, *_: (gradient, gradient), inputs=2),
    "MUL": Op(
        *(torch.mul, lambda gradient, _, a, b: (gradient * b, gradient * a), "inputs"), inputs=2
    ),
    "LARGER": Op(torch.maximum, _larger, "inputs", inputs=2),
    "TANH": Op(
        *(torch.tanh, lambda gradient, value, _: (_tanh(gradient, value),), "value"), torch.tanh_
    ),
    "SIGMOID": Op(
        *(torch.sigmoid, lambda gradient, value, _: (_sigmoid(gradient, value),), "value"),
        torch.sigmoid_,
    ),
    "RELU": Op(
        *(_positive, lambda gradient, value, _: (_relu(gradient, value, 0),), "value"), torch.relu_
    ),
    "SIN": Op(torch.sin, lambda gradient, _, a: (gradient * torch.cos(a),), "inputs"),
    "MEAN": Op(_average, _mean, inputs=None),
    "HIGHWAY": Op(_blend, _highway, "inputs", inputs=3),
}
"""By name."""
