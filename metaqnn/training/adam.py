"""Adam, with as little between its kernel and the weights as can be."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Literal, Self

import torch
from torch import Tensor

from metaqnn.training.recipe import Recipe

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class FusedAdam:
    """Adam as `torch.optim.Adam(fused=True)` computes it: the same kernel without its bookkeeping.

    On networks as small as those of digits the bookkeeping takes an eighth of a training. The
    kernel is private to torch: where it is missing or computes something else, torch.optim.Adam
    itself takes its place.

    Attributes:
        rate: The learning rate, a tensor, as a recorded step reads it where it lies.
    """

    def __init__(self, parameters: Iterable[Tensor], rate: float, weight_decay: float) -> None:
        """Begin with moments of zero.

        Args:
            parameters: All on one device.
            rate: Of the first steps.
            weight_decay: L2 penalty.
        """
        self._parameters: list[Tensor] = list(parameters)
        device = self._parameters[0].device
        self.rate = torch.tensor(rate, device=device)
        self._weight_decay = weight_decay
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._taken = torch.zeros((), device=device)
        way = fastest(device)
        self._library = (
            None
            if way == "kernel"
            else library_adam(self._parameters, self.rate, weight_decay, fused=way == "fused")
        )

    @classmethod
    def from_recipe(cls, parameters: Iterable[Tensor], recipe: Recipe) -> Self:
        """Adam as a recipe begins."""
        return cls(parameters, recipe.rate(0), recipe.weight_decay)

    def clear(self) -> None:
        """Forget the gradients, and with them their memory."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update the weights that have a gradient."""
        if self._library is not None:
            self._library.step()
            return
        self._taken += 1
        parameters, gradients, means, squares = [], [], [], []
        for parameter, mean, square in zip(
            self._parameters, self._means, self._squares, strict=True
        ):
            if parameter.grad is not None:
                parameters.append(parameter)
                gradients.append(parameter.grad)
                means.append(mean)
                squares.append(square)
        _update(parameters, gradients, means, squares, self._taken, self.rate, self._weight_decay)

    def state(self) -> list[Tensor]:
        """All that a step changes besides the weights, as it lies in memory."""
        if self._library is None:
            return [*self._means, *self._squares, self._taken]
        return [value for values in self._library.state.values() for value in values.values()]


def library_adam(
    parameters: Sequence[Tensor], rate: float | Tensor, weight_decay: float, *, fused: bool
) -> torch.optim.Adam:
    """torch.optim.Adam with our constants."""
    return torch.optim.Adam(
        parameters,
        rate,
        BETAS,
        EPSILON,
        weight_decay,
        foreach=False,
        fused=fused,
        # only so may its step be recorded
        capturable=parameters[0].device.type == "cuda",
    )


@cache
def fastest(device: torch.device) -> Literal["kernel", "fused", "plain"]:
    """Of torch's ways to update by Adam on a device, the fastest whose first step is Adam's.

    They are the private kernel, torch.optim.Adam with it, and without it.
    """
    gradients = torch.linspace(2, -3, 9, device=device)
    expected = torch.linspace(-1, 1, 9, device=device)
    steps: tuple[tuple[Literal["kernel", "fused"], Step], ...] = (
        ("kernel", _kernel_step),
        ("fused", partial(_library_step, fused=True)),
    )
    start = expected.clone()
    _library_step(expected, gradients, fused=False)
    for name, step in steps:
        weights = start.clone()
        try:
            step(weights, gradients)
        except (AttributeError, RuntimeError, TypeError):  # it is missing, or takes something else
            continue
        if torch.allclose(weights, expected, rtol=1e-5, atol=1e-7):
            return name
    return "plain"


Step = Callable[[Tensor, Tensor], None]
"""Updates weights by their gradients."""


def _library_step(weights: Tensor, gradients: Tensor, *, fused: bool) -> None:
    weights.grad = gradients
    library_adam([weights], 1e-2, 0.1, fused=fused).step()


def _kernel_step(weights: Tensor, gradients: Tensor) -> None:
    mean, square = torch.zeros_like(weights), torch.zeros_like(weights)
    taken, rate = torch.ones((), device=weights.device), torch.tensor(1e-2, device=weights.device)
    _update([weights], [gradients], [mean], [square], taken, rate, 0.1)


def _update(
    parameters: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    taken: Tensor,
    rate: Tensor,
    weight_decay: float,
) -> None:
    """A step by the kernel; `taken` counts it already."""
    torch._fused_adam_(
        parameters,
        gradients,
        means,
        squares,
        [],
        # the same count for all
        [taken] * len(parameters),
        lr=rate,
        beta1=BETAS[0],
        beta2=BETAS[1],
        weight_decay=weight_decay,
        eps=EPSILON,
        amsgrad=False,
        maximize=False,
    )
