"""What a search whose networks have learnt nothing is told."""

import pandas as pd

from metaqnn.reports.chance import advise


def trained(*rows):
    return pd.DataFrame(rows, columns=["reward", "error", "at_chance"])


def test_a_search_in_which_all_are_at_chance_says_so_and_what_to_try():
    told = advise(trained((0.5, None, 1), (0.52, None, 1), (0.1, "out of memory", None)))
    assert told.startswith("All networks stayed at chance") and "--learning-rate" in told


def test_a_best_network_at_chance_is_told():
    told = advise(trained((0.97, None, 1), (0.9, None, None)))
    assert "best network is no better" in told


def test_networks_that_learn_need_no_advice():
    assert advise(trained((0.97, None, None), (0.9, None, 1))) is None
    assert advise(trained((0.97, None, None)).drop(columns="at_chance")) is None
    assert advise(trained((0.1, "out of memory", None))) is None
