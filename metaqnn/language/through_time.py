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

from metaqnn.language.derivatives import Derivatives
from metaqnn.language.instructions import Product, Program
from metaqnn.language.passes import (
    Written,
    find_runs,
    handed_on,
    write_backward,
    write_forward,
)
from state_space.recurrent import HIDDEN, INPUT

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
        program, rows, values = self.program, dict[str, Tensor](), Values()

        def room(width: int, is_kept: bool) -> Tensor:
            if is_kept:
                return inputs.new_empty(steps, texts, width)
            return inputs.new_empty(1, texts, width).expand(steps, -1, -1)

        for place, before in enumerate(state):
            states = inputs.new_empty(steps + 1, texts, units)
            states[0] = before
            values[HIDDEN - place] = rows[f"s{place}"] = states[:-1]
            rows[f"n{place}"] = states[1:]
        maps: list[Tensor | None] = []
        products = iter(range(len(program.products)))
        for own in program.instructions:
            if isinstance(own, Product):
                number, nodes = next(products), program.computed(own)
                is_own = own.sources != (INPUT,)
                of_source = _rows(weights[own.sources[-1]], own, units)
                # many small products are faster with a transposed matrix that is written out
                maps.append(of_source.t().contiguous() if is_own else None)
                if INPUT in own.sources:
                    whole = inputs @ _rows(weights[INPUT], own, units).t()
                else:
                    whole = room(len(nodes) * units, keeps)
                rows[f"m{number}"] = whole
                sizes = [size * units for size in own.sizes]
                values.update(zip(own.parts, whole.split(sizes, 2), strict=True))
                slots = own.parts
            else:
                slots = (own.slot,)
                if own.slot in program.under:
                    values[own.slot] = values[own.inputs[0]]
                elif own.slot in self._handed_on:
                    values[own.slot] = rows[f"n{self._handed_on[own.slot]}"]
                else:
                    width = values[own.inputs[0]].shape[2]
                    values[own.slot] = room(width, keeps)
            for slot in slots:
                for nodes in [program.sides[slot]] if slot in program.sides else []:
                    values.update(zip(nodes, values[slot].chunk(len(nodes), 2), strict=True))
        rows.update((f"v{slot}", value) for slot, value in values.items())
        self._forward.call(maps, [rows[name].unbind(0) for name in self._forward.rows])
        ends = tuple(rows[f"n{place}"][-1].clone() for place in range(len(state)))
        return rows["n0"], ends, values

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
        shape = steps, texts, units = of_outputs.shape
        program, products = self.program, self.program.products
        along, of_nodes = self._derivatives.along(kept, inputs.new_ones(()))
        rows = {f"d{number}": own.expand(shape) for number, own in enumerate(along)}
        rows["o0"] = of_outputs
        rooms = []
        for number, product in enumerate(products):
            nodes = program.computed(product)
            room = inputs.new_empty(steps, texts, len(nodes), units)
            for place, node in enumerate(nodes):
                room[:, :, place] = of_nodes.get(node, 0)
            rooms.append(room)
            rows[f"r{number}"] = room.flatten(2)
        for run in find_runs(program, self._derivatives):
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
