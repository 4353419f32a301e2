"""Stochastic gradient descent with momentum."""

from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor

from metaqnn.training.recipe import Recipe


class Sgd:
    """`torch.optim.SGD(fused=True)`, whose rate is a tensor, as a recorded step reads it.

    Attributes:
        rate: The learning rate.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        rate: float,
        weight_decay: float,
        momentum: float,
        nesterov: bool,
    ) -> None:
        """Begin at rest.

        Args:
            parameters: All on one device.
            rate: Of the first steps.
            weight_decay: L2 penalty.
            momentum: Share of its velocity that a step keeps.
            nesterov: Whether the gradient counts as one step ahead (Nesterov's momentum).
        """
        parameters = list(parameters)
        self.rate = torch.tensor(rate, device=parameters[0].device)
        self._optimizer = torch.optim.SGD(
            parameters,
            self.rate,
            momentum,
            weight_decay=weight_decay,
            nesterov=nesterov,
            fused=True,
        )

    @classmethod
    def from_recipe(cls, parameters: Iterable[Tensor], recipe: Recipe) -> Self:
        """As a recipe begins."""
        return cls(
            parameters, recipe.rate(0), recipe.weight_decay, recipe.momentum, recipe.nesterov
        )

    def clear(self) -> None:
        """Forget the gradients, and with them their memory."""
        self._optimizer.zero_grad()

    def step(self) -> None:
        """Update the weights that have a gradient."""
        self._optimizer.step()

    def state(self) -> list[Tensor]:
        """All that a step changes besides the weights, as it lies in memory."""
        values = (state.get("momentum_buffer") for state in self._optimizer.state.values())
        return [value for value in values if value is not None]
