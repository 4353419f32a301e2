"""Adam, with as little between its kernel and the weights as can be."""

from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor

from metaqnn.training.recipe import Recipe

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class FusedAdam:
    """Adam as `torch.optim.Adam(fused=True)` computes it: the same kernel without its bookkeeping.

    On networks as small as those of digits the bookkeeping takes an eighth of a training.

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
        torch._fused_adam_(
            parameters,
            gradients,
            means,
            squares,
            [],
            # the same count for all
            [self._taken] * len(parameters),
            lr=self.rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=self._weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
