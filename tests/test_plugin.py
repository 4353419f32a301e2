"""Parts of an installed package, plugin/, and scores that are no accuracies, through everything."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from metaqnn import Search, testing
from metaqnn.agents.random import RandomSearch
from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator
from metaqnn.options import Section
from metaqnn.reports.columns import sort_column
from metaqnn.reports.figures.catalogue import caption as describe_figure
from metaqnn.task import Score, Task
from replay import Outcome
from tests import ROOT
from tests.helpers.commands import refused

PARTS = ["--space", "mosaic", "--agent", "climber", "--evaluator", "likelihood"]
PLACES = [
    *("--space", "mosaic.space:Mosaic", "--agent", "mosaic.agent:Climber"),
    *("--evaluator", "mosaic.evaluator:Likelihood"),
]
RUN = ["--budget", "12", "--jump", "0.3", "--passes", "3", "--quiet"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder in which the package is installed; Python finds it there."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    shutil.copytree(ROOT / "tests" / "plugin", source, dirs_exist_ok=True)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", target, source], check=True, capture_output=True)
    sys.path.append(str(target))
    importlib.invalidate_caches()
    yield target
    sys.path.remove(str(target))


@pytest.fixture
def mosaic(site):
    """The modules of the package."""
    return {
        name: importlib.import_module(f"mosaic.{name}") for name in ("space", "agent", "evaluator")
    }


def call(*arguments):
    """The output of a command that succeeds."""
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(site, tmp_path_factory):
    """A run of the parts by name, interrupted by its budget, and gone on with."""
    results = tmp_path_factory.mktemp("results")
    call("run", *PARTS, *RUN, "--name", "r", "--results-dir", results)
    call("resume", results / "r", "--budget", "20", "--quiet")
    return results / "r"


def is_of_perplexities(text):
    """Whether nothing in a text speaks of accuracy or percents."""
    return re.search(r"accura|%", text, re.IGNORECASE) is None


def texts_of(svg):
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


@pytest.mark.slow
def test_the_parts_keep_the_laws(mosaic):
    space, evaluator = mosaic["space"].Mosaic(), mosaic["evaluator"]
    testing.check_space(space)
    assert space.size() is None
    testing.check_agent(mosaic["agent"].Climber, space)
    walks = testing.sample_walks(space, 20)
    networks = [space.architecture(walk) for walk in walks]
    testing.check_evaluator(evaluator.Likelihood(), networks, evaluator.PERPLEXITY)


@pytest.mark.slow
def test_the_best_networks_have_the_lowest_perplexities(folder):
    best = pd.read_csv(StringIO(call("top-k", folder, "-k", "20", "--format", "csv")))
    assert best["perplexity"].is_monotonic_increasing
    assert best["perplexity"].to_numpy() == pytest.approx(np.exp(-best["reward"]))
    assert len(best) == 20
    rows = json.loads(call("top-k", folder, "-k", "20", "--format", "json"))
    assert [row["perplexity"] for row in rows] == pytest.approx(best["perplexity"].tolist())
    assert [row["network"] for row in rows] == best["network"].tolist()
    table = call("top-k", folder, "-k", "3", "--sort", "score")
    assert f"{best['perplexity'][0]:.1f}" in table.splitlines()[2]
    for form in ("table", "markdown", "csv"):
        text = call("top-k", folder, "--format", form)
        assert "perplexity" in text and is_of_perplexities(text)


@pytest.mark.slow
def test_bars_in_a_networks_text_are_no_columns_of_markdown(folder):
    header, _, *rows = call("top-k", folder, "--format", "markdown").splitlines()
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == header.count("|")
        assert row.count(r"\|") == 1  # between the two cells


def test_the_trials_have_perplexities_and_what_the_parts_recorded(folder):
    trials = pd.read_csv(StringIO(call("trials", folder)))
    assert {"perplexity", "jumped", "words"} <= set(trials) and "accuracy" not in trials
    curves = trials["curve"].map(lambda text: max(map(float, text.split())))
    assert (curves < 0).all()
    assert trials["perplexity"].to_numpy() == pytest.approx(np.exp(-curves))


def test_networks_are_sorted_by_the_score_s_own_name(folder):
    def shown(sort):
        return call("top-k", folder, "--sort", sort, "-k", "20", "--format", "csv")

    table = pd.read_csv(StringIO(shown("perplexity")))
    assert table["perplexity"].is_monotonic_increasing and len(table) > 5  # the lowest is the best
    assert shown("score") == shown("perplexity")
    arguments = ["top-k", str(folder), "--sort", "accuracy"]
    refused(CliRunner().invoke(main, arguments), "no column to sort by 'accuracy'", "perplexity")


def test_the_page_speaks_of_perplexity(folder, tmp_path):
    call("report", folder, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    shown = unescape(re.sub(r"<[^>]*>", " ", page))
    assert "Perplexity over the search" in shown
    shares = re.sub(r"\b(10|50)%", "", shown)  # of the networks, in the figure of the layers
    assert is_of_perplexities(shares)
    best = call("top-k", folder, "-k", "1", "--format", "csv").splitlines()[1].split(",")
    assert f"{float(best[1]):.1f}" in shown.split("perplexity of the best network")[0]


def test_the_page_speaks_of_no_images_where_there_are_none(folder, tmp_path):
    call("report", folder, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    shown = page[page.index("</style>") : page.index('id="configuration"')]
    assert ">input</text>" in shown and ">images</text>" not in shown
    shown = re.sub("<svg.*?</svg>", "", shown, flags=re.DOTALL)  # a layer may have ten classes
    assert re.findall("[^.>]*(?:images?|Classes|classes|channels)[^.<]*", shown) == []
    assert "Every network counts once." in shown  # the perplexity is the perplexity
    assert "What a network reads enters on the left" in " ".join(shown.split())
    assert "time of training" not in shown  # there is none
    assert "finalize" not in page[page.index('id="commands"') :]
    result = CliRunner().invoke(main, ["finalize", str(folder)])
    refused(result, "only what metaqnn has trained it trains in the end")


@pytest.mark.parametrize(
    ("score", "word", "header", "caption"),
    [
        (Score("latency", "ms", "negative", "ms"), "latency", "ms", "Latency over the search"),
        (Score("BLEU", "BLEU"), "BLEU", "BLEU", "BLEU over the search"),
        (Score("mean likelihood", "log_likelihood"), *2 * ["log likelihood"], "Log likelihood ov"),
    ],
)
def test_a_score_has_words_of_its_own(score, word, header, caption):
    assert (score.word, score.header) == (word, header)
    assert describe_figure("score", score)[0].startswith(caption)
    assert sort_column(word, score) == sort_column(header, score) == "score"


@pytest.mark.slow
def test_the_figures_have_perplexities_on_their_axes(site, tmp_path):
    """With Q-learning, which has all figures but those of costs and of field sizes."""
    options = ["--space", "mosaic", "--evaluator", "likelihood", "--budget", "20", "--quiet"]
    call("run", *options, "--name", "q", "--results-dir", tmp_path)
    assert "without" not in call("plot", tmp_path / "q", "--format", "svg")
    drawn = {path.stem: texts_of(path.read_text()) for path in (tmp_path / "q/figures").iterdir()}
    assert drawn.keys() == {
        *("score", "epsilon", "best", "curves"),
        *("depth", "layers", "heatmap"),
    }
    for name in ("score", "epsilon", "best", "curves"):
        assert any("perplexity" in text for text in drawn[name]), name
        assert is_of_perplexities(" ".join(drawn[name])), name
    # the layers are the six blocks
    assert {"1", "2", "3", "4", "5", "6"} <= set(drawn["heatmap"])
    table = pd.read_csv(StringIO(call("q-table", tmp_path / "q")))
    assert table.columns.tolist() == [
        *("cell", "block", "slot", "action", "action_field", "action_filters", "q", "visits")
    ]
    assert table["visits"].sum() == 12 * 20


@pytest.mark.slow
def test_a_q_table_is_not_taken_over_where_states_are_too_many(site, tmp_path):
    """Those of the space remember their walks."""
    columns = "cell,block,slot,action,action_field,action_filters,q,visits"
    (tmp_path / "q.csv").write_text(f"{columns}\n0,0,0,field-1,1,0,0.5,1\n")
    arguments = ["run", "--space", "mosaic", "--evaluator", "likelihood", "--budget", "20"]
    arguments += ["--quiet", "--q-table", str(tmp_path / "q.csv")]
    refused(CliRunner().invoke(main, arguments), "the space has more than 1,000,000 states")


@pytest.mark.slow
def test_a_comparison_says_that_lower_is_better(site, tmp_path):
    agents = ["--agent", "climber,jump=0.1", "--agent", "random", "--agent", "q-learning"]
    budgets = ["--budgets", "5,10", "--seeds", "2", "--jobs", "1"]
    shared = ["--space", "mosaic", "--evaluator", "likelihood", "--passes", "2"]
    text = call("compare", tmp_path / "c", *agents, *budgets, *shared)
    assert "Perplexity, lower is better: median / mean" in text
    assert "Below 0 is better: mean" in text
    assert is_of_perplexities(text.replace("95 %", ""))
    found = pd.read_csv(tmp_path / "c" / "comparison.csv").set_index(["agent", "budget"])
    for agent in ("climber,jump=0.1", "random", "q-learning"):
        assert 1 < found.loc[(agent, 10), "mean"] <= found.loc[(agent, 5), "mean"] < 50
    other, reference = (found.loc[(name, 10), "mean"] for name in ("random", "climber,jump=0.1"))
    assert found.loc[("random", 10), "difference"] == pytest.approx(other - reference)
    labels = texts_of((tmp_path / "c" / "comparison.svg").read_text())
    assert "perplexity" in labels and is_of_perplexities(" ".join(labels).replace("95 %", ""))


def test_the_parts_are_listed_with_ours(site):
    assert "mosaic" in call("space").split()
    assert "stripes that lie or stand" in call("datasets")
    text = call("run", *PARTS, "--help")
    assert "--jump FLOAT" in text and "--passes INTEGER" in text


@pytest.mark.slow
def test_the_space_is_described_without_its_states(site):
    text = call("space", "mosaic")
    assert "more than can be counted by states" in text and "rows of the Q-table" not in text


@pytest.mark.slow
def test_places_of_classes_are_the_same_as_names(folder, tmp_path):
    call("run", *PLACES, *RUN, "--name", "p", "--results-dir", tmp_path)
    call("resume", tmp_path / "p", "--budget", "20", "--quiet")
    command = ["-k", "20", "--format", "csv"]
    assert call("top-k", tmp_path / "p", *command) == call("top-k", folder, *command)
    call("report", tmp_path / "p")


@pytest.mark.parametrize(
    ("option", "place", "problem"),
    [
        ("--agent", "mosaic.evaluator:log_likelihood", "is no agent"),
        ("--agent", "mosaic.space:Mosaic", "is no agent"),
        ("--evaluator", "mosaic.agent:Climber", "is no evaluator"),
        ("--space", "mosaic.agent:Climber", "is no kind of space"),
        ("--agent", "mosaic.agent:Clamber", "cannot be imported"),
    ],
)
def test_what_is_no_such_part_is_refused(site, option, place, problem):
    result = CliRunner().invoke(main, ["run", *PARTS, option, place, "--budget", "1"])
    refused(result, place, problem)


def test_classes_are_no_objects(mosaic):
    with pytest.raises(MetaqnnError, match="agent is the class RandomSearch: make one of it"):
        Search(space=mosaic["space"].Mosaic(), agent=RandomSearch, evaluator="likelihood")


def test_an_option_of_another_part_is_refused(site):
    agent, evaluator = PARTS[2:4], PARTS[4:]
    result = CliRunner().invoke(main, ["run", *agent, *evaluator, "--epochs", "3"])
    refused(result, "epochs is an option of the evaluator train and language, and")


def test_options_of_parts_of_the_package_that_were_not_chosen_are_theirs(folder, tmp_path):
    space, options = PARTS[:2], ["--budget", "2", "--results-dir", str(tmp_path)]
    result = CliRunner().invoke(main, ["run", *space, *options, "--jump", "0.3"])
    refused(result, "jump is an option of the agent climber, and the agent is q-learning")
    result = CliRunner().invoke(main, ["run", *PARTS[:4], "--passes", "3", *options])
    refused(result, "passes is an option of the evaluator likelihood, and the evaluator is train")
    message = "jump is an option of the agent climber, and the agent is random"
    with pytest.raises(MetaqnnError, match=message):
        Search(space="mosaic", agent="random", jump=0.3, results_dir=str(tmp_path))
    result = CliRunner().invoke(main, ["resume", str(folder), "--jump", "0.3"])
    refused(result, "jump is decided when a run begins")


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("random,jump=0.3", "jump is an option of the agent climber, and the agent is random"),
        (
            "random,entropy=3",
            "entropy is an option of the agent reinforce and ppo and actor-critic, and the agent",
        ),
        (
            "climber,entropy=3",
            "entropy is an option of the agent reinforce and ppo and actor-critic, and the agent",
        ),
        (
            "climber,passes=3",
            "passes is no option of a single agent; allowed: confirm, start-from, ",
        ),
        (
            "climber,budget=3",
            "budget is no option of a single agent; allowed: confirm, start-from, ",
        ),
        (
            "climber,nonsense=3",
            "nonsense is no option of a single agent; allowed: confirm, start-from, ",
        ),
    ],
)
def test_a_comparison_says_whose_an_option_is(site, tmp_path, agent, message):
    command = ["compare", str(tmp_path / "c"), *PARTS[:2], *PARTS[4:], "--agent", agent]
    refused(CliRunner().invoke(main, [*command, "--budgets", "2"]), f"agent '{agent}': {message}")


@pytest.mark.parametrize("agent", ["climber", "mosaic.agent:Climber"])
@pytest.mark.slow
def test_an_option_for_all_agents_is_that_of_those_that_have_it(site, tmp_path, agent):
    command = ["compare", tmp_path / "c", *PARTS[:2], *PARTS[4:], "--passes", "1"]
    command += ["--agent", agent, "--agent", f"{agent},jump=0.2", "--agent", "random"]
    command += ["--budgets", "4", "--seeds", "1", "--jobs", "1"]
    text = call(*command, "--jump", "0.2")
    found = pd.read_csv(tmp_path / "c" / "comparison.csv").set_index("agent")["mean"]
    assert found[agent] == found[f"{agent},jump=0.2"] and len(found) == 3
    assert call(*command, "--jump", "0.2") == text
    refused(
        CliRunner().invoke(main, [*map(str, command), "--jump", "0.4"]),
        "made with jump 0.2, not 0.4",
    )


@pytest.mark.slow
def test_workers_find_the_parts_in_processes_of_their_own(site, folder, tmp_path):
    path = os.pathsep.join([str(ROOT), str(site)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def metaqnn(*arguments):
        command = [sys.executable, "-m", "metaqnn", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    agent = ["--space", "mosaic", "--agent", "random", "--evaluator", "likelihood"]
    metaqnn("run", *agent, "--budget", "4", "--workers", "2", "--name", "w", "--quiet")
    assert "6 networks trained" in metaqnn("resume", "results/w", "--budget", "6")
    assert metaqnn("top-k", str(folder)) == call("top-k", folder)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["stripes", "mosaic.images:STRIPES"])
def test_networks_of_the_space_are_trained_on_the_data_set(site, tmp_path, dataset):
    options = ["--budget", "2", "--device", "cpu", "--quiet", "--results-dir", tmp_path]
    call("run", "--dataset", dataset, *options, "--name", "t")
    assert 'space = "mosaic"' in (tmp_path / "t" / "config.toml").read_text()
    best = pd.read_csv(StringIO(call("top-k", tmp_path / "t", "--format", "csv")))
    assert (best["accuracy"] > 0.9).all()  # of stripes that lie or stand, 60 each
    call("report", tmp_path / "t")
    final = call("finalize", tmp_path / "t", "-k", "1", "--format", "csv")
    assert pd.read_csv(StringIO(final))["test_error"][0] < 0.1


# objects


LIKELIHOOD = Score("log-likelihood", "log_likelihood", digits=3, high=0.0)


def make_search(mosaic, space, name, evaluator, score):
    agent = mosaic["agent"].Climber(space, 3)
    return Search(space=space, agent=agent, evaluator=evaluator, score=score, budget=10, name=name)


@pytest.mark.slow
def test_objects_of_a_program_are_gone_on_with(mosaic, tmp_path, monkeypatch):
    """A plain score that lies below 0, of any function."""
    monkeypatch.chdir(tmp_path)
    space, function = mosaic["space"].Mosaic(), mosaic["evaluator"].log_likelihood
    whole = make_search(mosaic, space, "whole", function, LIKELIHOOD)
    assert whole.run(quiet=True) == "the budget is spent"

    calls = []

    def interrupted(job):
        calls.append(job)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return function(job)

    with pytest.raises(KeyboardInterrupt):
        make_search(mosaic, space, "halted", interrupted, LIKELIHOOD).run(quiet=True)
    parts = {"space": space, "agent": mosaic["agent"].Climber(space, 3), "evaluator": function}
    search = Search.open("results/halted", **parts)
    assert search.run(quiet=True) == "the budget is spent"
    pd.testing.assert_frame_equal(search.trials(), whole.trials())
    best = search.best(10)
    assert best["log_likelihood"].is_monotonic_decreasing
    assert (best["log_likelihood"] == best["reward"]).all()
    assert {"score", "best", "layers"} <= set(search.figures())
    assert "log likelihood" in search._repr_html_()

    # others can look at it, since the space needs to be told nothing, but not go on
    text = call("top-k", search.folder, "-k", "10")
    assert f"{best['log_likelihood'][0]:.3f}" in text.splitlines()[2]
    assert is_of_perplexities(text)
    call("report", search.folder)
    call("plot", search.folder)
    refused(
        CliRunner().invoke(main, ["resume", str(search.folder)]),
        "was made by a program, which must give it again: metaqnn.Search.open(FOLDER, evaluator=",
    )


@pytest.mark.parametrize("method", ["run", "ask"])
def test_an_agent_that_was_made_for_another_space_is_refused(mosaic, tmp_path, monkeypatch, method):
    monkeypatch.chdir(tmp_path)
    space = mosaic["space"].Mosaic()
    search = Search(
        space=mosaic["space"].Mosaic(cells=1), agent=RandomSearch(space, 0), evaluator="likelihood"
    )
    with pytest.raises(
        MetaqnnError, match="not of the space that is searched: position 7"
    ) as error:
        getattr(search, method)()
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_space_that_only_its_program_knows_is_not_mistaken_for_another(
    mosaic, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    space = mosaic["space"].Mosaic(cells=1)
    evaluator = mosaic["evaluator"].Likelihood()
    search = Search(space=space, evaluator=evaluator, agent="random", budget=3, name="own")
    search.run(quiet=True)
    assert search.best()["perplexity"].is_monotonic_increasing  # the evaluator's own score
    assert Search.open("results/own", space=space).best().equals(search.best())
    message = "the space mosaic.space:Mosaic() was made by a program, which must give it again"
    for command in ("top-k", "report", "trials", "plot"):
        refused(CliRunner().invoke(main, [command, str(search.folder)]), message)
    with pytest.raises(MetaqnnError, match=re.escape(message)):
        Search.open("results/own").best()


class TimerOptions(Section):
    """In what it measures, and what it does not tell."""

    time_unit: str = "ms"
    clocks: int


class Timer(Evaluator):
    """Its score depends on its option."""

    Options = TimerOptions

    def __init__(self, **attributes):
        vars(self).update(attributes)

    @classmethod
    def task(cls, options, made_for, *, trains=True):
        score = Score("latency", "latency", "negative", unit=options.time_unit)
        return Task(made_for.shape, made_for.outputs, score)

    @classmethod
    def from_options(cls, options, space, task, place):
        raise NotImplementedError("no test makes it of options")

    def __call__(self, job):
        return Outcome(curve=(-1.0,))


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"time_unit": "s", "clocks": 1}, "s"),
        ({"clocks": 1}, "ms"),
        ({"time_unit": len, "clocks": 1}, "ms"),  # a function is no value of the option
        ({"options": TimerOptions(time_unit="min", clocks=1), "time_unit": "s"}, "min"),
        ({"score": Score(unit="h"), "time_unit": "s"}, "h"),
    ],
)
def test_an_object_is_asked_for_its_score_not_its_class(
    mosaic, tmp_path, monkeypatch, attributes, unit
):
    monkeypatch.chdir(tmp_path)
    evaluator = Timer(**attributes)
    search = Search(
        space=mosaic["space"].Mosaic(), agent="random", evaluator=evaluator, budget=1, name="t"
    )
    search.run(quiet=True)
    assert f"1.0000 {unit} " in call("top-k", "results/t")


def test_an_object_that_does_not_tell_its_score_is_refused(mosaic):
    space = mosaic["space"].Mosaic()
    with pytest.raises(
        MetaqnnError, match=r"Timer\(\): clocks .* needs an attribute score, or opt"
    ):
        Search(space=space, agent="random", evaluator=Timer(time_unit="s"), budget=1)


# stopping


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stopper", "columns"),
    [
        (["--halving", "--halving-factor", "2"], {"stopped_after"}),
        (["--predictor", "--predictor-after", "20"], {"stopped_after", "rival", "deviation"}),
    ],
)
def test_hopeless_trainings_end_early_where_scores_lie_below_0(site, tmp_path, stopper, columns):
    """Trainings differ by a factor alone, so that the first pass tells all."""
    parts = ["--space", "mosaic", "--agent", "random", "--evaluator", "likelihood"]
    output = ["--name", "s", "--results-dir", str(tmp_path)]
    text = call("run", *parts, "--budget", "60", "--passes", "5", *stopper, *output)
    assert re.search(r"[1-9]\d* trainings were stopped", text)
    trials = pd.read_csv(StringIO(call("trials", tmp_path / "s"))).dropna(subset=["curve"])
    scores = trials["curve"].map(lambda text: max(map(float, text.split())))
    stopped = trials["stopped_after"].notna()
    assert 10 < stopped.sum() < 60
    assert trials.loc[stopped, list(columns)].notna().all(axis=None)
    # the longest trained are the best, and none of the five best was stopped
    assert scores[stopped].max() < scores[~stopped].nlargest(5).min()
    assert trials["perplexity"].between(1, 50).all()
    assert "perplexity" in call("top-k", tmp_path / "s")


# tables


def write_table(path, score, read):
    """All networks of one block; the larger its field and filters, the lower what people read."""
    networks = {
        f"{field}x{filters}": {"scores": [read(field, filters)]}
        for field in (1, 3, 5, 7)
        for filters in (2, 4, 8)
    }
    path.write_text(json.dumps({"score": score, "networks": networks}))
    return networks


TABLES = [
    (
        {"name": "perplexity", "column": "perplexity", "scale": "perplexity", "digits": 2},
        lambda field, filters: 100.0 - 5 * field - 2 * filters,
        "49.00",
        "Regret of expected perplexity, lower is better",
        "\nBelow 0 is better",
    ),
    (
        {"name": "latency", "column": "ms", "scale": "negative", "unit": "ms", "digits": 1},
        lambda field, filters: 300.0 - 10 * field - filters,
        "222.0 ms",
        "Regret in ms of expected latency, lower is better",
        "\nIn ms, below 0 is better",
    ),
]


@pytest.mark.parametrize(("score", "read", "shown", "title", "side"), TABLES)
@pytest.mark.slow
def test_tables_of_what_falls_are_searched_and_compared(
    site, tmp_path, score, read, shown, title, side
):
    networks = write_table(tmp_path / "table.json", score, read)
    (tmp_path / "block.toml").write_text('space = "mosaic"\ncells = 1\nblocks = 1\n')
    parts = ["--space", tmp_path / "block.toml", "--evaluator", "table"]
    parts += ["--table", tmp_path / "table.json"]
    output = ["--name", "t", "--results-dir", tmp_path]
    text = call("run", *parts, "--agent", "random", "--budget", "12", *output)
    assert f" {shown} " in text.splitlines()[2]
    assert is_of_perplexities(text)
    best = pd.read_csv(
        StringIO(call("top-k", tmp_path / "t", "-k", "12", "--format", "csv"))
    ).set_index("network")[score["column"]]
    assert best.is_monotonic_increasing
    assert best.to_dict() == pytest.approx(
        {text: row["scores"][0] for text, row in networks.items()}
    )
    call("report", tmp_path / "t")

    budgets = ["--budgets", "2,12", "--seeds", "3", "--jobs", "1"]
    text = call(
        "compare", tmp_path / "c", *parts, *budgets, "--agent", "random", "--agent", "evolution"
    )
    assert title in text and side in text
    assert is_of_perplexities(text.replace("95 %", ""))
    found = pd.read_csv(tmp_path / "c" / "comparison.csv").query("choice == 'handed over'")
    by_budget = found.set_index(["agent", "budget"])["mean"]
    # who has seen all twelve has the best; of two, one need not be it
    assert by_budget["random", 12] == by_budget["evolution", 12] == pytest.approx(0, abs=1e-9)
    searches = [pd.read_csv(path) for path in (tmp_path / "c/searches/random").glob("*.csv")]
    lowest = [rows["expected"].head(2).min() - min(map(float, best)) for rows in searches]
    assert by_budget["random", 2] == pytest.approx(np.mean(lowest))


@pytest.mark.slow
def test_random_search_is_given_as_an_object_too(mosaic, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = mosaic["space"].Mosaic()
    search = Search(
        space=space,
        agent=RandomSearch(space, 0),
        evaluator="likelihood",
        passes=2,
        budget=3,
        name="mixed",
    )
    search.run(quiet=True)
    assert len(search.best()) == 3 and "perplexity" in search.best()
