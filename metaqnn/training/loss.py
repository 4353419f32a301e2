"""The loss that a training brings down."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaqnn.data.images import Images
from metaqnn.training.recipe import BALANCED, Recipe


@dataclass(frozen=True)
class Loss:
    """Cross entropy: a mean over the images of a batch, each with the weight of its class.

    Without label smoothing it is that of torch, whose mean has the same weights. With it torch
    weighs every class of a smoothed label by itself, so that where one class is rare even the
    images of the others are best answered by that one; here an image has one weight.

    Attributes:
        labels: Of all training images.
        smoothing: Share of a label that is spread over all classes.
        weights: Of all training images, those of their classes; None where all are equal.
    """

    labels: Tensor
    smoothing: float = 0.0
    weights: Tensor | None = None

    @classmethod
    def of(cls, recipe: Recipe, training: Images) -> Self:
        """The loss of a recipe on these images."""
        labels, weights = training.labels, None
        if recipe.class_weights == BALANCED:
            weights = balance(labels, len(training.classes))[labels]
        return cls(labels, recipe.label_smoothing, weights)

    def __call__(self, scores: Tensor, part: Tensor) -> Tensor:
        """The mean over a part of a batch.

        Args:
            scores: Of the images of the part, shape (images, classes).
            part: The indices of these images.
        """
        scores, labels, smoothing = scores.float(), self.labels[part], self.smoothing
        if self.weights is None:
            return cross_entropy(scores, labels, label_smoothing=smoothing)
        losses = cross_entropy(scores, labels, label_smoothing=smoothing, reduction="none")
        weights = self.weights[part]
        return (weights * losses).sum() / weights.sum()

    def share(self, part: Tensor, batch: Tensor) -> Tensor | float:
        """The weight of a part in its batch: with it, the means of all parts add up to a mean."""
        if self.weights is None:
            return len(part) / len(batch)
        return self.weights[part].sum() / self.weights[batch].sum()


def balance(labels: Tensor, classes: int) -> Tensor:
    """Weights with which all classes that have images count the same, and an image 1 on average.

    n / (k n_c), of n images in k classes, n_c of them in the class; 0 where a class has none.
    """
    counts = labels.cpu().bincount(minlength=classes).double()  # which some devices do not have
    there = counts > 0
    weights = torch.where(there, len(labels) / (there.sum() * counts.clamp(min=1)), 0.0)
    return weights.float().to(labels.device)
