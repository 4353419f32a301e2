"""The page of a run: what it says by hand, on any run at any moment, and how it is written."""

import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from time import sleep
from xml.etree import ElementTree as xml

import numpy as np
import pandas as pd
import pytest
import tomli_w
from click.testing import CliRunner

from metaqnn.agents.base import AGENTS
from metaqnn.cli import main
from metaqnn.networks.notation import read
from metaqnn.reports.drawing import draw
from metaqnn.reports.figures.catalogue import CAPTIONS, FIGURES
from metaqnn.reports.figures.inline import inline_svg
from metaqnn.reports.figures.style import make_figure
from metaqnn.reports.page import OWN_SECTION, is_running, render_page
from metaqnn.reports.parts import group_reasons
from metaqnn.reports.recurrent_drawing import is_recurrent
from metaqnn.runs.results import COUNTS, FINAL, columns_of, write_results
from metaqnn.runs.run import open_run
from metaqnn.storage import lock_folder
from metaqnn.task import accuracy
from replay import Outcome
from state_space import random_walk
from tests.helpers.commands import refused
from tests.helpers.recorded import record_run, trained
from tests.helpers.spaces import TINY
from tests.helpers.tables import macro_table

SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """A page's ids, what it refers to, and its text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.references, self.words, self.tags = [], set(), [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for key, value in attributes:
            if key == "id":
                self.ids.append(value)
            elif key.endswith("href"):
                self.references.add(value)
            self.references |= {f"#{name}" for name in re.findall(r"url\(#([^)]*)\)", value or "")}

    def handle_data(self, data):
        if self.tags[-1:] not in (["script"], ["style"]):
            self.words.append(data)


def check(text):
    """The page, once it is sure that it stands alone and its parts do not mix."""
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert page.ids
    for reference in page.references:
        assert reference.startswith("data:") or reference.removeprefix("#") in page.ids
    assert not {"link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert "@import" not in text
    return page


# on any run


EVALUATORS = {
    "table": ["--space", "macro", "--evaluator", "table", "--table", "table.json"],
    "bandit": ["--space", "lei-xiong", "--evaluator", "bandit"],
    "skip": ["--space", "nas-digits", "--epochs", "1", "--device", "cpu"],
    "nas": ["--reward", "nas", "--epochs", "1", "--device", "cpu", "--max-parameters", "3000"],
}


@pytest.mark.slow
@pytest.mark.parametrize("options", EVALUATORS.values(), ids=EVALUATORS)
def test_every_evaluator_and_space_has_a_page(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    macro_table(tmp_path / "table.json")
    result = CliRunner().invoke(main, ["run", "--name", "r", "--budget", "3", "--quiet", *options])
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(main, ["report", "results/r"]).output == (
        "written to results/r/report.html\n"
    )
    page = check((tmp_path / "results/r/report.html").read_text())
    top_k = CliRunner().invoke(main, ["top-k", "results/r", "--format", "csv"]).stdout
    for network in re.findall(r"\[.*?\]", top_k):
        assert network in page.text
    assert ("only looked up" in page.text) == ("macro" in options)
    assert page.tags.count("rect") > 3  # boxes


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_a_run_without_networks_has_a_page_that_says_so(tmp_path, agent):
    page = check(render_page(record_run(tmp_path / "r", [], "--agent", agent), k=10))
    assert "none yet validation accuracy of the best network" in page.text
    assert "Accuracy over the search is left out: no network is trained yet." in page.text
    assert "No network has been scored yet." in page.text
    reason = "no Q-value is learnt yet" if agent == "q-learning" else f"the agent {agent} has no"
    assert f"Q-values by layer and action is left out: {reason}" in page.text


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_a_run_of_failures_has_a_page_with_the_reasons(tmp_path, agent):
    errors = ["out of memory: 5 GiB", "no driver", "out of memory: 7.5 GiB"]
    outcomes = [Outcome(error=error) for error in errors]
    page = check(render_page(record_run(tmp_path / "r", outcomes, "--agent", agent), k=10))
    assert "why they failed 2 out of memory: 5 GiB 1 no driver" in page.text
    assert "all 3 networks failed" in page.text
    assert "3 failed 0 refused" in page.text
    result = CliRunner().invoke(main, ["top-k", str(tmp_path / "r")])
    assert (result.exit_code, result.stderr) == (0, "no network is trained yet\n")


@pytest.mark.slow
def test_what_the_page_says_by_hand(tmp_path):
    outcomes = [
        trained(0.5, seconds=100.0),
        trained(0.75, seconds=120.0),
        Outcome(error="broken"),
        "7,000 parameters, more than 5,000",
        "8,500 parameters, more than 5,000",
        "9 FLOPs, more than 8",
    ]
    run = record_run(tmp_path / "r", outcomes)
    page = check(render_page(run, k=1))
    assert "75.00% validation accuracy of the best network" in page.text
    assert "2 trained, of a budget of 0 networks 1 failed 3 refused" in page.text
    assert "3.7 minutes time of training" in page.text
    assert "digits: images of 1×8×8 in 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)" in page.text
    assert "2 7,000 parameters, more than 5,000 1 9 FLOPs, more than 8" in page.text
    assert "predicted" not in page.text
    assert "1. 75.00%" in page.text and "2. 50.00%" not in page.text  # k is 1
    for name in ("config.toml", "space.toml", "environment.json"):
        assert " ".join((run.path / name).read_text().split()) in page.text
    assert f"metaqnn run --config {run.path}/config.toml --name NAME" in page.text


@pytest.mark.slow
def test_predicted_accuracies_are_marked(tmp_path):
    stopped = Outcome({"predicted": 0.9, "stopped_after": 1}, (0.6,))
    page = check(render_page(record_run(tmp_path / "r", [trained(0.3), stopped]), k=10))
    assert "90.00% validation accuracy of the best network (predicted)" in page.text
    assert "2. 30.00%" in page.text and "1. 90.00%*" in page.text
    assert "* predicted: the training was stopped." in page.text


@pytest.mark.slow
def test_the_last_training_has_a_section_once_there_is_one(tmp_path):
    run = record_run(tmp_path / "r", [trained(0.75)])
    assert "Last training" not in check(render_page(run, k=10)).text
    folder = run.path / FINAL / "short"
    folder.mkdir(parents=True)
    evil = "<b>of 2"
    shared = {"low": 0.01, "high": 0.0625, "accuracy": 0.75}
    network = {"network": "[SM(10)]", "rank": 1, "parameters": 1000, "seconds": 2.5}
    rows = [
        *({**shared, **network, "seed": seed, "test_error": seed / 100} for seed in (1, 3)),
        {**shared, "seed": 1, "network": evil, "test_error": 0.015},
    ]
    write_results(folder, pd.DataFrame(rows, columns=list(columns_of(accuracy()))).astype(COUNTS))
    text = render_page(run, k=10)
    page = check(text)
    assert "(final/short)" in page.text
    assert "1 2.00% ± 1.41% 1.00% to 6.25% 75.00% 1,000 2.5 [SM(10)]" in page.text
    assert f"1.50% 1.00% to 6.25% 75.00% {evil}" in page.text and evil not in text


@pytest.mark.slow
def test_every_figure_has_a_caption_and_a_place(tmp_path):
    assert set(CAPTIONS) == set(FIGURES)
    assert set(OWN_SECTION) <= set(FIGURES)
    outcomes = [trained(accuracy) for accuracy in (0.2, 0.9, 0.4)]
    text = render_page(record_run(tmp_path / "r", outcomes), k=10)
    for title, _ in CAPTIONS.values():
        assert f"<strong>{title.format(score='accuracy', Score='Accuracy')}" in text


@pytest.mark.slow
def test_what_comes_from_outside_is_escaped(tmp_path):
    evil = "<script>alert('&amp;\"')<b>"
    record_run(tmp_path / "r", [Outcome(error=evil), trained(0.5), f"refused {evil}"])
    (tmp_path / "r").rename(tmp_path / evil)
    text = render_page(open_run(tmp_path / evil), k=10)
    page = check(text)
    assert evil not in text
    assert page.tags.count("script") == 1  # the page's own
    assert page.text.startswith(f"{evil} – metaqnn")
    assert f"1 {evil}" in page.text and f"1 refused {evil}" in page.text


def test_commands_name_the_copies_of_what_the_run_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text('net,accuracy_best_val\n"[C(8,3,1), SM(10)]",0.3\n')
    Path("my space.toml").write_text(
        tomli_w.dumps(TINY | {"convolution": {"filters": [8], "fields": [3]}})
    )
    options = ["--replay-from", "log.csv", "--space", "my space.toml", "--dataset", "digits"]
    page = check(render_page(record_run(Path("results/r"), [], *options), k=10))
    command = "metaqnn run --config results/r/config.toml --name NAME"
    assert f"{command} --space results/r/space.toml --replay-from results/r/replay-from.csv" in (
        page.text
    )


# its parts


def test_reasons_that_differ_in_numbers_are_one():
    reasons = ["needs 1.5 GiB", "no", "needs 20 GiB", "needs 1,000 MiB", "no", "needs 3 GiB"]
    assert group_reasons(reasons) == [("needs 1.5 GiB", 3), ("no", 2), ("needs 1,000 MiB", 1)]


def drawing_of(text, shape):
    root = xml.fromstring(draw(read(text), shape))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    return root, texts


def test_a_drawing_by_hand():
    root, texts = drawing_of("[C(64,3,1), P(2,2), SM(10)]", (3, 32, 32))
    # 3 * 64 * 9 + 64 and 64 * 16 * 16 * 10 + 10 parameters
    assert texts == [
        *["images", "3×32×32"],
        *["convolution", "64 filters", "3×3, stride 1", "64×32×32", "1,792 parameters"],
        *["max pooling", "2×2, stride 2", "64×16×16"],
        *["softmax", "10 classes", "10", "163,850 parameters"],
    ]
    assert len(list(root.iter(f"{SVG}rect"))) == 4
    without, texts = drawing_of("[C(64,3,1), P(2,2), SM(10)]", None)
    assert "64×32×32" not in texts


def test_skip_connections_are_arcs_above_the_boxes():
    root, _ = drawing_of("[C(8,3,1), C(8,3,1)@-1, SM(10)@0,1]", (1, 8, 8))
    lines = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("stroke")]
    # images to 0 and 1 to 2 are neighbours, images to 1 and 0 to 2 are not
    assert ["C" in line for line in lines] == [False, True, True, False]
    top = min(float(box.get("y")) for box in root.iter(f"{SVG}rect"))
    for arc in (line for line in lines if "C" in line):
        start, first, second, end = (
            tuple(map(float, point)) for point in re.findall(r"([\d.-]+) ([\d.-]+)", arc)
        )
        assert start[1] == top and start[0] < end[0] and end[1] < top
        height = (start[1] + 3 * first[1] + 3 * second[1] + end[1]) / 8  # a cubic's middle
        assert 0 <= height < top


def test_networks_of_every_space_can_be_drawn(space):
    generator = np.random.default_rng(1)
    for _ in range(5):
        architecture = space.architecture(random_walk(space, generator)).expanded  # cells too
        shape = (3, 32, 32) if space.trainable else None
        root = xml.fromstring(draw(architecture, shape))
        sources = {source for node in architecture.nodes for source in node.inputs}
        inputs = sum(source < 0 for source in sources)  # the images; of a cell also its states
        boxes = list(root.iter(f"{SVG}rect"))
        assert boxes
        if not is_recurrent(architecture):  # of which a box is several nodes
            assert len(boxes) == len(architecture.nodes) + inputs
            lines = [path for path in root.iter(f"{SVG}path") if path.get("stroke")]
            assert len(lines) == architecture.edges
        for box in boxes:
            assert float(box.get("x")) + float(box.get("width")) < float(root.get("width"))


def test_inlined_figures_do_not_share_ids_and_keep_their_text():
    figure = make_figure(2)
    axes = figure.add_subplot()
    axes.plot([1, 2], "o", label='a <b> & "c" id="d" url(#e)')
    axes.legend()
    pages = [Page(inline_svg(figure, name, "label")) for name in ("first", "second")]
    assert not set(pages[0].ids) & set(pages[1].ids)
    for page in pages:
        assert page.references and {name.removeprefix("#") for name in page.references} <= {
            *page.ids
        }
        assert 'a <b> & "c" id="d" url(#e)' in page.text
        assert "style" not in page.tags and "metadata" not in page.tags


# how it is written


def test_a_page_that_cannot_be_written_is_told_in_one_line(tmp_path):
    record_run(tmp_path / "r", [])
    (tmp_path / "taken").mkdir()
    arguments = ["report", str(tmp_path / "r"), "--html"]
    result = CliRunner().invoke(main, [*arguments, str(tmp_path / "taken")])
    refused(result, "taken cannot be written")
    assert {path.name for path in tmp_path.iterdir()} == {"r", "taken"}  # nothing half-written
    target = tmp_path / "to" / "here.html"
    assert CliRunner().invoke(main, [*arguments, str(target)]).exit_code == 0
    assert [path.name for path in target.parent.iterdir()] == ["here.html"]


@pytest.mark.slow
def test_watching_ends_with_the_search_and_a_last_page(tmp_path, monkeypatch):
    run = record_run(tmp_path / "r", [])
    target = tmp_path / "page.html"
    lock = lock_folder(run.path)
    lock.__enter__()
    seen = []

    def search_on(seconds):
        seen.append((seconds, target.read_text()))
        if len(seen) == 2:
            lock.__exit__(None, None, None)

    monkeypatch.setattr("metaqnn.cli.report.sleep", search_on)
    arguments = ["report", str(run.path), "--html", str(target), "--watch", "--every", "7"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert [seconds for seconds, _ in seen] == [7, 7]
    for _, text in seen:
        assert '<meta http-equiv="refresh" content="7">' in text
        assert ">running</span>" in text
    assert "refresh" not in target.read_text()
    assert ">not running</span>" in target.read_text()


@pytest.mark.slow
def test_an_interrupted_watch_leaves_a_page_that_is_not_loaded_again(tmp_path, monkeypatch):
    run = record_run(tmp_path / "r", [])

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("metaqnn.cli.report.sleep", interrupt)
    with lock_folder(run.path):
        result = CliRunner().invoke(main, ["report", str(run.path), "--watch"])
    assert result.exit_code == 130
    text = (run.path / "report.html").read_text()
    assert "refresh" not in text and ">running</span>" in text


def test_looking_whether_a_run_is_running_keeps_nobody_from_it(tmp_path):
    run = record_run(tmp_path / "r", [])
    assert not is_running(run)
    held = threading.Event()

    def look():
        with lock_folder(run.path):
            held.set()

    looking = threading.Thread(target=look)
    looking.start()
    held.wait()
    with lock_folder(run.path):  # waits for whoever looks
        assert is_running(run)
    looking.join()


@pytest.mark.slow
def test_a_search_in_another_process_is_watched_to_its_end(tmp_path):
    options = ["--budget", "8", "--epochs", "2", "--device", "cpu", "--quiet", "--threads", "1"]
    command = ["run", "--name", "r", "--results-dir", str(tmp_path), *options]
    search = subprocess.Popen([sys.executable, "-m", "metaqnn", *command])
    folder = tmp_path / "r"
    try:
        while not (folder.exists() and is_running(open_run(folder))):
            assert search.poll() is None
            sleep(0.1)
        result = CliRunner().invoke(main, ["report", str(folder), "--watch", "--every", "1"])
        assert result.exit_code == 0, result.output
        assert search.wait(timeout=10) == 0
    finally:
        search.kill()
        search.wait()
    page = check((folder / "report.html").read_text())
    assert "8 trained, of a budget of 8 networks" in page.text
