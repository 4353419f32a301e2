"""Language models are trained by themselves, and in the end, and tested once."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from scipy.stats import t

import metaqnn
from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.examinations import PIECES, TextExamination
from metaqnn.language.corpus import make_corpus
from metaqnn.language.files import load_model
from metaqnn.language.model import Dimensions, LanguageModel, parameters, units_for
from metaqnn.language.named import CELLS
from metaqnn.language.notation import find_cell
from metaqnn.language.presets import NAMES, RECIPES, SHORT, preset
from metaqnn.language.recipe import SCORES, WORDS, LanguageRecipe
from metaqnn.language.training import log_likelihood, token_probabilities
from metaqnn.reports.top_k import best_networks
from metaqnn.runs.run import open_run
from state_space.recurrent import tree
from tests.helpers.commands import refused

SMALL = ["--units", 8, "--layers", 1, "--batch-size", 5, "--device", "cpu"]


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A text whose words follow each other in a circle, more or less."""
    words = ["one", "two", "three", "four", "five", "six"]
    draws = np.random.default_rng(0).integers(0, 6, 2000)
    told = [words[(n if n % 3 else draw) % 6] for n, draw in enumerate(draws.tolist())]
    path = tmp_path_factory.mktemp("text") / "mine.txt"
    lines = (" ".join(told[start : start + 9]) for start in range(0, len(told), 9))
    path.write_text("\n".join(lines))
    return path


def last_tokens(text):
    """Those of the last twentieth of the text."""
    tokens = [word for line in text.read_text().splitlines() for word in (*line.split(), "<eos>")]
    return tokens[round(0.95 * len(tokens)) :]


@pytest.fixture(scope="module")
def run(text):
    """The folder of a run of three cells on the first thousand tokens."""
    options = ["--token-limit", 1000, "--budget", 3, "--epochs", 1, "--agent", "random", "--quiet"]
    made = call("run", "--dataset", text, *options, *SMALL, "--results-dir", text.parent)
    assert made.exit_code == 0, made.output
    return text.parent / "mine-1"


# recipes


def test_recipes_are_the_published_ones():
    """Zaremba et al. 2014, section 4.1; of Zoph & Le 2017, table 2, the 25 million weights."""
    small, medium = (LanguageRecipe(**RECIPES[f"zaremba-{name}"]) for name in ("small", "medium"))
    assert [small.rate(epoch) for epoch in (0, 3, 4, 12)] == [1, 1, 0.5, 0.5**9]
    assert [medium.rate(epoch) for epoch in (5, 6)] == [1, 1 / 1.2]
    sizes = Dimensions(10_000, medium.units, medium.layers, medium.tied)
    assert parameters("lstm", sizes) == 19_775_200
    found = LanguageRecipe(**RECIPES["nas-ptb"])
    cell = CELLS["nascell"]()
    units = units_for(found.match_parameters, cell, 10_000, found.layers, tied=found.tied)
    assert units == 741  # two layers, tied


def test_short_lets_the_rate_fall_as_far_in_twice_as_many_epochs():
    searched = LanguageRecipe(epochs=10, constant_epochs=3, decay=0.5)
    short = LanguageRecipe(**preset(SHORT, searched.model_dump(), {}))
    assert (short.epochs, short.constant_epochs) == (20, 6)
    assert short.rate(19) == pytest.approx(searched.rate(9))
    for name in NAMES:
        LanguageRecipe(**preset(name, searched.model_dump(), {}))
    asked = preset("nas-ptb", searched.model_dump(), {"units": 30})
    assert asked["units"] == 30 and asked["match_parameters"] is None


# cells by their texts


def test_cells_are_found_by_name_and_by_both_of_their_texts():
    example = tree([("add", "tanh"), ("mult", "relu"), ("mult", "sigmoid")], ("add", "relu"), 1, 0)
    text = "add tanh, mult relu | mult sigmoid | inject add relu at 0, memory 1"
    assert find_cell(text) == find_cell(example.text) == example
    assert find_cell("nascell") == CELLS["nascell"]() and find_cell("gru") == "gru"
    for wrong, told in {
        "lstn": "did you mean lstm",
        "add tanh, add tanh, add tanh | inject": "3 leaves",
        "add tanh, mult relu | mult sigmoid": "must end like",
        "[TANH@-1]": "it must read -1",
        "[LIN@-1, MUL@0,-3]": "as many as it has outputs",
    }.items():
        with pytest.raises(MetaqnnError, match=told):
            find_cell(wrong)


# tests


def test_every_token_has_its_probability_and_the_interval_is_that_of_pieces():
    model = LanguageModel("lstm", Dimensions(4, 5, 1), torch.Generator().manual_seed(0), spread=1)
    corpus = make_corpus(["a b c", "a b", "a b c a " * 90], WORDS)
    examination = TextExamination(corpus, SCORES[WORDS])
    found = token_probabilities(model, corpus.test)
    assert len(found) == len(corpus.test) - 1 == 360  # and one end of a line
    recipe = LanguageRecipe(batch_size=1)
    mean = log_likelihood(model, corpus.test, recipe)
    measured = examination.measure(found)
    assert measured["test_perplexity"] == pytest.approx(math.exp(-mean), rel=1e-5)
    pieces = np.log(found).reshape(PIECES, -1).mean(1)
    step = t.ppf(0.975, PIECES - 1) * pieces.std(ddof=1) / math.sqrt(PIECES)
    ends = [math.exp(-np.log(found).mean() + sign * step) for sign in (-1, 1)]
    assert [measured["low"], measured["high"]] == pytest.approx(ends)
    certain = examination.measure(np.full(100, 0.25))
    assert certain == pytest.approx({"test_perplexity": 4, "low": 4, "high": 4})


# commands


@pytest.mark.parametrize("cell", ["lstm", pytest.param("nascell", marks=pytest.mark.slow)])
def test_a_cell_is_trained_and_tested_by_itself(tmp_path, text, cell):
    target = tmp_path / "model.safetensors"
    options = ["--dataset", text, *SMALL, "--epochs", 2, "--to", target]
    done = call("train", cell, *options, "--final")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    assert said[1] == f"{cell} is in {target}"
    assert said[2].startswith("test perplexity ") and "on 111 tokens, 95 % interval" in said[2]
    (tmp_path / "end.txt").write_text(" ".join(last_tokens(text)).replace("<eos>", "\n"))
    alone = json.loads(call("predict", target, tmp_path / "end.txt", "--format", "json").stdout)
    assert alone[0]["tokens"] == 111
    assert said[2].startswith(f"test perplexity {alone[0]['perplexity']:.2f} ")
    model, _, _ = load_model(target)
    assert model.size == int(said[0].partition(" ")[0].replace(",", ""))
    again = call("train", cell, *options)
    assert again.stdout.splitlines()[2].startswith("validation perplexity ")


def test_options_of_images_are_no_options_of_texts(text):
    refused(call("train", "lstm", "--dataset", text, "--mirror"), "mirror is an option of")
    refused(call("train", "lstm", "--dataset", text, "--init-from", "x"), "x cannot be read")
    refused(call("train", "--dataset", text), "say which cell")
    refused(call("train", "lstm", "--dataset", text, "--recipe", "practical"), "is not one of")
    refused(call("train", "[SM(10)]", "--bptt", 3), "bptt is an option of the evaluator language")
    refused(call("train", "lstm", "--dataset", text, "--to", "x.pth"), "the suffix must be one of")


@pytest.mark.slow
def test_the_best_cells_are_trained_anew_on_the_whole_text_and_tested_once(run, text):
    done = call("finalize", run, "-k", 2, "--ensemble", 2, "--format", "json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["rank"] for row in rows] == [1, 2, None]
    assert all(row["low"] < row["test_perplexity"] < row["high"] for row in rows)
    assert rows[-1]["network"] == "ensemble of 2"
    results = pd.read_csv(run / "final" / "short" / "results.csv")
    weights = [run / "final" / "short" / name for name in results["weights"][:2]]
    found = []
    for row, path in zip(rows, weights, strict=False):
        model, vocabulary, _ = load_model(path)
        assert model.dimensions.units == 8
        numbers = torch.tensor([vocabulary.index(word) for word in last_tokens(text)])
        found.append(token_probabilities(model, numbers))
        perplexity = math.exp(-np.log(found[-1]).mean())
        assert row["test_perplexity"] == pytest.approx(perplexity, rel=1e-6)
    together = math.exp(-np.log((found[0] + found[1]) / 2).mean())
    assert rows[-1]["test_perplexity"] == pytest.approx(together, rel=1e-6)
    best = json.loads(call("top-k", run, "--sort", "test perplexity", "--format", "json").stdout)
    shown = [row["test_perplexity"] for row in best[:2]]
    assert shown == sorted(row["test_perplexity"] for row in rows[:2])
    fingerprint = json.loads((run / "environment.json").read_text())["data"]["fingerprint"]
    assert fingerprint.keys() == {"training", "validation", "test"}
    assert call("resume", run, "--budget", 3, "--quiet").exit_code == 0  # with the test known
    assert call("report", run).exit_code == 0
    page = (run / "report.html").read_text()
    assert "test perplexity" in page and "A drawing is one step of a cell" in page


@pytest.mark.slow
def test_more_is_trained_only_where_it_is_new_and_bad_input_is_told(run):
    assert call("finalize", run, "-k", 1, "--name", "n", "--epochs", 1).exit_code == 0
    path = run / "final" / "n" / "results.csv"
    first = pd.read_csv(path)
    again = call("finalize", run, "-k", 1, "--name", "n", "--epochs", 1, "--seeds", 2)
    assert again.exit_code == 0
    both = pd.read_csv(path)
    assert both["seed"].tolist() == [0, 1]
    assert both["seconds"][0] == first["seconds"][0]
    refused(call("finalize", run, "--recipe", "paper-svhn"), "is not one of", "zaremba-small")
    refused(call("finalize", run, "--train-limit", 3), "train-limit is an option of")
    refused(call("finalize", run, "--scale", "filters=3"), "it has one size")
    refused(call("finalize", run, "--network", "nasnet-a"), "reads no images")
    refused(call("finalize", run, "--int8"), "int8 is for networks that read images")
    refused(call("finalize", run, "--grid", "mirror=true"), "no recipe has mirror")


@pytest.mark.slow
def test_the_best_settings_of_a_text_are_those_of_the_lowest_perplexity(run):
    options = ["--grid", "learning-rate=0.00001,0.01", "--name", "g", "--epochs", 2]
    assert call("finalize", run, "-k", 1, *options).exit_code == 0
    table = pd.read_csv(run / "final" / "g" / "grid.csv")
    assert table["learning_rate"].tolist() == [0.01, 0.00001]
    assert table["perplexity"].is_monotonic_increasing
    other = ["--learning-rate", 0.00001, "--name", "g", "--epochs", 2]
    refused(call("finalize", run, "-k", 1, *other), "learning-rate is 0.01 there and 1e-05 here")


def test_python_does_the_same(run, tmp_path):
    search = metaqnn.Search.open(run)
    gentle = {"epochs": 1, "units": 6, "learning_rate": 0.05}
    found = search.finalize(1, recipe="zaremba-small", quiet=True, **gentle)
    assert found["test_perplexity"].between(1, 8).all()
    assert search.best(1)["test_perplexity"].tolist() == found["test_perplexity"].tolist()
    search.export(tmp_path / "own.py", final="zaremba-small")
    assert load_model(tmp_path / "own.safetensors")[0].dimensions.units == 6
    words = [word for word in search.model().vocabulary if word != "<eos>"]
    text = " ".join(words) + "\n"
    assert 1 < search.model().perplexity(text) < math.inf
    own = metaqnn.load(tmp_path / "own.safetensors")
    assert own.perplexity(text) == search.model(final="zaremba-small").perplexity(text)
    with pytest.raises(MetaqnnError, match="there is no recipe 'paper-svhn'"):
        search.finalize(1, recipe="paper-svhn")
    assert len(best_networks(open_run(run), 5)) == 3
