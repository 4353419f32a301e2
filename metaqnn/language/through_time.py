"""A recurrent cell over all steps of texts, and its gradients by back-propagation through time.

Autograd would record every op of every step. Here all steps are one function: on the way back the
gradients of a product are put one behind the other, so that those of its weights are one product
for all steps.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from metaqnn.language.instructions import Product, Program
from metaqnn.language.passes import Kept, write_backward, write_forward
from state_space.recurrent import INPUT

Weights = Mapping[int, Tensor]
"""Of each source those of all its maps, of shape (maps * units, values)."""


class Passes:
    """A cell over all steps, forwards and backwards.

    Attributes:
        program: Of the cell.
    """

    def __init__(self, program: Program) -> None:
        """Its functions are written when they are called first."""
        self.program = program

    @cached_property
    def _forward(self) -> Any:
        return write_forward(self.program)

    @cached_property
    def _backward(self) -> Any:
        return write_backward(self.program)

    def forward(
        self, inputs: Tensor, state: Sequence[Tensor], weights: Weights, kept: Kept | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs, of shape (steps, texts, units), and what the last step hands on.

        Args:
            inputs: Shape (steps, texts, inputs).
            state: Of the step before the first, each of shape (texts, units).
            weights: See there.
            kept: Is to hold what `backward` reads.
        """
        units = state[0].shape[1]
        mapped: list[Sequence[Tensor]] = []
        maps: list[Tensor | None] = []
        for product in self.program.products:
            is_mapped, is_own = INPUT in product.sources, product.sources != (INPUT,)
            rows = _rows(weights[product.sources[-1]], product, units)
            # many small products are faster with a transposed matrix that is written out
            maps.append(rows.t().contiguous() if is_own else None)
            of_inputs = _rows(weights[INPUT], product, units) if is_mapped else None
            mapped.append(() if of_inputs is None else (inputs @ of_inputs.t()).unbind(0))
        outputs, ends = self._forward(mapped, maps, units, state, len(inputs), kept)
        return torch.stack(outputs), tuple(ends)

    def backward(
        self,
        inputs: Tensor,
        weights: Weights,
        kept: Kept,
        of_outputs: Tensor,
        of_ends: Sequence[Tensor],
    ) -> tuple[Tensor, Sequence[Tensor], list[Tensor]]:
        """Gradients of the inputs, the state before and the weights, of those of what came out."""
        steps, texts, units = of_outputs.shape
        products = self.program.products
        rooms = [inputs.new_empty(steps, texts, sum(product.sizes) * units) for product in products]
        maps = [_rows(weights[product.sources[-1]], product, units) for product in products]
        of_state = self._backward(
            [room.unbind(0) for room in rooms],
            maps,
            lambda size: inputs.new_zeros(texts, size * units),
            kept,
            of_outputs.unbind(0),
            of_ends,
        )
        of_inputs = inputs.new_zeros(inputs.shape)  # contiguous, whatever those are
        of_weights = {source: torch.empty_like(own) for source, own in weights.items()}
        read = {
            source: torch.cat([step[place] for step in kept])
            for place, source in enumerate(self.program.kept)
            if source in weights
        }
        read[INPUT] = inputs.flatten(0, 1)
        for product, room in zip(products, rooms, strict=True):
            gradients = room.flatten(0, 1)
            for source in product.sources:
                rows = _rows(of_weights[source], product, units)
                torch.mm(gradients.t(), read[source], out=rows)
            if INPUT in product.sources:
                own = _rows(weights[INPUT], product, units)
                of_inputs.flatten(0, 1).addmm_(gradients, own)
        return of_inputs, of_state, list(of_weights.values())


def _rows(weights: Tensor, product: Product, units: int) -> Tensor:
    """Of all weights of a source those of a product."""
    return weights[product.start * units : product.end * units]


class ThroughTime(torch.autograd.Function):
    """What steps compute, for autograd."""

    @staticmethod
    def forward(ctx: Any, passes: Passes, inputs: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Outputs and ends, of inputs, state and, in the order of the program's maps, weights."""
        states = len(passes.program.outputs)
        state, weights = others[:states], others[states:]
        ctx.passes, ctx.kept = passes, []
        ctx.save_for_backward(inputs, *weights)
        named = dict(zip(passes.program.maps, weights, strict=True))
        outputs, ends = passes.forward(inputs, state, named, ctx.kept)
        # what is handed out must not be what is kept, or neither would be freed
        return outputs, *(end.clone() for end in ends)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_outputs: Tensor, *of_ends: Tensor) -> Any:
        """Gradients of the same."""
        inputs, *weights = ctx.saved_tensors
        named = dict(zip(ctx.passes.program.maps, weights, strict=True))
        of_inputs, of_state, of_weights = ctx.passes.backward(
            inputs, named, ctx.kept, of_outputs, of_ends
        )
        return None, of_inputs, *of_state, *of_weights
