"""The accuracy."""

from metaqnn.metrics.base import Metric, Whole


def accuracy(labels: Whole, answers: Whole) -> float:
    """The share of images that are answered right."""
    return int((labels == answers).sum()) / len(labels)


ACCURACY = Metric("accuracy", accuracy)
