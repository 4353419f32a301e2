"""Whether a network has learnt anything yet, so that it is worth going on with."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Self

from metaqnn.data.images import Images
from metaqnn.training.recipe import Recipe

MANY_CLASSES = 10
"""So many balanced classes at least are judged as in Baker et al. 2017, as were theirs."""

FEWEST_STEPS = 8
"""So many steps an epoch at least are needed for that."""

ENOUGH_STEPS = 50
"""After so many steps others are judged; the paper's took hundreds."""

DEVIATIONS = 2
"""So many standard deviations above the share of the commonest class are no chance any more."""


@dataclass(frozen=True)
class Chance:
    """When a network is judged, and what it must have reached.

    The paper's rule is that of its appendix: a network whose accuracy after the first epoch is no
    better than 1.5 times chance starts again at a lower rate, and if that fails too its accuracy
    counts as chance. It was made for ten balanced classes and hundreds of steps an epoch. Elsewhere
    the limit is what an answer that never changes gets on the validation images, and its noise; a
    network is judged when it has taken enough steps; and if it fails at every rate it is trained on
    at the first, for it is better than nothing.

    Attributes:
        epoch: After which the networks are judged, from 1; 0 where none are.
        limit: An accuracy that is no better is chance.
        trains_on: What fails at every rate is trained in full all the same.
    """

    epoch: int
    limit: float
    trains_on: bool

    @classmethod
    def of(cls, recipe: Recipe, training: Images, validation: Images) -> Self:
        """The rule for a recipe on these images."""
        classes = len(training.classes)
        counts = validation.labels.bincount(minlength=classes)
        majority = int(counts.max()) / len(validation)
        steps = ceil(len(training) / recipe.batch_size)
        is_balanced = majority <= 1.5 / classes
        if classes >= MANY_CLASSES and is_balanced and steps >= FEWEST_STEPS:
            return cls(1, recipe.restart_below / classes, trains_on=False)
        noise = DEVIATIONS * sqrt(majority * (1 - majority) / len(validation))
        epoch = ceil(ENOUGH_STEPS / steps)
        judged = recipe.restart_below > 0 and 2 * epoch <= recipe.epochs
        # of so few images nothing but a higher accuracy can be asked for
        limit = majority + noise if majority + noise < 1 else majority
        return cls(epoch if judged else 0, limit, trains_on=True)

    def fails(self, curve: list[float]) -> bool:
        """Whether a network with the accuracies of its epochs so far shall start again."""
        return len(curve) == self.epoch and not max(curve) > self.limit

    def stays(self, curve: list[float]) -> bool:
        """Whether a training that has ended has brought nothing."""
        return not max(curve) > self.limit
