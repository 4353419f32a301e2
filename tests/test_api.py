"""metaqnn.Search: by hand or on its own it is one search; and it agrees with the command line."""

import gc
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from metaqnn import Search, load
from metaqnn.agents.base import AGENTS
from metaqnn.cli import main
from metaqnn.data.given import keep_arrays
from metaqnn.errors import MetaqnnError, SearchStopped
from metaqnn.evaluators.bandit import BanditEvaluator
from metaqnn.evaluators.base import Job
from metaqnn.models.model import Facts, Model
from metaqnn.networks.cost import total_cost
from metaqnn.notebook import render_facts, show_live
from state_space import Architecture
from tests import ROOT
from tests.helpers.commands import refused
from tests.helpers.searches import hash_score, make_search, state

BANDIT = {"space": "lei-xiong", "evaluator": "bandit", "budget": 12}
"""A search that costs nothing."""

OWN = {"shape": (1, 8, 8), "classes": 10, "space": "digits"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(main, list(arguments))


def payoff(asked):
    """The curve that the bandit's evaluator has for a network."""
    return BanditEvaluator()(Job(asked.architecture, asked.seed)).curve


def tell_all(search):
    for asked in iter(search.ask, None):
        search.tell(asked, curve=payoff(asked))


def told(search):
    """What a search has found and learnt, but for what metrics say."""
    trials = search.trials()
    columns = ["number", "network", "stage", "digest", "seed", "epsilon", "reward", "curve"]
    return trials[[name for name in columns if name in trials]].to_json(double_precision=15)


def score(search, trial):
    return hash_score(Job(search.space.architecture(trial.walk), trial.seed))


@pytest.mark.slow
@pytest.mark.parametrize("space", ["digits", "tiny", "nas-digits", "macro"])
@pytest.mark.parametrize("agent", AGENTS)
def test_asked_and_told_by_hand_is_the_search_of_the_loop(tmp_path, agent, space):
    def refuse(architecture: Architecture) -> str | None:
        return "too large" if int(architecture.digest[0], 16) < 4 else None

    def make(name):
        return make_search(tmp_path / name, agent, space_name=space, refuse=refuse, budget=25)

    whole, by_hand = make("whole"), make("by hand")
    ending = whole.run()
    for trial in iter(by_hand.ask, None):
        by_hand.tell(trial, score(by_hand, trial))
    assert by_hand.ending == ending
    assert state(by_hand) == state(whole)


@pytest.mark.slow
def test_reopened_after_every_step_it_is_the_same_search(tmp_path):
    whole = make_search(tmp_path / "whole", budget=15)
    whole.run()
    path = tmp_path / "reopened"
    while (trial := (search := make_search(path, budget=15)).ask()) is not None:
        search.memory.close()
        search = make_search(path, budget=15)
        again = search.ask()
        assert again == trial
        search.memory.close()
        search = make_search(path, budget=15)
        search.tell(trial, score(search, trial))  # somebody knows it still
        search.memory.close()
    assert state(search) == state(whole)


@pytest.mark.parametrize("agent", ["q-learning", "random"])
def test_by_hand_it_is_the_search_of_run_and_run_goes_on_with_it(agent):
    ran, by_hand, mixed = (Search(**BANDIT, agent=agent, seed=3) for _ in range(3))
    assert ran.run() == "the budget is spent"
    tell_all(by_hand)
    assert by_hand.ending == ran.ending
    for _ in range(5):
        asked = mixed.ask()
        mixed.tell(asked, curve=payoff(asked))
    mixed.ask()  # run trains what is not told
    mixed.run()
    assert told(by_hand) == told(ran) == told(mixed)
    if agent == "q-learning":
        assert by_hand.q_table().equals(ran.q_table())
        assert mixed.q_table().equals(ran.q_table())


def test_a_larger_budget_goes_on_by_run_and_by_hand():
    first, second = (Search(**BANDIT, agent="random", name=name) for name in "ab")
    first.run()
    first.run(budget=15)
    tell_all(second)
    second.close()
    again = Search.open("results/b", budget=15)
    tell_all(again)
    assert told(first) == told(again)
    assert len(first.best(20)) == 15
    assert Search.open("results/a").run() == "the budget is spent"


def test_interrupted_anywhere_run_goes_on_to_the_same_end(monkeypatch):
    whole = Search(**BANDIT)
    whole.run()
    search = Search(**BANDIT)
    calls = iter(range(1000))

    def interrupt(evaluator, job, score):
        if next(calls) % 2:
            raise KeyboardInterrupt
        return evaluator(job)

    monkeypatch.setattr("metaqnn.search.trainings.attempt", interrupt)
    interruptions = 0
    while search.ending is None:
        try:
            search.run()
        except KeyboardInterrupt:
            interruptions += 1
    assert interruptions == 11
    assert told(search) == told(whole)


def test_an_interruption_between_memory_and_agent_leaves_no_half_of_a_step(monkeypatch):
    whole = Search(**BANDIT)
    tell_all(whole)
    search = Search(**BANDIT)
    asked = search.ask()
    with monkeypatch.context() as patch:
        patch.setattr("replay.Memory.finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            search.tell(asked, curve=payoff(asked))
        patch.undo()
        patch.setattr("replay.Memory.add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            search.tell(asked, curve=payoff(asked))
            search.ask()
    tell_all(search)
    assert told(search) == told(whole)


SCRIPT = """
import os, random, signal, sys
from metaqnn import Search, load
from tests.test_api import payoff
search = Search.open("results/killed")
left = int(sys.argv[1])
for asked in iter(search.ask, None):
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    search.tell(asked, curve=payoff(asked))
    left -= 1
"""


@pytest.mark.slow
def test_killed_and_reopened_equals_uninterrupted(folder):
    whole = Search(**BANDIT, seed=1)
    whole.run()
    killed = Search(**BANDIT, seed=1, name="killed")
    (folder / "script.py").write_text(SCRIPT)
    paths = [str(ROOT), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    for steps in ("3", "0", "4"):
        command = [sys.executable, str(folder / "script.py"), steps]
        assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    assert killed.trials()["finished"].sum() == len(killed.trials()) - 1
    tell_all(killed)
    assert told(killed) == told(whole)


@pytest.mark.parametrize("agent", AGENTS)
def test_several_are_asked_for_before_one_is_told_and_told_in_any_order(agent):
    search = Search(**{**BANDIT, "budget": 20}, agent=agent)
    generator = np.random.default_rng(0)
    waiting = []
    while True:
        while len(waiting) < 4 and (asked := search.ask()):
            waiting.append(asked)
        if not waiting:
            break
        asked = waiting.pop(generator.integers(len(waiting)))
        search.tell(asked, curve=payoff(asked))
    trials = search.trials()
    assert search.ending == "the budget is spent"
    assert trials["digest"].nunique() == 20
    assert trials["finished"].all()


def test_asked_for_and_never_told_comes_up_again_and_can_be_told_still():
    search = Search(**BANDIT)
    first, second, third = (search.ask() for _ in range(3))
    search.tell(second, 0.5)
    search.close()
    search.tell(third, 0.5)
    assert search.ask() == first
    assert search.ask().number > third.number


def test_a_network_is_told_once_and_by_its_own_search():
    search, other = Search(**BANDIT), Search(**BANDIT, seed=9)
    asked, foreign = search.ask(), other.ask()
    search.tell(asked, 0.9)
    with pytest.raises(MetaqnnError, match=f"^network {asked.number} was told already$"):
        search.tell(asked, 0.9)
    waiting = search.ask()
    with pytest.raises(MetaqnnError, match=f"^network {foreign.number} was never asked for here$"):
        search.tell(foreign, 0.9)
    with pytest.raises(MetaqnnError, match="^tell takes what ask has returned, not None$"):
        search.tell(None, 0.9)
    search.tell(waiting, 0.9)  # an error loses nothing
    ran = search.ask()
    search.run()
    with pytest.raises(MetaqnnError, match="was told already"):
        search.tell(ran, 0.9)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({}, "tell one of accuracy=..., curve="),
        ({"accuracy": 0.5, "error": "failed"}, "tell one of accuracy=..., curve="),
        ({"accuracy": 93}, "the accuracy is 93.0, not a number from 0 to 1"),
        ({"accuracy": float("nan")}, "the accuracy is nan; error='...' tells"),
        ({"accuracy": "good"}, "the accuracy is 'good', not a number"),
        ({"curve": []}, "the curve is empty"),
        ({"curve": [0.5, -1]}, "the accuracy is -1.0, not"),
        ({"accuracy": 0.5, "metrics": {"reward": 1}}, "no metric can be called 'reward'"),
        ({"accuracy": 0.5, "metrics": {"epsilon": 1}}, "no metric can be called 'epsilon'"),
        ({"accuracy": 0.5, "metrics": {"loss": "low"}}, "the metric loss is 'low', not a number"),
    ],
)
def test_answers_that_make_no_sense_are_refused_in_one_line_and_change_nothing(answer, message):
    search = Search(**OWN, budget=2)
    asked = search.ask()
    with pytest.raises(MetaqnnError) as error:
        search.tell(asked, **answer)
    assert str(error.value).startswith(message)
    assert len(str(error.value).splitlines()) == 1
    assert not search.trials()["finished"].any()
    search.tell(asked, 0.5)


def test_what_is_told_is_what_is_kept():
    search = Search(**OWN, budget=3)
    first, second, third = (search.ask() for _ in range(3))
    search.tell(first, curve=np.array([0.25, 0.75, 0.5]), metrics={"loss": torch.tensor(1.5)})
    search.tell(second, torch.tensor(0.5))
    search.tell(third, error="out of\nmemory")
    trials = search.trials().set_index("number").loc[[first.number, second.number, third.number]]
    assert trials["curve"].tolist() == [(0.25, 0.75, 0.5), (0.5,), ()]
    assert trials["reward"].tolist() == [0.75, 0.5, 0.1]  # the failure is told as chance
    assert trials["accuracy"].tolist()[:2] == [0.75, 0.5] and pd.isna(trials["accuracy"].iloc[2])
    assert trials["loss"].iloc[0] == 1.5
    assert trials["error"].tolist()[2] == "out of memory"
    cost = total_cost(first.architecture, (1, 8, 8))
    assert trials["parameters"].iloc[0] == cost.parameters
    assert trials["multiply_adds"].iloc[0] == cost.multiply_adds
    assert search.best()["network"].tolist() == [first.text, second.text]


def test_limits_and_designs_to_start_from_hold_for_what_is_asked():
    design = "[C(8,3,1), P(2,2), SM(10)]"
    search = Search(**OWN, budget=6, max_parameters=5000, start_from=[design])
    networks = []
    for asked in iter(search.ask, None):
        networks.append(asked)
        search.tell(asked, 0.5)
    assert networks[0].text == design
    assert len({asked.text for asked in networks}) == len(networks) == 6
    assert all(total_cost(each.architecture, (1, 8, 8)).parameters <= 5000 for each in networks)


def test_ten_failures_in_a_row_stop_it_as_they_stop_run():
    search = Search(**OWN, budget=20)
    for _ in range(9):
        search.tell(search.ask(), error="no GPU")
    with pytest.raises(SearchStopped, match="10 networks in a row failed, .*: no GPU"):
        search.tell(search.ask(), error="no GPU")
    assert search.trials()["error"].notna().sum() == 10
    search.tell(search.ask(), 0.5)


def test_the_network_is_that_of_the_text_and_its_seed():
    asked = Search(**OWN, budget=2).ask()
    first, second = asked.network(), asked.network()
    assert first.architecture.text == asked.text
    assert first(torch.zeros(3, 1, 8, 8)).shape == (3, 10)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_own_images_have_a_space_of_a_file_and_named_classes(folder):
    shutil.copy(Search(**OWN).folder / "space.toml", folder / "mine.toml")
    search = Search(
        space=folder / "mine.toml", shape=(3, 16, 16), classes=["cat", "dog"], budget=2, name="pets"
    )
    asked = search.ask()
    assert asked.input_shape == (3, 16, 16)
    assert asked.text.endswith("SM(2)]")
    search.tell(asked, 0.75)
    search.close()
    assert Search.open("results/pets").best()["accuracy"].tolist() == [0.75]
    assert "75.00%" in invoke("top-k", "results/pets").output
    for again in (
        invoke("resume", "results/pets"),
        invoke("run", "--dataset", "own"),
    ):
        refused(again, "the data set own is not there to be read")
    with pytest.raises(MetaqnnError, match="the data set own is not there to be read"):
        search.run()
    assert search.trials()["finished"].sum() == 1
    with pytest.raises(MetaqnnError, match="keeps those of the best 5 .* or done elsewhere"):
        search.model()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lerning_rate": 1}, "unknown option lerning_rate; did you mean learning_rate?"),
        ({"agent": "q-lerning"}, "there is no agent 'q-lerning'; did you mean q-learning?"),
        ({"budget": -1}, "budget is -1: input should be greater than or equal to 0"),
        ({"name": "../x"}, "the name '../x' must be letters"),
        ({"shape": (1, 8, 8)}, "classes is None, not a number from 2 on or a list of names"),
        ({"classes": 3}, "shape is None, not (channels, size, size), such as (1, 28, 28)"),
        ({"shape": (1, 8, 9), "classes": 3}, "shape is (1, 8, 9), not (channels, size, size)"),
        ({"shape": (1, 8, 8), "classes": 1}, "classes is 1, not a number from 2 on"),
        (
            {"shape": (1, 8, 8), "classes": 9, "dataset": "digits"},
            "shape and classes are those of digits already",
        ),
        ({"dataset": "own"}, "the data set own is not there to be read"),
    ],
)
def test_bad_options_are_answered_in_one_line_and_leave_no_folder(folder, options, message):
    with pytest.raises(MetaqnnError) as error:
        Search(**options)
    assert str(error.value).startswith(message)
    assert len(str(error.value).splitlines()) == 1
    assert not (folder / "results").exists()


def test_names_that_are_taken_and_folders_that_are_none_are_told_in_one_line():
    Search(**BANDIT, name="a")
    with pytest.raises(MetaqnnError, match=r"^results/a exists: Search.open\('results/a'\) goes"):
        Search(**BANDIT, name="a")
    with pytest.raises(MetaqnnError, match="^nowhere is not the folder of a run"):
        Search.open("nowhere")
    with pytest.raises(MetaqnnError, match=r"^unknown option budgett; did you mean budget\?$"):
        Search.open("results/a", budgett=3)
    with pytest.raises(MetaqnnError, match="^results/b has no Q-table: its agent is random$"):
        Search(**BANDIT, agent="random", name="b").q_table()


@pytest.mark.slow
def test_who_works_on_a_folder_works_alone_and_all_may_look():
    search = Search(**BANDIT, name="a")
    second = Search.open("results/a")
    asked = search.ask()
    for work in (second.ask, second.run, partial(second.tell, asked, 0.5)):
        with pytest.raises(MetaqnnError, match="is working on results/a"):
            work()
    refused(invoke("resume", "results/a"), "is working on results/a")
    assert invoke("top-k", "results/a").exit_code == 0
    assert len(second.trials()) == 1 and second.best().empty
    search.close()
    assert second.ask() == asked
    second.run()  # which lets go at its end
    assert invoke("resume", "results/a", "--budget", "13", "--quiet").exit_code == 0


def test_a_search_that_nobody_holds_lets_go():
    Search(**BANDIT, name="a").ask()
    gc.collect()
    assert Search.open("results/a").ask().number == 1


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run that the command line has made; not to be changed."""
    results = tmp_path_factory.mktemp("cli")
    options = ["--budget", "4", "--epochs", "1", "--device", "cpu", "--quiet"]
    result = invoke("run", "--name", "r", "--results-dir", str(results), *options)
    assert result.exit_code == 0, result.output
    return results / "r"


@pytest.mark.slow
def test_it_says_of_a_run_what_the_command_line_says(finished):
    search = Search.open(finished)
    csv = pd.read_csv(StringIO(invoke("top-k", str(finished), "-k", "3", "--format", "csv").output))
    pd.testing.assert_frame_equal(search.best(3), csv, check_dtype=False)
    ranked = search.trials().query("first").sort_values("reward", ascending=False, kind="stable")
    assert ranked["network"].tolist()[:3] == csv["network"].tolist()
    assert ranked["accuracy"].tolist()[:3] == csv["accuracy"].tolist()
    table = pd.read_csv(StringIO(invoke("q-table", str(finished)).output))
    pd.testing.assert_frame_equal(search.q_table(), table, check_dtype=False)
    drawn = invoke("plot", str(finished), "--to", "figures").stdout
    assert list(search.figures()) == drawn.partition(":")[0].split(", ")
    assert list(search.figures("best")) == ["best"]
    with pytest.raises(MetaqnnError, match="there is no figure 'bets'; did you mean best"):
        search.figures("bets")
    search.export("mine.safetensors", rank=2)
    invoke("export", str(finished), "--rank", "2", "--to", "theirs.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8))
    model = search.model(rank=2)
    for name in ("mine", "theirs"):
        loaded = load(f"{name}.safetensors")
        assert loaded.facts == model.facts
        np.testing.assert_array_equal(loaded.scores(images), model.scores(images))


def test_a_search_asked_for_the_same_is_that_of_the_command_line(finished):
    search = Search(budget=4, epochs=1, device="cpu")
    search.run()
    made, there = search.best(9), Search.open(finished).best(9)
    pd.testing.assert_frame_equal(made.drop(columns="seconds"), there.drop(columns="seconds"))


def test_the_representations_say_how_far_it_is_and_escape_all_text(finished):
    search = Search(**BANDIT, results_dir="<i>&")
    assert repr(search) == "<search in <i>&/lei-xiong-1: 0 of 12 networks>"
    html = search._repr_html_()
    assert "search in &lt;i&gt;&amp;/lei-xiong-1" in html and "<i>" not in html
    asked = search.ask()
    assert repr(asked) == f"<asked: network 1, {asked.text}>"
    assert asked.text in asked._repr_html_()
    search.tell(asked, 0.5)
    search.ask()
    assert "1 of 12 networks, 1 asked for and not told, best accuracy 50.00%" in repr(search)
    assert "50.00%" in search._repr_html_() and asked.text in search._repr_html_()
    facts = Facts("[SM(2)]", (1, 8, 8), ("<b>cat</b>", "dog"), (0.0,), (1.0,))
    model = Model(facts, lambda images: images)
    assert repr(model) == "<model of [SM(2)]: 1x8x8 images, 2 classes>"
    assert "&lt;b&gt;cat&lt;/b&gt;, dog" in model._repr_html_()
    assert "<script>" not in render_facts("<script>", {"<script>": "<script>"})
    assert Search.open(finished).figures("best")._repr_html_().startswith('<p><img alt="best"')


def test_a_notebook_shows_the_search_while_it_runs(monkeypatch):
    views = []
    view = SimpleNamespace(update=lambda thing: views.append(thing._repr_html_()))
    monkeypatch.setattr("metaqnn.notebook.INTERVAL", 0)
    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    display = SimpleNamespace(display=lambda thing, display_id: view)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    Search(**BANDIT).run()
    assert "1 of 12 networks" in views[0] and "12 of 12 networks" in views[-1]
    views.clear()
    Search(**BANDIT).run(quiet=True)
    assert not views
    monkeypatch.setitem(sys.modules, "IPython", None)
    show_live(None)(now=True)
    assert not views


def test_arrays_are_a_data_set_that_is_there_when_the_search_goes_on():
    generator = np.random.default_rng(0)
    images, labels = generator.random((60, 1, 8, 8)), np.arange(60) % 3
    options = {"space": "digits", "epochs": 1, "budget": 1, "agent": "random"}
    search = Search(dataset=(images, labels), **options)
    search.run(quiet=True)
    assert search.folder.name.startswith("arrays-")
    del images, labels
    assert Search.open(search.folder).run(quiet=True, budget=2) == "the budget is spent"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"budgets": 3}, "unknown option budgets"),
        ({"budget": -1}, "budget is -1"),
        ({"space": "lei-xiong", "evaluator": "bandit"}, "dataset is an option of"),
        ({"space": "digits", "max_latency": "soon"}, "max-latency is 'soon'"),
        ({"space": "digits", "start_from": ["[C(7,3,1), SM(3)]"]}, "start-from"),
        ({"name": "taken", "space": "digits"}, "exists"),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_a_refused_search_leaves_no_arrays_behind(tmp_path, options, reason, is_there):
    results = tmp_path / "results"
    data = (np.random.default_rng(0).random((60, 1, 8, 8)), np.arange(60) % 3)
    if is_there:  # then they are somebody else's, and stay
        keep_arrays(data, results)
    if "name" in options:
        (results / "taken").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(MetaqnnError, match=reason):
        Search(dataset=data, results_dir=results, **options)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("dataset", [np.zeros((600, 28, 28)), torch.zeros(6), 7])
def test_images_without_labels_are_refused_in_one_line(tmp_path, dataset):
    with pytest.raises(MetaqnnError, match=r"\(images, labels\)") as error:
        Search(dataset=dataset, results_dir=tmp_path)
    assert len(str(error.value)) < 300


def test_what_is_of_another_kind_is_told_in_one_line():
    import metaqnn

    search = Search(shape=(1, 8, 8), classes=10, space="digits", budget=2, name="kinds")
    asked = search.ask()
    for wrong in (
        lambda: metaqnn.load(None),
        lambda: metaqnn.load(3),
        lambda: Search.open(None),
        lambda: Search.open(3),
        lambda: Search(space=3),
        lambda: Search(agent=3),
        lambda: Search(evaluator=3),
        lambda: search.tell(asked, curve=5),
        lambda: search.tell(asked, 0.5, metrics=5),
    ):
        with pytest.raises(MetaqnnError, match=r"^[^\n]* is (None|[35]), not [^\n]*$"):
            wrong()
    search.close()
