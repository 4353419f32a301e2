"""Metrics are scikit-learn's, to the last digit, and know what chance and noise are."""

import warnings
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from metaqnn.errors import MetaqnnError
from metaqnn.metrics.accuracy import ACCURACY
from metaqnn.metrics.base import METRICS
from metaqnn.metrics.macro_f1 import MACRO_F1
from metaqnn.task import TAKEN, accuracy

THEIRS = {
    "accuracy": accuracy_score,
    "balanced-accuracy": balanced_accuracy_score,
    "macro-f1": lambda labels, answers: f1_score(labels, answers, average="macro"),
}

pairs = st.integers(2, 30).flatmap(
    lambda classes: st.lists(
        st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=90
    )
)


def test_all_are_compared_with_scikit_learn():
    assert THEIRS.keys() == set(METRICS)


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None)
@given(pairs=pairs)
def test_it_is_scikit_learn_s_to_the_last_digit(name, pairs):
    """Also where classes have no images, or are never answered."""
    labels, answers = np.array(pairs).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without images
        expected = THEIRS[name](labels, answers)
    assert METRICS.find(name).measure(labels, answers) == expected


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None)
@given(pairs=pairs)
def test_it_is_within_the_bounds_of_its_score_and_1_where_all_are_right(name, pairs):
    labels, answers = np.array(pairs).T
    metric = METRICS.find(name)
    score = metric.score(30)
    assert score.low <= metric.measure(labels, answers) <= score.high
    assert metric.measure(labels, labels) == 1 == score.high


def test_known_answers():
    """Class 0 has 8 images, 6 of them right, class 1 has 2, one of them right."""
    labels, answers = np.repeat([0, 1], [8, 2]), np.array([0] * 6 + [1] * 2 + [1, 0])
    found = {name: METRICS.find(name).measure(labels, answers) for name in METRICS}
    assert found == {
        "accuracy": 0.7,
        "balanced-accuracy": (6 / 8 + 1 / 2) / 2,
        "macro-f1": pytest.approx((2 * 6 / (8 + 7) + 2 * 1 / (2 + 3)) / 2),
    }


@pytest.mark.parametrize("classes", [2, 3, 10, 49, 1000])
def test_chance_is_an_answer_that_never_changes(classes):
    chances = {name: METRICS.find(name).chance(classes) for name in METRICS}
    assert chances == {
        "accuracy": 1 / classes,
        "balanced-accuracy": pytest.approx(1 / classes),
        # of the one class that is answered, whose recall is 1 and whose precision 1 / classes
        "macro-f1": pytest.approx(2 / (classes + 1) / classes),
    }


def test_a_constant_answer_is_worth_what_the_classes_allow():
    counts = np.array([0, 98, 2])
    found = {name: METRICS.find(name).constant(counts) for name in METRICS}
    f1 = 2 * 0.98 / 1.98
    assert found == {"accuracy": 0.98, "balanced-accuracy": 0.5, "macro-f1": pytest.approx(f1 / 2)}


def test_noise_is_that_of_the_rare_class():
    counts = np.array([98, 2, 0])
    assert METRICS.find("accuracy").images(counts) == 100
    assert METRICS.find("balanced-accuracy").images(counts) == pytest.approx(4 / (1 / 98 + 1 / 2))
    for name in METRICS:
        assert METRICS.find(name).images(np.array([20, 20, 20])) == pytest.approx(60)


def test_noise_is_that_of_answers_drawn_at_random():
    """Ten thousand times images in classes of 90 and 10 are answered right with probability .7."""
    random = np.random.default_rng(0)
    shares = [random.binomial(count, 0.7, 10_000) / count for count in (90, 10)]
    deviation = np.mean(shares, axis=0).std()
    images = METRICS.find("balanced-accuracy").images(np.array([90, 10]))
    assert sqrt(0.7 * 0.3 / images) == pytest.approx(deviation, rel=0.03)


def test_the_score_of_the_accuracy_is_what_it_was():
    assert ACCURACY.score(10) == accuracy(classes=10)


def test_the_score_has_the_metric_s_name():
    score = MACRO_F1.score(4)
    assert (score.name, score.column, score.header) == (
        *("validation macro F1", "macro_f1", "macro f1"),
    )
    assert score.show(0.98765) == "98.77%" and not score.falls
    assert not {METRICS.find(name).column for name in METRICS} & TAKEN


def test_an_unknown_one_is_told_with_the_nearest():
    with pytest.raises(MetaqnnError, match=r"no metric 'makro-f1'.*macro-f1"):
        METRICS.check("makro-f1")
