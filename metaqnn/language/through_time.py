"""A recurrent cell over all steps of texts, and its gradients by back-propagation through time.

Autograd would record every op of every step. Here all steps are one function, and what can be
computed of all of them at once is: maps of the inputs before the first step; on the way back the
derivatives, which the steps multiply by gradients where they lie; and the gradients of weights
after the last one.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from metaqnn.language.derivatives import Derivatives
from metaqnn.language.instructions import Product, Program
from metaqnn.language.passes import (
    Run,
    Written,
    find_runs,
    handed_on,
    write_backward,
    write_forward,
)
from state_space.recurrent import INPUT

Weights = Mapping[int, Tensor]
"""Of each source those of all its maps, of shape (maps * units, values)."""

Values = dict[int, Tensor]
"""Of slots, of all steps: of shape (steps, texts, units), or as many times wider as nodes stand
there side by side."""


class Passes:
    """A cell over all steps, forwards and backwards.

    Attributes:
        program: Of the cell.
    """

    def __init__(self, program: Program) -> None:
        """Its functions are written when they are called first."""
        self.program = program
        self._handed_on = handed_on(program)

    @cached_property
    def _forward(self) -> Written:
        return write_forward(self.program)

    @cached_property
    def _derivatives(self) -> Derivatives:
        return Derivatives(self.program)

    @cached_property
    def _runs(self) -> list[Run]:
        return [*find_runs(self.program, self._derivatives)]

    @cached_property
    def _backward(self) -> Written:
        return write_backward(self.program, self._derivatives)

    def forward(
        self, inputs: Tensor, state: Sequence[Tensor], weights: Weights, keeps: bool = False
    ) -> tuple[Tensor, tuple[Tensor, ...], Values]:
        """Outputs, of shape (steps, texts, units), what the last step hands on, and all values.

        Args:
            inputs: Shape (steps, texts, inputs).
            state: Of the step before the first, each of shape (texts, units).
            weights: See there.
            keeps: What gradients read is kept; else the steps write over each other.
        """
        steps, (texts, units) = len(inputs), state[0].shape
        rows: dict[str, Tensor] = {}
        for place, before in enumerate(state):
            states = inputs.new_empty(steps + 1, texts, units)
            states[0] = before
            rows[f"s{place}"], rows[f"n{place}"] = states[:-1], states[1:]

        def room(width: int) -> Tensor:
            own = inputs.new_empty(steps if keeps else 1, texts, width * units)
            return own.expand(steps, -1, -1)

        maps: list[Tensor | None] = []
        for number, product in enumerate(self.program.products):
            of_source = _rows(weights[product.sources[-1]], product, units)
            # many small products are faster with a transposed matrix that is written out
            maps.append(of_source.t().contiguous() if product.sources != (INPUT,) else None)
            rows[f"m{number}"] = (
                inputs @ _rows(weights[INPUT], product, units).t()
                if INPUT in product.sources
                else room(sum(product.sizes))
            )
        values = self._lay_out(rows, units, room)
        rows |= {f"v{slot}": value for slot, value in values.items()}
        self._forward.call(maps, [rows[name].unbind(0) for name in self._forward.rows])
        ends = tuple(rows[f"n{place}"][-1].clone() for place in range(len(state)))
        return rows["n0"], ends, values

    def _lay_out(
        self, rows: Mapping[str, Tensor], units: int, room: Callable[[int], Tensor]
    ) -> Values:
        """Where all slots are; a room is for so many nodes side by side."""
        program = self.program
        values = {slot: rows[f"s{place}"] for place, slot in enumerate(program.state)}
        for own in program.instructions:
            if isinstance(own, Product):
                whole = rows[f"m{program.products.index(own)}"]
                parts = whole.split_with_sizes([size * units for size in own.sizes], 2)
                new = dict(zip(own.slots, parts, strict=True))
            elif own.slot in program.under:
                new = {own.slot: values[program.under[own.slot]]}
            elif own.slot in self._handed_on:
                new = {own.slot: rows[f"n{self._handed_on[own.slot]}"]}
            else:
                new = {own.slot: room(len(program.computed(own)))}
            for slot, value in new.items():
                beside = program.sides.get(slot, ())
                values |= {
                    slot: value,
                    **dict(zip(beside, value.chunk(len(beside) or 1, 2), strict=False)),
                }
        return values

    def backward(
        self,
        inputs: Tensor,
        weights: Weights,
        kept: Values,
        of_outputs: Tensor,
        of_ends: Sequence[Tensor],
    ) -> tuple[Tensor, Sequence[Tensor], list[Tensor]]:
        """Gradients of the inputs, the state before and the weights, of those of what came out.

        Args:
            inputs: As in `forward`.
            weights: Likewise.
            kept: The values of the program's `kept`.
            of_outputs: Gradients, shape (steps, texts, units).
            of_ends: Those of what the last step has handed on.
        """
        steps, texts, units = of_outputs.shape
        products = self.program.products
        along, of_nodes = self._derivatives.along(kept, inputs.new_ones(()))
        rows = {f"d{number}": own.expand_as(of_outputs) for number, own in enumerate(along)}
        rows["o0"] = of_outputs
        rooms = [inputs.new_empty(steps, texts, sum(own.sizes), units) for own in products]
        for number, (product, room) in enumerate(zip(products, rooms, strict=True)):
            for place, node in enumerate(self.program.computed(product)):
                room[:, :, place] = of_nodes.get(node, 0)
            rows[f"r{number}"] = room.flatten(2)
        for run in self._runs:
            part = rooms[run.product][:, :, run.first : run.first + run.many]
            rows[run.name] = part if run.many > 1 else part[:, :, 0]
        of_state = self._backward.call(
            [_rows(weights[product.sources[-1]], product, units) for product in products],
            *of_ends,
            inputs.new_zeros(texts, units),
            [rows[name].unbind(0)[::-1] for name in self._backward.rows],
        )
        of_inputs = inputs.new_zeros(inputs.shape)  # contiguous, whatever those are
        of_weights = {source: torch.empty_like(own) for source, own in weights.items()}
        read = {source: kept[source].flatten(0, 1) for source in weights if source != INPUT}
        read[INPUT] = inputs.flatten(0, 1)
        for product, room in zip(products, rooms, strict=True):
            gradients = room.flatten(2).flatten(0, 1)
            for source in product.sources:
                torch.mm(gradients.t(), read[source], out=_rows(of_weights[source], product, units))
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
        named = dict(zip(passes.program.maps, weights, strict=True))
        outputs, ends, values = passes.forward(inputs, state, named, keeps=True)
        ctx.passes = passes
        kept = (values[slot] for slot in passes.program.kept)
        ctx.save_for_backward(inputs, *weights, *kept)
        return outputs, *ends

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_outputs: Tensor, *of_ends: Tensor) -> Any:
        """Gradients of the same."""
        program = ctx.passes.program
        inputs, *others = ctx.saved_tensors
        weights, kept = others[: len(program.maps)], others[len(program.maps) :]
        of_inputs, of_state, of_weights = ctx.passes.backward(
            inputs,
            dict(zip(program.maps, weights, strict=True)),
            dict(zip(program.kept, kept, strict=True)),
            of_outputs,
            of_ends,
        )
        return None, of_inputs, *of_state, *of_weights
