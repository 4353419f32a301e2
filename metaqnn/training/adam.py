"""Adam, with as little between its kernel and the weights as can be."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import ClassVar, Literal, Self

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
        decoupled: Whether weight decay takes its share of the weights themselves, as AdamW's does
            (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101); else it is an L2 penalty.
        rate: The learning rate, a tensor, as a recorded step reads it where it lies.
    """

    decoupled: ClassVar[bool] = False

    def __init__(self, parameters: Iterable[Tensor], rate: float, weight_decay: float) -> None:
        """Begin with moments of zero.

        Args:
            parameters: All on one device.
            rate: Of the first steps.
            weight_decay: See `decoupled`.
        """
        self._parameters: list[Tensor] = list(parameters)
        device = self._parameters[0].device
        self.rate = torch.tensor(rate, device=device)
        self._weight_decay = weight_decay
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._taken = torch.zeros((), device=device)
        way = fastest(device, self.decoupled)
        self._library = (
            None
            if way == "kernel"
            else library_adam(
                self._parameters,
                self.rate,
                weight_decay,
                fused=way == "fused",
                decoupled=self.decoupled,
            )
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
        _update(
            parameters,
            gradients,
            means,
            squares,
            self._taken,
            self.rate,
            self._weight_decay,
            self.decoupled,
        )

    def state(self) -> list[Tensor]:
        """All that a step changes besides the weights, as it lies in memory."""
        if self._library is None:
            return [*self._means, *self._squares, self._taken]
        return [value for values in self._library.state.values() for value in values.values()]


class FusedAdamW(FusedAdam):
    """The same with decoupled weight decay."""

    decoupled = True


def library_adam(
    parameters: Sequence[Tensor],
    rate: float | Tensor,
    weight_decay: float,
    *,
    fused: bool,
    decoupled: bool = False,
) -> torch.optim.Adam:
    """torch.optim.Adam, or AdamW, with our constants."""
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    return kind(
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
def fastest(device: torch.device, decoupled: bool) -> Literal["kernel", "fused", "plain"]:
    """Of torch's ways to update by Adam on a device, the fastest whose first step is Adam's.

    They are the private kernel, torch.optim.Adam with it, and without it.
    """
    gradients = torch.linspace(2, -3, 9, device=device)
    expected = torch.linspace(-1, 1, 9, device=device)
    steps: tuple[tuple[Literal["kernel", "fused"], Step], ...] = (
        ("kernel", partial(_kernel_step, decoupled=decoupled)),
        ("fused", partial(_library_step, fused=True, decoupled=decoupled)),
    )
    start = expected.clone()
    _library_step(expected, gradients, fused=False, decoupled=decoupled)
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


def _library_step(weights: Tensor, gradients: Tensor, *, fused: bool, decoupled: bool) -> None:
    weights.grad = gradients
    library_adam([weights], 1e-2, 0.1, fused=fused, decoupled=decoupled).step()


def _kernel_step(weights: Tensor, gradients: Tensor, *, decoupled: bool) -> None:
    mean, square = torch.zeros_like(weights), torch.zeros_like(weights)
    taken, rate = torch.ones((), device=weights.device), torch.tensor(1e-2, device=weights.device)
    _update([weights], [gradients], [mean], [square], taken, rate, 0.1, decoupled)


def _update(
    parameters: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    taken: Tensor,
    rate: Tensor,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """A step by the kernel; `taken` counts it already."""
    kernel = torch._fused_adamw_ if decoupled else torch._fused_adam_
    kernel(
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
