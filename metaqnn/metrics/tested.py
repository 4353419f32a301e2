"""What answers to test images are worth: the share of wrong ones, and the metric of the search."""

import numpy as np

from metaqnn.metrics.accuracy import ACCURACY
from metaqnn.metrics.base import Metric, Whole


def test_column(score: str) -> str | None:
    """The column on the test images of the score of a column; None where `test_error` is enough."""
    return None if score == ACCURACY.column else f"test_{score}"


def test_results(probabilities: np.ndarray, labels: Whole, metric: Metric) -> dict[str, float]:
    """The share of wrong answers and its 95 % interval, and the metric, as tables have them.

    Args:
        probabilities: Shape (images, classes).
        labels: Shape (images,).
        metric: Of the run.
    """
    answers = probabilities.argmax(1)
    wrong = int((answers != labels).sum())
    low, high = wilson(wrong, len(labels))
    tested = test_column(metric.column)
    measured = {tested: metric.measure(labels, answers)} if tested else {}
    return {"test_error": wrong / len(labels), "low": low, "high": high, **measured}


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share, Wilson's (1927)."""
    from scipy.stats import binomtest

    low, high = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(low), float(high)
