"""The hypervolume of the networks of a run."""

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.reports.pareto import Box, describe_volume, measured
from metaqnn.task import Score, accuracy

TEN = accuracy(classes=10)

NETWORKS = pd.DataFrame(
    {
        "score": [0.55, 0.91, 0.28, 0.55, math.nan],
        "parameters": [100, 10_000, 1, 1000, 10],
        "multiply_adds": [10, 1000, 1000, 10, 10],
        "predicted": False,
    }
)
"""From chance, at 0.1, to 1 they reach 0.5, 0.9, 0.2 and 0.5; one has failed."""


def test_with_one_cost_it_is_the_mean_of_the_best_score_within_a_cost():
    found = measured(NETWORKS, ["parameters"])
    box = Box.around(found, ["parameters"], TEN)
    assert box == Box(("parameters",), (1,), (10_000,), 0.1, 1)
    # from 1 to 100 parameters, half of the scale, 0.2; from 100 to 10,000 0.5
    assert box.volume(found) == pytest.approx(0.35)
    # the second costs as much as the reference, and the fourth is dominated
    assert box.volumes(found).tolist() == pytest.approx([0.25, 0.25, 0.35, 0.35])
    assert describe_volume(NETWORKS, ["parameters"], TEN) == (
        "hypervolume 0.3500 of accuracy from 10.00% to 100.00%, parameters from 10,000 to 1 "
        "(logarithmic)"
    )


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (58, 85_914, "85,914 to 58"),
        (1, 1_953_275, "1,953,275 to 1"),
        (0.0123, 2.5, "2.5 to 0.0123"),
    ],
)
def test_a_box_is_told_in_numbers_that_people_read(low, high, told):
    box = Box(("parameters",), (low,), (high,), 0.1, 1)
    assert f"parameters from {told} (logarithmic)" in box.describe(TEN)


def test_with_two_costs_by_hand():
    costs = ["parameters", "multiply_adds"]
    found = measured(NETWORKS, costs)
    box = Box.around(found, costs, TEN)
    # the first reaches 0.5 x 0.5 x 1; the others cost as much as the reference, or are dominated
    assert box.volume(found) == pytest.approx(0.25)


def test_what_is_predicted_does_not_count():
    networks = NETWORKS.assign(predicted=[True, False, False, True, False])
    assert measured(networks, ["parameters"])["score"].tolist() == [0.91, 0.28]


def test_a_score_without_chance_or_bounds_counts_from_the_lowest_to_the_highest():
    found = measured(NETWORKS, ["parameters"])
    box = Box.around(found, ["parameters"], Score())
    assert (box.worst, box.best) == (0.28, 0.91)
    assert box.volume(found) == pytest.approx(0.5 * (0.55 - 0.28) / (0.91 - 0.28))


def test_networks_that_all_cost_the_same_count_by_their_score_alone():
    found = measured(NETWORKS.assign(parameters=7), ["parameters"])
    assert Box.around(found, ["parameters"], TEN).volume(found) == pytest.approx(0.9)


def test_there_is_no_box_where_no_cost_is_known():
    found = measured(NETWORKS, ["latency"])
    assert Box.around(found, ["latency"], TEN) is None
    assert Box.around(found.assign(latency=0), ["latency"], TEN) is None
    assert describe_volume(NETWORKS, ["latency"], TEN).startswith("no hypervolume")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 1000), st.integers(1, 1000)),
        min_size=1,
        max_size=10,
    )
)
def test_the_volume_over_time_is_that_of_the_networks_so_far(rows):
    costs = ["parameters", "multiply_adds"]
    found = pd.DataFrame(rows, columns=["score", *costs])
    box = Box.around(found, costs, TEN)
    if box is None:
        assert (found["parameters"] == 0).all()
        return
    volumes = box.volumes(found).tolist()
    expected = [box.volume(found[:count]) for count in range(1, len(found) + 1)]
    assert volumes == pytest.approx(expected)
    assert volumes == sorted(volumes)
    assert 0 <= volumes[-1] <= 1 + 1e-9
