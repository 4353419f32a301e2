"""The volume that points dominate, and which of them no other one dominates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.objectives.hypervolume import hypervolume, non_dominated

FEW = settings(max_examples=50, deadline=None)

EIGHTHS = st.integers(0, 8).map(lambda whole: whole / 8)
"""Their sums and products are exact."""


def clouds(most=8):
    """Points of one to three coordinates, some of them equal."""
    return st.integers(1, 3).flatmap(
        lambda width: st.lists(st.tuples(*[EIGHTHS] * width), min_size=1, max_size=most)
    )


def dominates(one, other):
    return all(a >= b for a, b in zip(one, other, strict=True)) and one != other


@pytest.mark.parametrize(
    ("points", "volume"),
    [
        ([(0.5,), (0.25,)], 0.5),
        ([(1.0, 1.0)], 1.0),
        # two boxes of 0.5 x 1 and 1 x 0.25 share 0.5 x 0.25
        ([(0.5, 1.0), (1.0, 0.25)], 0.625),
        # 1 x 1 x 0.5 and 0.5 x 0.5 x 1 share 0.5 x 0.5 x 0.5
        ([(1.0, 1.0, 0.5), (0.5, 0.5, 1.0)], 0.625),
        # three slabs: 3 x 0.5, less 3 x 0.25 of two, and 0.125 of all three
        ([(1.0, 1.0, 0.5), (1.0, 0.5, 1.0), (0.5, 1.0, 1.0)], 0.875),
        # beyond the reference
        ([(-1.0, 1.0), (1.0, 0.0)], 0.0),
    ],
)
def test_volumes_by_hand(points, volume):
    assert hypervolume(np.array(points)) == volume


def test_no_points_dominate_nothing():
    assert hypervolume(np.empty((0, 2))) == 0
    assert non_dominated(np.empty((0, 2))).tolist() == []


@FEW
@given(clouds())
def test_the_volume_is_that_of_the_cells_of_a_grid(points):
    width = len(points[0])
    cells = itertools.product(*[np.arange(8) / 8 + 1 / 16] * width)
    inside = sum(
        any(all(a < b for a, b in zip(cell, point, strict=True)) for point in points)
        for cell in cells
    )
    assert hypervolume(np.array(points)) == pytest.approx(inside / 8**width, abs=1e-12)


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(2, 3), st.integers(1, 12))
def test_it_is_what_a_monte_carlo_estimate_says(seed, width, count):
    generator = np.random.default_rng(seed)
    points, drawn = generator.random((count, width)), generator.random((4000, width))
    share = (drawn[:, None] < points[None]).all(2).any(1).mean()
    assert hypervolume(points) == pytest.approx(share, abs=5 * 0.5 / 4000**0.5)


@FEW
@given(clouds(), st.randoms(use_true_random=False))
def test_order_makes_no_difference(points, random):
    shuffled = list(points)
    random.shuffle(shuffled)
    assert hypervolume(np.array(shuffled)) == pytest.approx(hypervolume(np.array(points)))


@FEW
@given(clouds())
def test_it_grows_with_every_point_that_is_not_dominated_and_with_no_other(points):
    before, after = np.array(points[:-1]).reshape(-1, len(points[0])), np.array(points)
    gain = hypervolume(after) - hypervolume(before)
    *others, last = points
    if last in others or any(dominates(one, last) for one in others) or 0 in last:
        assert gain == pytest.approx(0)
    else:
        assert gain > 0


@FEW
@given(clouds(12))
def test_the_front_is_exactly_what_no_other_point_dominates(points):
    expected = [not any(dominates(one, point) for one in points) for point in points]
    assert non_dominated(np.array(points)).tolist() == expected
    assert hypervolume(np.array(points)[expected]) == pytest.approx(hypervolume(np.array(points)))
