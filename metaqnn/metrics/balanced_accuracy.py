"""The balanced accuracy."""

import numpy as np

from metaqnn.metrics.base import Metric, Whole


def balanced_accuracy(labels: Whole, answers: Whole) -> float:
    """The mean, over the classes that have images, of the share of them that are answered right."""
    images = np.bincount(labels)
    right = np.bincount(labels[labels == answers], minlength=len(images))
    there = images > 0
    return float((right[there] / images[there]).mean())


BALANCED_ACCURACY = Metric("balanced accuracy", balanced_accuracy, every_class=True)
