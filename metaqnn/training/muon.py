"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/)."""

from collections.abc import Iterable
from typing import Self

import torch
from torch import Tensor

from metaqnn.training.adam import FusedAdamW
from metaqnn.training.recipe import Recipe

FACTORS = (3.4445, -4.7750, 2.0315)
"""Of x, x^3 and x^5: it brings numbers between 0 and 1 close to 1 in few rounds."""

ROUNDS = 3
"""Of that: with five, as in the paper, small singular values come closer to 1, and a training takes
longer."""

SMALL = 1e-7
"""A gradient of zero stays one."""

BESIDE = 0.05
"""The learning rate of what AdamW updates, as a share of that of the matrices."""


class Muon:
    """Momentum whose singular values are all made about 1: a step is as long in every direction.

    The weights of convolutions and of layers between are matrices, a row a filter. Those of the
    last layer, of depthwise convolutions and of norms, and biases, are updated by AdamW at a
    twentieth of the rate. Weight decay takes its share of the weights themselves.

    Attributes:
        rate: The learning rate of the matrices.
    """

    def __init__(
        self, parameters: Iterable[Tensor], rate: float, weight_decay: float, momentum: float
    ) -> None:
        """Begin at rest.

        Args:
            parameters: All on one device, in the order of the layers.
            rate: Of the first steps.
            weight_decay: Times the rate, the share that a step takes off the weights.
            momentum: Share of the former gradients' sum that a step keeps, in Nesterov's way.
        """
        parameters = list(parameters)
        self._matrices = [weights for weights in parameters if _is_matrix(weights)][:-1]
        chosen = {id(weights) for weights in self._matrices}
        others = [weights for weights in parameters if id(weights) not in chosen]
        self._sums = [torch.zeros_like(weights) for weights in self._matrices]
        self.rate = torch.tensor(rate, device=parameters[0].device)
        self._adam = FusedAdamW(others, BESIDE * rate, weight_decay)
        self._weight_decay = weight_decay
        self._momentum = momentum

    @classmethod
    def from_recipe(cls, parameters: Iterable[Tensor], recipe: Recipe) -> Self:
        """As a recipe begins."""
        return cls(parameters, recipe.rate(0), recipe.weight_decay, recipe.momentum)

    def clear(self) -> None:
        """Forget the gradients, and with them their memory."""
        self._adam.clear()
        for weights in self._matrices:
            weights.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update the weights that have a gradient."""
        self._adam.rate.copy_(BESIDE * self.rate)
        self._adam.step()
        for weights, gradients in zip(self._matrices, self._sums, strict=True):
            if weights.grad is None:
                continue
            gradients.mul_(self._momentum).add_(weights.grad)
            change = orthogonal((weights.grad + self._momentum * gradients).flatten(1))
            rows, columns = change.shape
            # of more filters than inputs, each would change less
            longer = max(1.0, rows / columns) ** 0.5
            weights.mul_(1 - self._weight_decay * self.rate)
            weights.sub_(longer * self.rate * change.view_as(weights))

    def state(self) -> list[Tensor]:
        """All that a step changes besides the weights, as it lies in memory."""
        return [*self._sums, *self._adam.state()]


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values about 1, by Newton's and Schulz's iteration."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    values: Tensor = (matrix.T if is_tall else matrix) / (matrix.norm() + SMALL)
    first, third, fifth = FACTORS
    for _ in range(ROUNDS):
        square = values @ values.T
        values = first * values + (third * square + fifth * square @ square) @ values
    return values.T if is_tall else values


def _is_matrix(weights: Tensor) -> bool:
    """Whether several filters read several values, whatever they are in; not of depthwise ones."""
    return weights.dim() > 1 and weights.shape[1] > 1
