"""The best networks of a run, sorted and chosen."""

import json
import math
import re
from io import StringIO

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from metaqnn.errors import MetaqnnError
from metaqnn.reports.columns import COLUMNS, COSTS, SORTS
from metaqnn.reports.distinct import distinct
from metaqnn.reports.formats import FORMATS
from metaqnn.reports.top_k import render, top_k
from metaqnn.task import accuracy as accuracy_score
from tests.helpers.commands import FAST, refused
from tests.helpers.spaces import make_space

FEW = settings(max_examples=30, deadline=None)
SPACE = make_space("digits")
WALKS = [("SM(10)",), ("C(8,3,1)", "SM(10)"), ("FC(32)", "SM(10)"), ("GAP(10)", "SM(10)")]

ACCURACY = accuracy_score()
FRONTS = st.sets(st.sampled_from(list(COSTS.values())), min_size=1).map(tuple)
"""Against which costs there can be a front."""

NAMES = {"score": "accuracy"}
"""What a column is called where the score is the accuracy."""


def trial(number, accuracy, parameters, **other):
    """A trial of a network of its own, as `Memory.frame` has it."""
    return {
        "number": number,
        "walk": WALKS[number % len(WALKS)],
        "digest": str(number),
        "finished": True,
        "first": True,
        "confirmation": 0,
        "reward": accuracy,
        "curve": (accuracy,),
        "error": None,
        "parameters": parameters,
        "multiply_adds": 10 * number,
        "latency": 0.001 / number,
        "seconds": 1 / number,
        "epsilon": 0.5,
        "test_error": 0.25,
        **other,
    }


@st.composite
def runs(draw):
    """Trials of distinct networks, few of whose accuracies and parameters differ."""
    levels = st.sampled_from([0.1, 0.5, 0.8])
    rows = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "accuracy": levels,
                    "parameters": st.integers(1, 5),
                    "reward": levels,
                    "error": st.sampled_from([None, None, None, "out of memory"]),
                    "predicted": st.sampled_from([math.nan, math.nan, 0.7]),
                }
            ),
            min_size=1,
            max_size=12,
        )
    )
    return pd.DataFrame([trial(number, **row) for number, row in enumerate(rows, start=1)])


def shown(trials, k=None, **options):
    """What top_k shows, as a list of dicts."""
    return top_k(distinct(trials), SPACE, k, ACCURACY, **options).to_dict("records")


@pytest.mark.slow
@FEW
@given(runs())
def test_ranks_are_by_reward_and_those_found_first_come_before_their_equals(trials):
    rows = shown(trials)
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == trials["error"].isna().sum()
    assert rows == sorted(rows, key=lambda row: (-row["reward"], row["found"]))


@pytest.mark.slow
@FEW
@given(
    runs(),
    st.sampled_from(list(SORTS.values())),
    st.none() | st.integers(1, 5),
    st.just(()) | FRONTS,
    st.none() | st.integers(1, 4),
)
def test_what_is_shown_keeps_its_rank_and_is_sorted(trials, sort, most, cost, k):
    rows = shown(trials, k, sort=sort, max_parameters=most, pareto=cost)
    every = {row["rank"]: row for row in shown(trials)}
    assert all(row == every[row["rank"]] for row in rows)
    sign = 1 if COLUMNS[sort].lowest_first else -1
    assert rows == sorted(
        rows, key=lambda row: (sign * row.get(NAMES.get(sort, sort), 1), row["rank"])
    )
    assert rows == shown(trials, sort=sort, max_parameters=most, pareto=cost)[:k]


@FEW
@given(runs(), st.integers(1, 5))
def test_max_parameters_leaves_out_all_that_are_larger_and_no_others(trials, most):
    expected = [row for row in shown(trials) if row["parameters"] <= most]
    assert shown(trials, max_parameters=most) == expected


@pytest.mark.slow
@FEW
@given(runs(), FRONTS, st.none() | st.integers(1, 5))
def test_on_the_front_are_those_measured_that_no_other_one_beats(trials, costs, most):
    rows = [row for row in shown(trials, max_parameters=most) if not row["predicted"]]
    beaten = [
        any(
            all(other[cost] <= row[cost] for cost in costs)
            and other["accuracy"] >= row["accuracy"]
            and any(other[each] != row[each] for each in (*costs, "accuracy"))
            for other in rows
        )
        for row in rows
    ]
    expected = [row for row, is_beaten in zip(rows, beaten, strict=True) if not is_beaten]
    assert shown(trials, max_parameters=most, pareto=costs) == expected


def test_tables_for_people_have_no_empty_columns():
    bare = {"multiply_adds": math.nan, "epsilon": math.nan}
    rows = [trial(1, 0.9, 5, **bare), trial(2, 0.2, 3, **bare)]
    best = top_k(distinct(pd.DataFrame(rows)), SPACE, None, ACCURACY)
    headers = render(best, ACCURACY, "table").splitlines()[0].split()
    assert not {"multiply-adds", "epsilon"} & {*headers}
    assert {"parameters", "seconds", "network"} <= {*headers}
    read = pd.read_csv(StringIO(render(best, ACCURACY, "csv")))  # whose columns programs know
    assert read["multiply_adds"].isna().all() and read["epsilon"].isna().all()
    rows[1]["epsilon"] = 0.5  # one has it
    best = top_k(distinct(pd.DataFrame(rows)), SPACE, None, ACCURACY)
    assert " epsilon " in render(best, ACCURACY, "table").splitlines()[0]


def test_networks_without_a_value_come_last():
    trials = pd.DataFrame(
        [trial(1, 0.9, 5, epsilon=math.nan), trial(2, 0.2, 3, epsilon=1.0), trial(3, 0.3, math.nan)]
    )
    ranks = {
        sort: top_k(distinct(trials), SPACE, None, ACCURACY, sort=sort)["rank"].tolist()
        for sort in ("epsilon", "parameters", "seconds")
    }
    assert ranks == {"epsilon": [2, 3, 1], "parameters": [3, 1, 2], "seconds": [2, 3, 1]}
    assert top_k(distinct(trials), SPACE, None, ACCURACY, max_parameters=9)["rank"].tolist() == [
        1,
        3,
    ]
    assert top_k(distinct(trials), SPACE, None, ACCURACY, pareto=["parameters"])[
        "rank"
    ].tolist() == [
        1,
        3,
    ]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"sort": "seconds"}, "seconds"),
        ({"max_parameters": 3}, "parameters"),
        ({"pareto": ["multiply_adds"]}, "multiply-adds"),
    ],
)
def test_what_no_network_has_chooses_none(options, name):
    trials = pd.DataFrame([trial(1, 0.9, 5)]).drop(
        columns=["seconds", "parameters", "multiply_adds"]
    )
    with pytest.raises(MetaqnnError, match=f"the networks of this run have no {name}$"):
        top_k(distinct(trials), SPACE, 5, ACCURACY, **options)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_shown_where_there_is_nothing(form):
    trials = pd.DataFrame([trial(1, 0.9, 5)])
    for found in (trials, trials.assign(finished=False)):
        best = top_k(distinct(found), SPACE, 5, ACCURACY, max_parameters=4)
        assert "0.9" not in render(best, ACCURACY, form)


# networks that were trained again


def test_trained_again_stand_above_the_luck_of_one_training_and_have_their_means():
    again = [
        trial(number, value, 5, digest=digest, first=False, confirmation=count)
        for number, digest, value, count in [(4, "2", 0.5, 1), (5, "3", 0.9, 1), (6, "2", 0.6, 2)]
    ]
    lost = trial(7, 0.1, 5, digest="3", first=False, confirmation=2, error="no memory")
    firsts = [trial(1, 0.9, 5), trial(2, 0.8, 5), trial(3, 0.5, 5)]
    table = shown(pd.DataFrame([*firsts, *again, lost]))
    # 0.5 and 0.9, failures say nothing; 0.8, 0.5 and 0.6; and 0.9 of a single training
    assert [row["found"] for row in table] == [3, 2, 1]
    assert [row["trainings"] for row in table] == [2, 3, 1]
    assert [row["accuracy"] for row in table] == pytest.approx([0.7, 1.9 / 3, 0.9])
    assert [row["reward"] for row in table] == pytest.approx([0.7, 1.9 / 3, 0.9])
    assert "trainings" not in shown(pd.DataFrame(firsts))[0]


# the command line


def table(invoke, *options):
    result = invoke("top-k", "results/r", *options, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.mark.slow
def test_the_options_choose_and_all_formats_show_the_same(finished):
    every = table(finished, "-k", "9")
    smallest = min(row["parameters"] for row in every)
    options = ["--sort", "multiply-adds", "--pareto", "parameters"]
    rows = table(finished, *options)
    assert smallest in [row["parameters"] for row in rows]
    assert every[0] in rows
    csv = finished("top-k", "results/r", *options, "--format", "csv").output
    assert pd.read_csv(StringIO(csv))["rank"].tolist() == [row["rank"] for row in rows]
    *text, empty, volume = finished("top-k", "results/r", *options).output.splitlines()[2:]
    assert not empty and re.fullmatch(r"hypervolume 0\.\d{4} of accuracy from 10.00% .*", volume)
    markdown = finished("top-k", "results/r", *options, "--format", "markdown").output
    cells = [line.strip("|").split("|") for line in markdown.splitlines()[2:-2]]
    assert [int(line.split()[0]) for line in text] == [row["rank"] for row in rows]
    assert [int(line[0]) for line in cells] == [row["rank"] for row in rows]
    only = table(finished, "--max-parameters", str(smallest))
    assert [row["parameters"] for row in only] == [smallest]
    assert len(table(finished, "--sort", "found", "-k", "2")) == 2


def test_a_rank_is_what_export_takes_whatever_is_shown(finished):
    row = table(finished, "--sort", "parameters", "-k", "1")[0]
    rank = str(row["rank"])
    assert finished("export", "results/r", "--rank", rank, "--to", "n.safetensors").exit_code == 0
    with safe_open("n.safetensors", "pt") as file:
        written = file.metadata()["architecture"]
    assert re.sub(r"D\(\d+,\d+\), ", "", written) == row["network"]  # without its dropout


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--sort", "acuracy"], ["no column to sort by 'acuracy'; did you mean accuracy?"]),
        (["--sort", "network"], ["no column to sort by 'network'"]),
        (
            ["--pareto", "seconds"],
            ["'seconds' is not one of 'objectives', 'parameters', 'multiply-adds'"],
        ),
        (["--max-parameters", "0"], ["0 is not in the range x>=1"]),
        (["--max-parameters", "many"], ["'many' is not a valid int"]),
        (["-k", "0"], ["0 is not in the range x>=1"]),
    ],
)
def test_wrong_options_are_answered_in_one_line(finished, arguments, parts):
    refused(finished("top-k", "results/r", *arguments), *parts)


def test_what_a_run_does_not_know_is_answered_in_one_line(invoke):
    assert invoke("run", "--agent", "random", "--name", "r", *FAST).exit_code == 0
    refused(invoke("top-k", "results/r", "--sort", "epsilon"), "of this run have no epsilon")
    small = invoke("top-k", "results/r", "--max-parameters", "1")
    assert small.exit_code == 0
    assert small.stderr == "no network of this kind is trained yet\n"
