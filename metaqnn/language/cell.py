"""A recurrent cell as a module."""

import torch
from torch import Tensor, nn

from metaqnn.language.instructions import write_program
from metaqnn.language.through_time import Passes, ThroughTime
from state_space import Architecture
from state_space.recurrent import HIDDEN, INPUT


class RecurrentCell(nn.Module):
    """One layer.

    Attributes:
        states: How many tensors a step hands on to the next; the first is the output too.
        maps: Of each node, or of what a cell reads, the linear maps of it, in the order of its
            weights.
        places: Of each linear map the node that it reads, and which of the maps of that it is: its
            weights are so many rows of `units` down.
    """

    def __init__(self, cell: Architecture, inputs: int, units: int) -> None:
        """Make the weights, which are yet to be drawn.

        Args:
            cell: Reads -1, the input of a step, and -2, ..., what the step before has handed on;
                its outputs are handed on.
            inputs: Values of an input.
            units: Values of all else.
        """
        super().__init__()
        self.states = len(cell.outputs)
        self.passes = Passes(write_program(cell))
        self.maps = self.passes.program.maps
        self.places = {
            position: (source, place)
            for source, positions in self.maps.items()
            for place, position in enumerate(positions)
        }
        self.weights = nn.ParameterDict(
            {
                weights_name(source): nn.Parameter(
                    torch.empty(len(own) * units, inputs if source == INPUT else units)
                )
                for source, own in self.maps.items()
            }
        )

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs, of shape (steps, texts, units), and what the last step hands on.

        Args:
            inputs: Shape (steps, texts, inputs).
            state: Of the step before the first, each of shape (texts, units).
        """
        weights = {source: self.weights[weights_name(source)] for source in self.maps}
        if not torch.is_grad_enabled():
            outputs, ends, _ = self.passes.forward(inputs, state, weights)
            return outputs, ends
        outputs, *ends = ThroughTime.apply(self.passes, inputs, *state, *weights.values())
        return outputs, tuple(ends)


def weights_name(source: int) -> str:
    """Of the weights of all maps of a node, or of what a cell reads."""
    return {INPUT: "input", HIDDEN: "hidden"}.get(source, f"node{source}")
