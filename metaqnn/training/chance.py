"""Whether a network has learnt anything yet, so that it is worth going on with."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt
from typing import Self

from metaqnn.data.images import Images
from metaqnn.metrics.accuracy import ACCURACY
from metaqnn.metrics.base import Metric
from metaqnn.training.recipe import Recipe

MANY_CLASSES = 10
"""So many balanced classes at least are judged as in Baker et al. 2017, as were theirs."""

FEWEST_STEPS = 8
"""So many steps an epoch at least are needed for that."""

ENOUGH_STEPS = 50
"""After so many steps others are judged; the paper's took hundreds."""

DEVIATIONS = 2
"""So many standard deviations above the best answer that never changes are no chance any more."""


@dataclass(frozen=True)
class Chance:
    """When a network is judged, and what it must have reached.

    The paper's rule is that of its appendix: a network whose accuracy after the first epoch is no
    better than 1.5 times chance starts again at a lower rate, and if that fails too its accuracy
    counts as chance. It was made for ten balanced classes and hundreds of steps an epoch. Elsewhere
    the limit is what an answer that never changes gets on the validation images, and its noise; a
    network is judged when it has taken enough steps; and if it fails at every rate it is trained on
    at the first, for it is better than nothing. Both hold for every metric.

    Attributes:
        epoch: After which the networks are judged, from 1; 0 where none are.
        limit: A score that is no better is chance.
        trains_on: What fails at every rate is trained in full all the same.
    """

    epoch: int
    limit: float
    trains_on: bool

    @classmethod
    def of(
        cls, recipe: Recipe, training: Images, validation: Images, metric: Metric = ACCURACY
    ) -> Self:
        """The rule for a recipe and a metric on these images."""
        classes = len(training.classes)
        counts = validation.labels.bincount(minlength=classes)
        steps = ceil(recipe.seen(len(training)) / recipe.batch_size)
        is_balanced = int(counts.max()) / len(validation) <= 1.5 / classes
        if classes >= MANY_CLASSES and is_balanced and steps >= FEWEST_STEPS:
            # of whole numbers' quotients, since 1.5 times .1 would be more than .15
            chance = Fraction(metric.chance(classes)).limit_denominator()
            limit = float(Fraction(recipe.restart_below) * chance)
            return cls(1, limit, trains_on=False)
        constant = metric.constant(counts.numpy(force=True))
        images = metric.images(counts.numpy(force=True))
        noise = DEVIATIONS * sqrt(constant * (1 - constant) / images)
        epoch = ceil(ENOUGH_STEPS / steps)
        judged = recipe.restart_below > 0 and 2 * epoch <= recipe.epochs
        # of so few images nothing but a higher score can be asked for
        limit = constant + noise if constant + noise < 1 else constant
        return cls(epoch if judged else 0, limit, trains_on=True)

    def fails(self, curve: list[float]) -> bool:
        """Whether a network with the scores of its epochs so far shall start again."""
        return len(curve) == self.epoch and not max(curve) > self.limit

    def stays(self, curve: list[float]) -> bool:
        """Whether a training that has ended has brought nothing."""
        return not max(curve) > self.limit
