"""Updates of a language model, each from a piece of text."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from metaqnn.language.model import LanguageModel
from metaqnn.language.recipe import ADAM, SGD, LanguageRecipe


class Steps:
    """Trains a language model, a piece of text at a time.

    All that a step reads stays in its place, so that a step can be recorded and replayed.

    Attributes:
        generator: Draws dropout.
        loss: Of the last step.
    """

    def __init__(self, model: LanguageModel, text: Tensor, recipe: LanguageRecipe) -> None:
        """Begin with the model as it is.

        Args:
            model: Is trained in place.
            text: int64, shape (steps, texts), on the model's device.
            recipe: The rules.
        """
        self.model = model
        self.text = text
        self.clip_norm = recipe.clip_norm
        self.is_summed = recipe.optimizer == SGD
        self.generator = model.generator
        self.weights: list[Tensor] = [
            weights for weights in model.parameters() if weights.requires_grad
        ]
        self.optimizer = _optimizer(self.weights, recipe)
        self.loss = torch.zeros((), device=text.device)
        # a layer's states begin as one tensor, and go on as several
        self.before = tuple(
            tuple(value.clone() for value in own) for own in model.start(text.shape[1])
        )

    def begin(self, rate: float) -> bool:
        """Be at the beginning of the text, with a learning rate; whether that is another one."""
        for own in self.before:
            for value in own:
                value.zero_()
        (group,) = self.optimizer.param_groups
        changed = bool(group["lr"] != rate)
        group["lr"] = rate
        return changed

    def step(self, batch: Tensor) -> None:
        """One update, from the tokens at these places of all texts, one after the other.

        Each but the last is read, and each but the first is to be told.
        """
        piece = self.text[batch]
        self.optimizer.zero_grad(set_to_none=True)
        scores, after = self.model(piece[:-1], self.before)
        loss = cross_entropy(scores.flatten(0, 1), piece[1:].flatten())
        # the rates of plain descent are those of Zaremba et al., whose loss is the sum of a piece
        descended = loss * (len(piece) - 1) if self.is_summed else loss
        descended.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        if self.clip_norm is not None:
            clip_grad_norm_(self.weights, self.clip_norm)
        self.optimizer.step()
        with torch.no_grad():
            self.loss.copy_(loss)
            for own, ends in zip(self.before, after, strict=True):
                for value, end in zip(own, ends, strict=True):
                    value.copy_(end)

    def state(self) -> dict[str, list[Tensor]]:
        """What a step changes, as it lies in memory; all is there after the first step."""
        moments = [
            value
            for state in self.optimizer.state.values()
            for value in state.values()
            if isinstance(value, Tensor)
        ]
        return {
            "losses": [self.loss],
            "weights": self.weights,
            "states": [value for own in self.before for value in own],
            "moments": moments,
        }


def _optimizer(weights: list[Tensor], recipe: LanguageRecipe) -> torch.optim.Optimizer:
    if recipe.optimizer == ADAM:
        recorded = weights[0].device.type == "cuda"  # its count of steps must be there, too
        return torch.optim.Adam(weights, lr=recipe.learning_rate, capturable=recorded)
    return torch.optim.SGD(weights, lr=recipe.learning_rate)
