"""The macro F1."""

import numpy as np

from metaqnn.metrics.base import Metric, Whole


def macro_f1(labels: Whole, answers: Whole) -> float:
    """The mean F1, over the classes that have images or are answered.

    The F1 of a class is the harmonic mean of the share of its images that are answered right
    (recall) and the share of its answers that are right (precision).
    """
    classes = max(labels.max(), answers.max()) + 1
    right, images, answered = (
        np.bincount(found, minlength=classes)
        for found in (labels[labels == answers], labels, answers)
    )
    there = images + answered > 0
    return float((2 * right[there] / (images + answered)[there]).mean())


MACRO_F1 = Metric("macro F1", macro_f1, every_class=True)
