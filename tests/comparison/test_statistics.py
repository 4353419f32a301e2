"""What a comparison says: values and intervals by hand, and how they are written."""

import csv
import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from metaqnn.comparison.figure import best_so_far
from metaqnn.comparison.statistics import Measure, best_of, compare, mean_interval
from metaqnn.comparison.tables import render
from metaqnn.task import accuracy

# values


def search_frame(agent, seed, budget, rewards, expected, networks=None):
    """A search as `read_searches` gives it; networks that failed are None in expected.

    Networks that are named twice were trained twice.
    """
    networks = pd.Series(networks or [f"[FC({n}), SM(10)]" for n in range(len(rewards))])
    return pd.DataFrame(
        {
            "number": range(1, len(rewards) + 1),
            "reward": rewards,
            "score": [None if value is None else 0.9 for value in expected],
            "expected": expected,
            "network": networks,
            "confirmation": networks.groupby(networks).cumcount(),
            "agent": agent,
            "budget": budget,
            "seed": seed,
        }
    ).astype({"expected": float, "score": float})


def value(searches, budget, count=1):
    return best_of(searches, budget, "expected", count).to_dict()


def test_the_network_of_the_highest_reward_is_handed_over_the_first_of_equals():
    searches = search_frame("a", 3, 4, [0.5, 0.7, 0.7, 0.6], [0.50, 0.60, 0.65, 0.70])
    assert value(searches, 1) == {("a", 3): 0.50}
    for budget in (2, 3, 4):
        assert value(searches, budget) == {("a", 3): 0.60}


def test_a_search_that_ends_early_keeps_its_best():
    searches = search_frame("a", 0, 100, [0.5, 0.4], [0.50, 0.99])
    assert value(searches, 100) == {("a", 0): 0.50}


def test_a_network_that_failed_is_not_handed_over():
    searches = search_frame("a", 0, 3, [0.9, 0.2, 0.1], [None, 0.3, 0.4])
    assert value(searches, 1) == {}
    assert value(searches, 3) == {("a", 0): 0.3}


def test_ten_best_is_the_best_expectation_among_the_ten_highest_rewards():
    # network 1 has the best expectation and the 12th reward, network 2 the 11th, network 3 the 10th
    rewards = [n / 100 for n in range(1, 13)]
    expected = [0.99, 0.98, 0.97] + [0.5] * 9
    searches = search_frame("a", 0, 12, rewards, expected)
    assert value(searches, 12, 10) == {("a", 0): 0.97}
    assert value(searches, 11, 10) == {("a", 0): 0.98}
    assert value(searches, 4, 10) == {("a", 0): 0.99}


def test_the_first_of_equal_rewards_are_the_ten_best():
    searches = search_frame("a", 0, 11, [0.5] * 11, [0.1] * 9 + [0.2, 0.3])
    assert value(searches, 11, 10) == {("a", 0): 0.2}


def test_of_networks_trained_again_the_best_mean_is_handed_over():
    searches = search_frame(
        "a", 0, 6, [0.9, 0.8, 0.7, 0.7, 0.9, 0.1], [0.1, 0.2, 0.3, 0.2, 0.3, 0.1], list("abcbca")
    )
    # a leads until b was trained twice; then c is better, with a mean of 0.8; a comes to 0.5
    handed = [value(searches, budget)[("a", 0)] for budget in range(1, 7)]
    assert handed == pytest.approx([0.1, 0.1, 0.1, 0.2, 0.3, 0.3])


def test_an_agent_with_a_search_a_budget_is_judged_by_the_fitting_one():
    searches = pd.concat(
        [
            search_frame("a", 0, 2, [0.1, 0.2], [0.11, 0.12]),
            search_frame("a", 0, 4, [0.1, 0.3, 0.2, 0.1], [0.21, 0.22, 0.23, 0.24]),
            search_frame("b", 0, 4, [0.1, 0.2, 0.3, 0.4], [0.31, 0.32, 0.33, 0.34]),
        ]
    )
    assert value(searches, 2) == {("a", 0): 0.12, ("b", 0): 0.32}
    assert value(searches, 4) == {("a", 0): 0.22, ("b", 0): 0.34}
    curve = best_so_far(searches, "a", "expected")
    assert curve[0].to_dict() == {1: 0.21, 2: 0.22, 3: 0.22, 4: 0.22}


def random_searches(generator):
    """Three searches with equal rewards, failures and early ends."""
    frames = []
    for seed in range(3):
        size = int(generator.integers(1, 9))
        rewards = generator.integers(0, 4, size) / 4
        expected = [None if generator.random() < 0.2 else generator.random() for _ in range(size)]
        size = len(rewards)
        repeated = generator.integers(0, np.arange(size) // 2 + 1).astype(str).tolist()
        repeated = repeated if seed else None
        values = {name: generator.random() for name in repeated or ()}
        if repeated:
            expected = [values[name] for name in repeated]
        frames.append(search_frame("a", seed, 8, rewards, [0.5, *expected[1:]], repeated))
    return pd.concat(frames)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_curve_has_the_value_of_every_budget(seed):
    searches = random_searches(np.random.default_rng(seed))
    curve = best_so_far(searches, "a", "expected")
    for budget in range(1, 9):
        by_seed = {key[1]: number for key, number in value(searches, budget).items()}
        assert curve.loc[budget].to_dict() == pytest.approx(by_seed)


# intervals


def test_the_interval_of_equal_values_has_no_width():
    low, high = mean_interval(np.full((5, 2), 0.25))
    assert low.tolist() == high.tolist() == [0.25, 0.25]


def test_the_interval_of_two_values_spans_them():
    # of the four equally likely resamples two have both values, one only the lower, one the higher
    low, high = mean_interval(np.array([1.0, 3.0]))
    assert (low, high) == (1.0, 3.0)


def test_the_interval_of_many_values_is_that_of_the_normal_distribution():
    # 200 coins: 0.5 with a deviation of 0.5 / sqrt(200) = 0.0354, times 1.96
    low, high = mean_interval(np.array([0.0, 1.0] * 100))
    assert low == pytest.approx(0.5 - 0.0693, abs=0.006)
    assert high == pytest.approx(0.5 + 0.0693, abs=0.006)


def test_one_seed_has_no_interval():
    low, high = mean_interval(np.array([[1.0, 2.0]]))
    assert np.isnan(low).all() and np.isnan(high).all()


EXPECTED = Measure("expected", accuracy())


def two_agents():
    """Values of a that vary widely from seed to seed, and b always 0.01 below it."""
    values = [0.1, 0.5, 0.9, 0.3]
    return pd.concat(
        [search_frame("a", seed, 1, [0.5], [value]) for seed, value in enumerate(values)]
        + [search_frame("b", seed, 1, [0.5], [value - 0.01]) for seed, value in enumerate(values)]
        + [search_frame("b", 9, 1, [0.5], [0.2])]
    )


def row(table, agent, choice="handed over"):
    (found,) = table[(table["agent"] == agent) & (table["choice"] == choice)].to_dict("records")
    return found


def test_statistics_by_hand():
    table = compare(two_agents(), [1], EXPECTED, ["a", "b"], "a")
    a, b = row(table, "a"), row(table, "b")
    assert (a["seeds"], b["seeds"]) == (4, 5)
    assert a["mean"] == pytest.approx(45)
    assert a["median"] == pytest.approx(40)
    assert b["mean"] == pytest.approx((9 + 49 + 89 + 29 + 20) / 5)
    assert b["median"] == pytest.approx(29)
    assert a["low"] < 45 < a["high"]


def test_agents_are_compared_seed_by_seed():
    table = compare(two_agents(), [1], EXPECTED, ["a", "b"], "a")
    a, b = row(table, "a"), row(table, "b")
    assert np.isnan(a["difference"])
    assert b["pairs"] == 4
    # always one point, though the interval of either mean is dozens wide
    for name in ("difference", "difference_low", "difference_high"):
        assert b[name] == pytest.approx(-1)
    assert a["high"] - a["low"] > 20


def test_regret_is_what_the_optimum_has_more():
    searches = two_agents()
    regret = compare(searches, [1], Measure.of(searches, accuracy(), 0.95), ["a", "b"], "b")
    assert row(regret, "a")["mean"] == pytest.approx(95 - 45)
    assert row(regret, "a")["difference"] == pytest.approx(-1)


def test_without_expectations_the_accuracy_counts_and_nothing_is_retrained():
    searches = two_agents().drop(columns="expected")
    measure = Measure.of(searches, accuracy(), None)
    assert measure.name == "validation accuracy in %"
    table = compare(searches, [1], measure, ["a", "b"], "a")
    assert set(table["choice"]) == {"handed over"}
    assert row(table, "a")["mean"] == pytest.approx(90)
    assert set(compare(two_agents(), [1], EXPECTED, ["a"], "a")["choice"]) == {
        "handed over",
        "ten best",
    }


def test_headings_say_which_side_is_better():
    searches = two_agents()
    plain, regret = EXPECTED, Measure.of(searches, accuracy(), 0.95)
    for measure, words in ((plain, ("higher", "above")), (regret, ("lower", "below"))):
        text = render(compare(searches, [1], measure, ["a", "b"], "a"), measure, "a", "table")
        assert f", {words[0]} is better: median" in text
        assert f", {words[1]} 0 is better: mean" in text
        assert max(map(len, text.splitlines())) <= 120


def test_json_and_csv_carry_all_digits():
    table = compare(two_agents(), [1], EXPECTED, ["a", "b"], "a")
    records = json.loads(render(table, EXPECTED, "a", "json"))
    assert records[0]["difference"] is None and records[0]["pairs"] is None
    assert records[1]["mean"] == row(table, "b")["mean"]
    again = csv.DictReader(StringIO(render(table, EXPECTED, "a", "csv")))
    assert [float(line["mean"]) for line in again] == table["mean"].tolist()
