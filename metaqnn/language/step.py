"""One step of a language model as a program, which PT2 and ONNX files hold.

A whole text is read by calling it again and again with what it has handed on.
"""

import torch
from torch import Tensor, nn

from metaqnn.language.model import LanguageModel, states_of
from metaqnn.language.source import names_of_states


class Step(nn.Module):
    """Scores the next token of each text, and hands on the state, whose tensors are laid out flat.

    Attributes:
        names: Of these tensors.
    """

    def __init__(self, model: LanguageModel) -> None:
        """Of a model as it is used."""
        super().__init__()
        self.model = model.eval()
        self.states = states_of(model)
        self.names = names_of_states(self.states)

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Scores, of shape (texts, tokens), and the state after.

        Args:
            tokens: int64, shape (texts,).
            state: Each of shape (texts, units).
        """
        left = iter(state)
        before = tuple(tuple(next(left) for _ in range(many)) for many in self.states)
        scores, after = self.model(tokens[None], before)
        return scores[0], *(value for own in after for value in own)


def program(step: Step) -> torch.export.ExportedProgram:
    """The step for any number of texts."""
    texts = torch.export.Dim("texts")
    units = step.model.dimensions.units
    state = tuple(torch.zeros(2, units) for _ in step.names)
    tokens = torch.zeros(2, dtype=torch.int64)
    shapes = ({0: texts}, tuple({0: texts} for _ in state))
    return torch.export.export(step, (tokens, *state), dynamic_shapes=shapes)
