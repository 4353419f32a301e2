"""Hypervolumes of a comparison: by hand, and from the command line."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from metaqnn.cli import main
from metaqnn.comparison.searches import read_searches, run_search, search_path, write_search
from metaqnn.comparison.statistics import Measure, compare
from metaqnn.comparison.tables import render
from metaqnn.comparison.volumes import with_volumes
from metaqnn.task import accuracy
from replay import Outcome
from tests.helpers.commands import refused
from tests.helpers.parts import image_task, run_of
from tests.helpers.spaces import make_space

MEASURE = Measure("score", accuracy(classes=10))


def search_frame(agent, seed, scores, parameters):
    count = len(scores)
    return pd.DataFrame(
        {
            "number": range(1, count + 1),
            "reward": scores,
            "score": scores,
            "network": [f"[FC({n}), SM(10)]" for n in range(1, count + 1)],
            "parameters": parameters,
            "confirmation": 0,
            "predicted": False,
            "agent": agent,
            "budget": count,
            "seed": seed,
        }
    )


SEARCHES = pd.concat(
    [
        search_frame("a", 0, [0.55, 0.91], [100, 10_000]),
        search_frame("a", 1, [0.28, np.nan], [1, 10]),
        search_frame("b", 0, [0.1, 0.55], [1, 1000]),
        search_frame("b", 1, [0.55, 0.91], [100, 100]),
    ],
    ignore_index=True,
)
"""The box is from chance to 1, and from 10,000 parameters to 1."""


def test_every_search_has_the_share_of_one_box_by_hand():
    table = compare(SEARCHES, (1, 2), MEASURE, ["a", "b"], "a")
    table = with_volumes(table, SEARCHES, MEASURE, ("parameters",))
    found = table.set_index(["budget", "agent"])["hypervolume"].to_dict()
    # 0.5 over half of the scale, and 0.2 over all of it
    assert found[1, "a"] == pytest.approx((0.25 + 0.2) / 2)
    # what is no better than chance dominates nothing
    assert found[1, "b"] == pytest.approx((0 + 0.25) / 2)
    # a network as large as the largest adds nothing, nor one that failed
    assert found[2, "a"] == pytest.approx((0.25 + 0.2) / 2)
    # 0.5 over a quarter, and 0.9 over half
    assert found[2, "b"] == pytest.approx((0.125 + 0.45) / 2)
    low, high = table["hypervolume_low"], table["hypervolume_high"]
    assert ((low <= table["hypervolume"]) & (table["hypervolume"] <= high)).all()
    text = render(table, MEASURE, "a", "table")
    assert "accuracy from 10.00% to 100.00%, parameters from 10,000 to 1 (logarithmic)" in text
    assert "0.2250" in text


def test_a_search_in_which_all_failed_covers_nothing_and_unknown_costs_none():
    failed = search_frame("a", 2, [np.nan, np.nan], [1, 10])
    other = search_frame("c", 0, [0.5, 0.6], [np.nan, np.nan])
    searches = pd.concat([SEARCHES, failed, other], ignore_index=True)
    table = compare(searches, (2,), MEASURE, ["a", "b", "c"], "a")
    table = with_volumes(table, searches, MEASURE, ("parameters",))
    found = table.set_index(["choice", "agent"])["hypervolume"]["handed over"]
    assert found["a"] == pytest.approx((0.25 + 0.2 + 0) / 3)
    assert found["b"] == pytest.approx((0.125 + 0.45) / 2)
    assert np.isnan(found["c"])


def test_networks_count_as_they_do_in_a_run():
    """Not those whose scores are predicted, and those trained again by their means."""
    stopped = search_frame("a", 0, [0.55, 0.91, 0.91], [100, 10, 10]).assign(
        predicted=[False, False, True], network=["[SM(10)]", "[SM(10)]", "[FC(1), SM(10)]"]
    )
    stopped.loc[1, ["confirmation", "parameters", "score"]] = [1, 100, 0.37]
    other = search_frame("b", 0, [0.55, 0.1, 0.1], [10_000, 1, 1])
    searches = pd.concat([stopped, other], ignore_index=True)
    table = compare(searches, (3,), MEASURE, ["a", "b"], "a")
    table = with_volumes(table, searches, MEASURE, ("parameters",))
    # a mean of 0.46 is 0.4 above chance, over half of the scale
    assert table.set_index("agent")["hypervolume"]["a"] == pytest.approx(0.2)


def test_the_file_of_a_search_tells_what_is_predicted(tmp_path):
    def score(job):
        stopped = int(job.architecture.digest, 16) % 2
        return Outcome({"predicted": 0.99} if stopped else {}, (0.5,))

    options = {"agent": "random", "budget": 8, "objective": "parameters"}
    found = run_search(run_of(make_space("digits"), image_task(), **options), score)
    write_search(search_path(tmp_path, "a", 8, 0), found)
    read = read_searches(tmp_path)
    assert read["predicted"].tolist() == (read["score"] == 0.99).tolist()
    assert 0 < read["predicted"].sum() < 8


def test_without_objectives_or_costs_the_table_stays_as_it_is():
    table = compare(SEARCHES, (2,), MEASURE, ["a", "b"], "a")
    assert with_volumes(table, SEARCHES, MEASURE, ()) is table
    older = SEARCHES.drop(columns="parameters")
    assert with_volumes(table, older, MEASURE, ("parameters",)) is table


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    """A table in which what is better is larger."""
    entries = {
        "".join(digits): {"test_acc": [50 + 3 * size], "mean_acc": 50 + 3 * size, "params": 2**size}
        for digits in itertools.product("012", repeat=8)
        for size in [sum(map(int, digits))]
    }
    path = tmp_path_factory.mktemp("table") / "table.json"
    path.write_text(json.dumps(entries))
    return str(path)


def call(folder, table_file, *agents):
    arguments = ["compare", str(folder), "--budgets", "12", "--jobs", "1", "--seeds", "2"]
    arguments += ["--space", "macro", "--evaluator", "table", "--table", table_file]
    return CliRunner().invoke(main, [*arguments, *(f"--agent={agent}" for agent in agents)])


@pytest.mark.slow
def test_an_agent_with_an_objective_is_measured_against_one_without(tmp_path, table_file):
    plain, own = "evolution,population=4", "evolution,population=4,objective=parameters"
    result = call(tmp_path / "c", table_file, plain, own)
    assert result.exit_code == 0, result.output
    assert "The hypervolume of a search's networks" in result.output
    table = pd.read_csv(tmp_path / "c" / "comparison.csv")
    handed = table[table["choice"] == "handed over"].set_index("agent")
    assert handed["hypervolume"].between(0, 1).all()
    assert handed["hypervolume_of"].nunique() == 1
    searches = [
        pd.read_csv(tmp_path / "c" / "searches" / name / "budget-12-seed-0.csv")
        for name in (plain, own)
    ]
    assert not searches[0]["network"].equals(searches[1]["network"])
    sizes = ((searches[0]["accuracy"] - 0.5) / 0.03).round()
    assert (searches[0]["parameters"] == 2**sizes).all()


def test_an_unknown_objective_is_told_in_one_line(tmp_path, table_file):
    result = call(tmp_path / "c", table_file, "evolution,objective=parameter")
    refused(result, "there is no objective 'parameter'", "did you mean parameters?")
