"""Figures of runs: what they show by hand, and that each draws or says why not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from metaqnn.agents.base import AGENTS
from metaqnn.cli import main
from metaqnn.reports.figures import decisions
from metaqnn.reports.figures.best import running_best
from metaqnn.reports.figures.catalogue import FIGURES
from metaqnn.reports.figures.findings import Findings, NothingToShow, distinct
from metaqnn.reports.figures.gallery import draw_figure, draw_figures
from metaqnn.reports.figures.layers import shares
from metaqnn.reports.figures.percent import stretch
from metaqnn.reports.figures.q_values import mean_by_depth
from metaqnn.reports.figures.score import by_epsilon, window
from metaqnn.reports.figures.style import make_figure, save
from metaqnn.reports.formats import FIGURE_FORMATS
from metaqnn.reports.pareto import describe_volume, pareto_front
from metaqnn.task import accuracy
from replay import Memory, Outcome
from tests.helpers.commands import refused
from tests.helpers.parts import image_task, run_of
from tests.helpers.searches import hash_score, make_search
from tests.helpers.spaces import make_space


def search_findings(
    path, agent="q-learning", space_name="digits", evaluator=hash_score, budget=20, objective=()
):
    """The findings of a search that trains nothing; objectives of its report alone."""
    search = make_search(
        path / "memory.sqlite", agent, budget=budget, space_name=space_name, evaluator=evaluator
    )
    if budget:
        search.run()
    asked = {"agent": agent, "budget": max(budget, 1), "objective": objective}
    run = run_of(search.space, image_task(), **asked)
    networks = distinct(search.memory.frame())
    return Findings(run, search.space, networks, search.agent.knowledge(), search.agent.knows)


def score_with_costs(job):
    """A score with all metrics of a training; one network in four fails."""
    outcome = hash_score(job)
    if job.seed % 4 == 0:
        return Outcome(error="out of memory")
    size = len(job.architecture.text)
    return Outcome({"parameters": size, "multiply_adds": size**2, "seconds": 0.1}, outcome.curve)


# every figure


CASES = [(agent, "digits") for agent in AGENTS]
CASES += [("q-learning", "nas-digits"), ("q-learning", "macro")]


@pytest.mark.slow
@pytest.mark.parametrize(("agent", "space_name"), CASES)
def test_every_figure_draws_for_every_agent_or_says_why_not(tmp_path, agent, space_name):
    findings = search_findings(tmp_path, agent, space_name, score_with_costs)
    figures, left_out = draw_figures(findings)
    assert {*figures, *left_out} == set(FIGURES)
    expected = {"hypervolume"}
    if agent != "q-learning":
        expected |= {"epsilon", "depth", "field", "heatmap"}
    elif space_name != "digits":
        expected |= {"field"}
    assert set(left_out) == expected
    for figure in figures.values():
        figure.draw_without_rendering()


def test_a_run_without_networks_has_nothing_to_show(tmp_path):
    figures, left_out = draw_figures(search_findings(tmp_path, budget=0))
    assert figures == {}
    assert set(left_out) == set(FIGURES)
    assert left_out["score"] == "no network is trained yet"


def test_a_run_of_failures_has_only_what_q_learning_made_of_them(tmp_path):
    def fail(job):
        return Outcome(error="no memory")

    figures, left_out = draw_figures(search_findings(tmp_path, evaluator=fail, budget=5))
    assert set(figures) == {"depth", "field", "heatmap"}
    assert left_out["best"] == "all 5 networks failed"


@pytest.mark.slow
def test_the_hypervolume_over_a_search_ends_where_the_page_says_it_is(tmp_path):
    names = ("parameters", "multiply-adds")
    findings = search_findings(tmp_path, evaluator=score_with_costs, objective=names)
    figure = draw_figures(findings)[0]["hypervolume"]
    (line, _) = figure.axes[0].lines
    volumes = line.get_ydata().tolist()
    assert volumes == sorted(volumes) and len(volumes) == findings.networks["score"].notna().sum()
    told = describe_volume(findings.networks, findings.objectives, findings.score)
    assert told.startswith(f"hypervolume {volumes[-1]:.4f} of ")
    assert figure.axes[0].get_title() in told
    panels = draw_figures(findings)[0]["pareto"].axes
    assert [axes.get_xlabel() for axes in panels] == ["parameters", "multiply-adds an image"]


@pytest.mark.slow
def test_one_network_is_enough(tmp_path):
    findings = search_findings(tmp_path, evaluator=score_with_costs, budget=1)
    figures, left_out = draw_figures(findings)
    assert "score" in figures and "best" in figures and "pareto" in figures
    for figure in figures.values():
        figure.draw_without_rendering()


def test_predicted_networks_are_neither_the_best_nor_on_the_front(tmp_path):
    findings = search_findings(tmp_path, evaluator=score_with_costs)
    findings.networks["predicted"] = True
    figures, left_out = draw_figures(findings)
    assert {"score", "epsilon"} <= set(figures)
    assert {"best", "pareto", "hypervolume", "layers"} == set(left_out)


@pytest.mark.slow
@pytest.mark.parametrize("form", FIGURE_FORMATS)
def test_the_same_figure_is_the_same_file(tmp_path, form):
    findings = search_findings(tmp_path, evaluator=score_with_costs)
    for name in ("epsilon", "layers", "pareto"):
        written = []
        for turn in ("first", "second"):
            path = tmp_path / f"{turn}.{form}"
            save(draw_figure(name, findings), path)
            written.append(path.read_bytes())
        assert written[0] == written[1]
        assert written[0].startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[form])


# what they show


def frame(**columns):
    """Trials as `Memory.frame` gives them."""
    rows = len(columns["curve"])
    others = {"finished": True, "first": True, "error": None, "reward": 0.5, "confirmation": 0}
    return pd.DataFrame({name: [value] * rows for name, value in others.items()} | columns)


def test_distinct_networks_by_hand():
    trials = frame(
        curve=[(0.2, 0.6, 0.5), (0.9,), (), (0.3,), ()],
        first=[True, False, True, True, True],
        finished=[True, True, True, True, False],
        error=[None, None, "no memory", None, None],
        predicted=[None, None, None, 0.7, None],
    )
    networks = distinct(trials)
    assert networks["found"].tolist() == [1, 2, 3]
    assert networks["score"].fillna(-1).tolist() == [0.6, -1, 0.7]
    assert networks["predicted"].tolist() == [False, False, True]


@pytest.mark.parametrize(("networks", "size"), [(2700, 100), (1000, 100), (400, 40), (9, 5)])
def test_the_window_is_the_papers_for_the_papers_run(networks, size):
    assert window(networks) == size


def test_rolling_mean_by_hand(tmp_path):
    findings = search_findings(tmp_path, "random", budget=7)
    findings.networks["score"] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.2]
    (axes,) = draw_figure("score", findings).axes[:1]
    (line,) = [line for line in axes.lines if line.get_label() == "mean of the last 5"]
    # of 5 networks: (10 + 20 + 30 + 40 + 50) / 5 = 30 %, and so on
    assert np.isnan(line.get_ydata()[:4]).all()
    assert line.get_ydata()[4:] == pytest.approx([30, 40, 40])


def test_the_mean_at_each_epsilon_by_hand():
    networks = pd.DataFrame({"found": [1, 2, 3, 4, 5], "epsilon": [1.0, 1.0, 0.5, 0.5, None]})
    values = pd.Series([0.2, 0.4, 0.9, None, 0.1])
    table = by_epsilon(networks, values)
    assert table.index.tolist() == [1.0, 0.5]
    assert table.to_numpy().tolist() == [[1, 2, pytest.approx(0.3)], [3, 4, 0.9]]


def test_mean_q_values_by_hand():
    space = make_space("digits")
    fields = dict(space.observation(space.initial_state())._asdict(), depth=[0, 0, 0, 1, 1])
    table = pd.DataFrame(
        {
            **fields,
            "action": ["C(8,3,1)", "C(16,3,1)", "SM(10)", "SM(10)", "SM(10)"],
            "q": [0.5, 0.7, 0.1, 0.4, 0.8],
        }
    )
    names = table["action"].map(lambda token: token.partition("(")[0])
    findings = Findings(run_of(space, image_task()), space, pd.DataFrame(), table, "")
    means = mean_by_depth(findings, table, names)
    assert means.index.tolist() == [1, 2]  # the first layer is number 1
    assert means["C"].iloc[0] == pytest.approx(0.6) and np.isnan(means["C"].iloc[1])
    assert means["SM"].tolist() == pytest.approx([0.1, 0.6])


def test_q_values_that_nobody_tried_are_left_out(tmp_path):
    """Such as a table of elsewhere has, from which the agent learnt first."""
    findings = search_findings(tmp_path, budget=3)
    known = findings.knowledge.copy()
    known.loc[known.index[::2], "visits"] = 0
    tried = replace(findings, knowledge=known).tried()
    assert tried.equals(known[known["visits"] > 0]) and 0 < len(tried) < len(known)


def test_the_best_so_far_is_that_of_the_highest_reward():
    rewards = pd.Series([0.3, 0.5, 0.5, 0.4, 0.6])
    accuracies = pd.Series([0.7, 0.6, 0.9, 0.8, 0.5])
    assert running_best(rewards, accuracies).tolist() == [0.7, 0.6, 0.6, 0.6, 0.5]


def test_learning_curves_by_hand(tmp_path):
    findings = search_findings(tmp_path, "random", budget=3)
    findings.networks["curve"] = [(0.1, 0.3, 0.2), (0.5, 0.4), (0.6, 0.8, 0.9)]
    findings.networks["score"] = findings.networks["reward"] = [0.3, 0.5, 0.9]
    (axes,) = draw_figure("curves", findings).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == [
        *["median of all 3", "rank 1, 90.00%", "rank 2, 50.00%", "rank 3, 30.00%"]
    ]
    assert lines["rank 2, 50.00%"].get_xydata().tolist() == [[1, 50], [2, 40]]
    # the medians of (10, 50, 60), (30, 40, 80) and (20, 90)
    assert lines["median of all 3"].get_ydata().tolist() == pytest.approx([50, 40, 55])


def test_the_heat_map_by_hand(tmp_path):
    findings = search_findings(tmp_path, budget=1)
    space = make_space("digits")
    fields = dict(space.observation(space.initial_state())._asdict(), depth=[0, 0, 0, 1, 1])
    table = pd.DataFrame(
        {
            **fields,
            "action": ["C(8,3,1)", "SM(10)", "FC(32)", "SM(10)", "SM(10)"],
            "q": [0.5, 0.1, 0.9, 0.4, 0.8],
            "visits": [2, 1, 0, 1, 3],
        }
    )
    axes, *_ = draw_figure("heatmap", replace(findings, knowledge=table)).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["C(8,3,1)", "SM(10)"]
    (mesh, *_) = axes.collections
    assert mesh.get_array().filled(-1).ravel() == pytest.approx([0.5, -1, 0.1, 0.6])
    assert sorted(text.get_text() for text in axes.texts) == ["0.10", "0.50", "0.60"]


@pytest.mark.slow
@pytest.mark.parametrize("space_name", ["nasnet-small", "block-qnn-small"])
def test_figures_of_cells_and_blocks_have_room(tmp_path, space_name, recwarn):
    findings = search_findings(tmp_path, space_name=space_name)
    for name in ("layers", "heatmap", "depth"):
        draw_figure(name, findings).draw_without_rendering()
    # of axes that have collapsed between their legends
    assert not [told for told in recwarn if "constrained_layout" in str(told.message)]


def test_many_actions_have_a_row_a_type(tmp_path, monkeypatch):
    findings = search_findings(tmp_path)
    rows = {}
    for most in (60, 3):
        monkeypatch.setattr(decisions, "MOST", most)
        for figure in ("heatmap", "layers"):
            axes, *_ = draw_figure(figure, findings).axes
            rows[figure, most] = [label.get_text() for label in axes.get_yticklabels()]
    for figure in ("heatmap", "layers"):
        types = [token.partition("(")[0] for token in rows[figure, 60]]
        assert rows[figure, 3] == list(dict.fromkeys(types)) != types


def test_shares_by_hand():
    space = make_space("tiny")
    walks = [("C(2,1,1)", "SM(10)"), ("C(2,1,1)", "P(2,2)", "SM(10)"), ("SM(10)",), ("SM(10)",)]
    found = shares(space, pd.DataFrame({"walk": walks, "stage": 0}))
    assert found.to_dict() == {
        (1, "C(2,1,1)"): 0.5,
        (1, "SM(10)"): 0.5,
        (2, "P(2,2)"): 0.25,
        (2, "SM(10)"): 0.25,
        (3, "SM(10)"): 0.25,
    }


def test_a_layer_that_decides_several_times_counts_once(tmp_path):
    findings = search_findings(tmp_path, "random", "nas-digits")
    found = shares(findings.space, findings.networks)
    kinds = found.index.get_level_values("token").str.partition(":").get_level_values(0)
    sums = found.groupby([found.index.get_level_values("depth"), kinds]).sum()
    assert sums.to_numpy() == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=30))
def test_the_front_is_what_no_network_dominates(networks):
    costs, scores = (pd.Series(values, dtype=float) for values in zip(*networks, strict=True))

    def dominated(cost, score):
        return any(
            other <= cost and better >= score and (other, better) != (cost, score)
            for other, better in networks
        )

    expected = [not dominated(cost, score) for cost, score in networks]
    assert pareto_front(costs, scores).tolist() == expected


@pytest.mark.parametrize("values", [[10, 99], [0, 100], [97, 98.9], [92.1, 93.1], [50, 50], [100]])
def test_a_stretched_axis_shows_all_and_its_ticks_lie_within(values):
    axes = make_figure(3).add_subplot()
    axes.plot(values)
    stretch(axes, accuracy())
    low, high = axes.get_ylim()
    assert low < min(values) and max(values) < high
    shown = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(shown) >= 2
    axes.figure.draw_without_rendering()


# reading while another process writes


def test_what_is_read_in_a_moment_does_not_change(tmp_path):
    search = make_search(tmp_path / "memory.sqlite", budget=3)
    search.run()
    reader = Memory.open(tmp_path / "memory.sqlite")
    with reader.moment():
        before = len(list(reader.history()))
        make_search(tmp_path / "memory.sqlite", budget=6).run()
        assert len(list(reader.history())) == before
    assert len(list(reader.history())) > before


# the command


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """The folder of a run that has finished; not to be changed."""
    results = tmp_path_factory.mktemp("figures")
    options = ["--budget", "3", "--epochs", "1", "--device", "cpu", "--quiet"]
    arguments = ["run", "--name", "r", "--results-dir", str(results), "--agent", "random"]
    assert CliRunner().invoke(main, [*arguments, *options]).exit_code == 0
    return results / "r"


@pytest.mark.slow
def test_plot_writes_what_there_is_to_show_and_names_the_rest(digits_run, tmp_path):
    target = tmp_path / "to" / "here"
    arguments = ["plot", str(digits_run), "--to", str(target), "--format", "svg"]
    result = CliRunner().invoke(main, [*arguments, "--format", "pdf"])
    assert result.exit_code == 0, result.output
    names = {"score", "layers", "best", "pareto"}
    assert {path.name for path in target.iterdir()} == {
        f"{name}.{form}" for name in names for form in ("svg", "pdf")
    }
    assert "without epsilon: the agent random has no epsilon\n" in result.stderr
    assert "without curves: no network was scored after more than one epoch\n" in result.stderr
    assert "without depth, field, heatmap: the agent random has no Q-values\n" in result.stderr


@pytest.mark.slow
def test_a_figure_asked_for_by_name_is_an_error_where_there_is_none(digits_run, tmp_path):
    arguments = ["plot", str(digits_run), "--to", str(tmp_path / "figures"), "--figure"]
    refused(CliRunner().invoke(main, [*arguments, "depth"]), "the agent random has no Q-values")
    assert not (tmp_path / "figures").exists()
    result = CliRunner().invoke(main, [*arguments, "best", "--format", "png"])
    assert result.exit_code == 0
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["best.png"]
    assert CliRunner().invoke(main, [*arguments, "accuracy"]).exit_code == 0  # as it was called
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"best.png", "accuracy.png"}


def test_a_folder_that_cannot_be_written_is_told_in_one_line(digits_run, tmp_path):
    (tmp_path / "file").write_text("")
    arguments = ["plot", str(digits_run), "--figure", "best", "--to", str(tmp_path / "file")]
    refused(CliRunner().invoke(main, arguments), "file cannot be written")


def test_nothing_to_show_is_an_error_of_the_user(tmp_path):
    with pytest.raises(NothingToShow, match="the agent random has no epsilon"):
        draw_figure("epsilon", search_findings(tmp_path, "random", budget=2))
