"""What searches cost: networks, the agents' time and the time of trainings, by hand."""

import time

import numpy as np
import pandas as pd
import pytest

from metaqnn.agents.random import RandomSearch
from metaqnn.comparison.costs import check_until, networks_until, with_costs
from metaqnn.comparison.figure import best_over_time, draw_comparison
from metaqnn.comparison.statistics import Measure, compare
from metaqnn.comparison.tables import render
from metaqnn.comparison.timed import TimedAgent
from metaqnn.errors import MetaqnnError
from metaqnn.search.events import Event
from metaqnn.task import Score, accuracy
from replay import Outcome, Trial
from tests.helpers.spaces import make_space

MEASURE = Measure("expected", accuracy(), 0.95)


def search_frame(agent, seed, budget, expected, **columns):
    """A search whose rewards are the expected accuracies but where they are given."""
    count = len(expected)
    found = pd.DataFrame(
        {
            "number": range(1, count + 1),
            "reward": [0.1 if value is None else value for value in expected],
            "score": [None if value is None else 0.9 for value in expected],
            "expected": expected,
            "network": [f"[FC({n}), SM(10)]" for n in range(1, count + 1)],
            "confirmation": 0,
            "agent": agent,
            "budget": budget,
            "seed": seed,
        }
    )
    return found.assign(**columns).astype({"expected": float, "score": float})


def until(searches, budget, regret):
    return networks_until(searches, budget, MEASURE, regret).to_dict()


def test_the_first_network_that_is_good_enough():
    # regrets of 15, 5, 4 and 0 points
    searches = search_frame("a", 0, 5, [0.80, None, 0.90, 0.91, 0.95])
    assert until(searches, 5, 5) == {("a", 0): 3}
    assert until(searches, 5, 4.5) == {("a", 0): 4}
    assert until(searches, 5, 0) == {("a", 0): 5}
    assert until(searches, 2, 5) == {("a", 0): np.inf}


def test_what_is_not_handed_over_is_not_good_enough():
    # the second network is better than its reward says
    searches = search_frame("a", 0, 3, [0.80, 0.95, 0.85], reward=[0.8, 0.7, 0.9])
    assert until(searches, 3, 5) == {("a", 0): np.inf}
    # and one that was good enough may be handed over no more
    searches = search_frame("a", 0, 3, [0.80, 0.95, 0.85], reward=[0.7, 0.8, 0.9])
    assert until(searches, 3, 5) == {("a", 0): 2}


def test_an_agent_that_plans_for_its_budget_is_judged_by_the_fitting_search():
    searches = pd.concat(
        [search_frame("a", 0, 2, [0.95, 0.5]), search_frame("a", 0, 4, [0.5, 0.5, 0.95, 0.5])]
    )
    assert until(searches, 2, 1) == {("a", 0): 1}
    assert until(searches, 4, 1) == {("a", 0): 3}


def test_scores_that_fall():
    measure = Measure("expected", Score("seconds", "time", "negative", "s"), -2.0)
    searches = search_frame("a", 0, 3, [-9.0, -4.0, -2.5])
    assert networks_until(searches, 3, measure, 1).to_dict() == {("a", 0): 3}


def four_seeds():
    """Agent a reaches 5 points after 1, 3 and 4 networks and never; b never; b was not timed."""
    low, high = 0.5, 0.9
    found = [[high, low, low, low], [low, low, high, low], [low, low, low, high], [low] * 4]
    return pd.concat(
        [
            search_frame("a", seed, 4, values, agent_seconds=[0.001, 0.002, 0.003, 0.006])
            for seed, values in enumerate(found)
        ]
        + [search_frame("b", seed, 4, [low] * 4) for seed in range(2)]
    )


def costs(searches, budgets, regret):
    table = compare(searches, budgets, MEASURE, ["a", "b"], "a")
    return with_costs(table, searches, MEASURE, regret)


def test_costs_by_hand():
    table = costs(four_seeds(), [2, 4], 5.0)
    rows = {
        (row["agent"], row["budget"]): row
        for row in table[table["choice"] == "handed over"].to_dict("records")
    }
    # at 4 the median of 1, 3, 4 and never; at 2 that of 1 and three times never
    assert rows["a", 4]["networks_until"] == 3.5
    assert rows["a", 4]["share_until"] == 0.75
    assert np.isnan(rows["a", 2]["networks_until"])
    assert rows["a", 2]["share_until"] == 0.25
    assert rows["b", 4]["share_until"] == 0
    # (1 + 2) / 2 and (1 + 2 + 3 + 6) / 4
    assert rows["a", 2]["agent_milliseconds"] == pytest.approx(1.5)
    assert rows["a", 4]["agent_milliseconds"] == pytest.approx(3)
    assert np.isnan(rows["b", 4]["agent_milliseconds"])
    assert not table[table["choice"] != "handed over"]["agent_milliseconds"].notna().any()


def test_costs_as_people_read_them():
    lines = render(costs(four_seeds(), [2, 4], 5.0), MEASURE, "a", "table").splitlines()
    start = lines.index("Networks until the regret is first at most 5 points, lower is better:")
    cells = [line.split() for line in lines[start:]]
    assert ["a", ">", "2", "(25%)", "3.5", "(75%)", "4"] in cells
    assert ["b", ">", "2", "(0%)", ">", "4", "(0%)", "2"] in cells
    assert ["a", "1.50", "3.00", "4"] in cells
    # b was not timed
    assert [cell[0] for cell in cells if cell[:1] in (["a"], ["b"])] == ["a", "b", "a"]


def test_without_times_and_regrets_there_are_no_costs():
    searches = four_seeds().drop(columns="agent_seconds")
    table = costs(searches, [2, 4], None)
    assert table.equals(compare(searches, [2, 4], MEASURE, ["a", "b"], "a"))
    text = render(table, MEASURE, "a", "table")
    assert "until" not in text and "Milliseconds" not in text


def test_no_regret_is_waited_for_where_none_is_known():
    check_until(None, None)
    check_until(0.5, 0.95)
    with pytest.raises(MetaqnnError, match="until is 0.5, a regret, which is not known"):
        check_until(0.5, None)


def test_the_best_over_the_time_of_trainings():
    """Networks that fail take time too; where the shorter search ends, the comparison does."""
    searches = pd.concat(
        [
            search_frame("a", 0, 3, [0.5, None, 0.7], seconds=[10, 5, 10]),
            search_frame("a", 1, 3, [None, 0.6, 0.4], seconds=[np.nan, 12, 8]),
        ]
    )
    lines = best_over_time(searches, "a", "expected")
    assert lines.index.tolist() == [10, 12, 20]
    assert lines[0].tolist() == [0.5, 0.5, 0.5]
    assert np.isnan(lines[1].iloc[0])
    assert lines[1].tolist()[1:] == [0.6, 0.6]


@pytest.mark.parametrize("seconds", [None, 30.0])
def test_the_figure_has_the_time_where_networks_are_trained(tmp_path, seconds):
    columns = {} if seconds is None else {"seconds": seconds}
    searches = pd.concat(
        [search_frame("a", seed, 9, [0.5 + n / 20 for n in range(9)], **columns) for seed in (0, 1)]
    )
    draw_comparison(searches, MEASURE, ["a"], tmp_path)
    drawn = (tmp_path / "comparison.svg").read_text()
    # nine times half a minute
    assert ("minutes of training" in drawn) == (seconds is not None)
    assert "distinct networks" in drawn


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_first_networks_do_not_fill_the_figure(tmp_path, monkeypatch, seeds):
    """Twenty networks, the first at chance, all others from .90 to .95."""
    scores = [0.1, *np.linspace(0.9, 0.95, 19)]
    searches = pd.concat([search_frame("a", seed, 20, scores) for seed in range(seeds)])
    drawn = []
    monkeypatch.setattr(
        "metaqnn.comparison.figure.save", lambda figure, path: drawn.append(figure.axes)
    )
    draw_comparison(searches, Measure("expected", accuracy()), ["a"], tmp_path)
    bottom, top = drawn[0][0].get_ylim()
    assert 85 < bottom < 90 and 95 < top < 96


class Slow(RandomSearch):
    """Takes 20 milliseconds of the processor to propose, and 10 to learn."""

    def ask(self, stage=0):
        spend(0.02)
        return super().ask(stage)

    def tell(self, trial, reward):
        spend(0.01)
        super().tell(trial, reward)


def spend(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_an_agent_is_timed_and_what_it_proposes_is_the_same():
    space = make_space("tiny")
    agent, same = TimedAgent(Slow(space, 3)), RandomSearch(space, 3)
    for number in (4, 7):
        proposal = agent.ask()
        assert proposal == same.ask()
        spend(0.1)  # a training, which is not the agent's time
        trial = Trial(number, proposal.walk, 0, "digest", 0, {})
        agent.tell(trial, 0.5)
        agent.observe(Event(trial, Outcome(), 0.5, 1, True))
    assert agent.snapshot() == same.snapshot()
    assert agent.between(pd.Series([4, 7], index=[0, 9])).between(0.03, 0.06).tolist() == [True] * 2
    assert 0.06 <= agent.seconds < 0.12
