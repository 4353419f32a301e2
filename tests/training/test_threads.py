"""Several threads train only where they are found to be faster."""

import pytest
import torch

from metaqnn.device import use_threads
from metaqnn.training import threads
from metaqnn.training.threads import fastest_threads


def set_clock(monkeypatch, seconds):
    """A step takes so many seconds, by the number of threads."""
    now = 0.0

    def read():
        nonlocal now
        now += seconds[torch.get_num_threads()] / 2
        return now

    monkeypatch.setattr(threads.time, "perf_counter", read)


def test_they_must_be_faster_by_more_than_a_little(monkeypatch):
    with use_threads(2):
        for case, (together, chosen) in enumerate([(0.5, 2), (0.9, 1), (1.0, 1), (30.0, 1)]):
            set_clock(monkeypatch, {1: 1.0, 2: together})
            assert fastest_threads((1, 8, 8), 16 + case) == chosen
            assert torch.get_num_threads() == 2


def test_where_there_is_one_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(threads.time, "perf_counter", None)
    with use_threads(1):
        assert fastest_threads((3, 8, 8), 16) == 1


@pytest.mark.slow
def test_large_pictures_are_measured_in_a_moment():
    with use_threads(2):
        assert fastest_threads((3, 512, 512), 128) in (1, 2)
