"""What optimizers there are, and what each must do."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, Self

from metaqnn.registry import Table

if TYPE_CHECKING:
    from torch import Tensor

    from metaqnn.training.recipe import Recipe


class Optimizer(Protocol):
    """Updates weights by their gradients.

    Attributes:
        rate: The learning rate, a tensor on the device of the weights.
    """

    rate: "Tensor"

    @classmethod
    def from_recipe(cls, parameters: "Iterable[Tensor]", recipe: "Recipe") -> Self:
        """As a recipe begins."""
        ...

    def clear(self) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> None:
        """Update the weights that have a gradient."""
        ...

    def state(self) -> "list[Tensor]":
        """All that a step changes besides the weights, as it lies in memory."""
        ...


OPTIMIZERS: Table[type[Optimizer]] = Table(
    "optimizer",
    {
        "adam": "metaqnn.training.adam:FusedAdam",
        "adamw": "metaqnn.training.adam:FusedAdamW",
        "muon": "metaqnn.training.muon:Muon",
        "sgd": "metaqnn.training.sgd:Sgd",
    },
)
