"""Texts become numbers, and models learn from them what there is to learn."""

import gzip
import json
import math
import re
import time
from io import StringIO

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import log_softmax

from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job, attempt
from metaqnn.evaluators.examinations import TextExamination
from metaqnn.evaluators.language import LanguageEvaluator, LanguageOptions, TextOptions, read
from metaqnn.executors.base import Place
from metaqnn.language.corpus import END, UNKNOWN, make_corpus, read_ptb, read_text
from metaqnn.language.files import load_model, save_model
from metaqnn.language.model import Dimensions, LanguageModel
from metaqnn.language.named import CELLS
from metaqnn.language.recipe import SCORES, LanguageRecipe
from metaqnn.language.training import columns, log_likelihood, pieces, train
from metaqnn.runs.creation import plan_run
from metaqnn.runs.timed import plan_search
from metaqnn.spaces import bind_space
from state_space import random_walk
from tests import ROOT
from tests.helpers.commands import refused

PTB = ROOT.parent / "shared" / "data" / "ptb"


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


# texts


def test_words_of_lines_and_what_training_does_not_have():
    corpus = make_corpus(["a b a\na c\n", "a d\n"], "words")
    assert corpus.vocabulary[0] == "a"
    assert set(corpus.vocabulary) == {"a", "b", "c", END, UNKNOWN}
    words = [corpus.vocabulary[number] for number in corpus.training]
    assert words == ["a", "b", "a", END, "a", "c", END]
    assert [corpus.vocabulary[number] for number in corpus.validation] == ["a", UNKNOWN, END]


def test_the_test_part_adds_no_token_to_a_model(tmp_path):
    parts = ["a b a\n", "b\n", "a new b\n"]
    corpus = make_corpus(parts, "words")
    assert corpus.vocabulary == make_corpus(parts[:2], "words").vocabulary
    assert [corpus.vocabulary[number] for number in corpus.test] == ["a", "b", END]
    assert corpus.left_out == 1
    told = TextExamination(corpus, SCORES["words"]).warnings()
    assert len(told) == 1 and told[0].startswith("left out of the test part: 1 word that")
    known = make_corpus(["a b\n", "new\n", "a new b\n"], "words")  # <unk> is known
    assert (known.left_out, len(known.test)) == (0, 4)
    assert TextExamination(known, SCORES["words"]).warnings() == []
    file = tmp_path / "a.txt"
    file.write_text("ab" * 190 + "z" * 20)
    options = TextOptions(dataset=f"text:{file}", tokens="characters")
    with pytest.raises(MetaqnnError, match="no two characters of the test part are in the others"):
        LanguageEvaluator(options, LanguageRecipe(), Place()).examination()


def test_a_text_of_ones_own_is_split_in_order(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("".join(chr(97 + number % 26) for number in range(1000)))
    corpus = read_text(file, "characters", test=True)
    parts = (corpus.training, corpus.validation, corpus.test)
    assert list(map(len, parts)) == [900, 50, 50]
    assert "".join(corpus.vocabulary[n] for part in parts for n in part) == file.read_text()
    assert read_text(file, "characters").test is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"a", "too short"), (b"\xff\xfe\x00", "no text in UTF-8"), (None, "cannot be read")],
)
def test_what_is_no_text_is_told(tmp_path, content, problem):
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(MetaqnnError, match=problem):
        read_text(tmp_path / "a.txt", "words")


def test_packed_files_are_read_as_others(tmp_path):
    for name, packed in (("train", True), ("valid", False)):
        text = f"the {name} text\n"
        file = tmp_path / f"ptb.{name}.txt"
        if packed:
            (tmp_path / f"{file.name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            file.write_text(text)
    corpus = read_ptb(tmp_path, "words")
    assert (
        len(corpus.training) == 4
        and corpus.validation.tolist().count(corpus.vocabulary.index(UNKNOWN)) == 1
    )
    assert corpus.test is None  # whose file is not even there
    whole = (tmp_path / "ptb.train.txt.gz").read_bytes()
    (tmp_path / "ptb.train.txt.gz").write_bytes(whole[:-9])
    with pytest.raises(MetaqnnError, match="txt.gz cannot be read"):
        read_ptb(tmp_path, "words")


@pytest.mark.skipif(not PTB.is_dir(), reason="needs Penn Treebank beside the project")
def test_penn_treebank_has_its_published_sizes():
    corpus = read_ptb(PTB, "words", test=True)
    sizes = [len(part) for part in (corpus.training, corpus.validation, corpus.test)]
    assert sizes == [929_589, 73_760, 82_430]
    assert len(corpus.vocabulary) == 10_000


@given(st.integers(2, 60), st.integers(1, 8), st.integers(1, 12))
def test_every_token_but_the_first_of_each_column_is_predicted_once(length, texts, size):
    text = columns(torch.arange(length * texts), texts)
    assert text.shape == (length, texts)
    found = []
    for read_now, following in pieces(text, size):
        assert read_now.shape == following.shape
        assert (following == read_now + 1).all()
        found += following.flatten().tolist()
    assert sorted(found) == sorted(text[1:].flatten().tolist())


# models


@pytest.mark.parametrize("size", [1, 3, 50])
def test_the_likelihood_is_that_of_reading_on_whatever_the_pieces(size):
    model = LanguageModel("lstm", Dimensions(7, 5, 2), torch.Generator().manual_seed(1), spread=1)
    tokens = torch.randint(0, 7, (60,), generator=torch.Generator().manual_seed(2))
    found = log_likelihood(model, tokens, LanguageRecipe(batch_size=3, bptt=size))
    text = tokens.view(3, 20).t()
    scores, _ = model.eval()(text[:-1], model.start(3))
    wanted = log_softmax(scores, -1).gather(-1, text[1:, :, None]).mean().item()
    assert found == pytest.approx(wanted, abs=1e-6)


PERIODIC = "abcdefgh" * 100


@pytest.mark.parametrize(
    "cell", ["lstm", *(pytest.param(cell, marks=pytest.mark.slow) for cell in CELLS)]
)
def test_what_is_certain_is_learnt(cell):
    made = CELLS[cell]() if cell in CELLS else cell
    corpus = make_corpus([PERIODIC, PERIODIC], "characters")
    recipe = LanguageRecipe(
        epochs=14, units=16, layers=1, batch_size=8, optimizer="adam", learning_rate=0.03
    )
    outcome = train(made, corpus, recipe, Place(), Job(CELLS["enas"](), 0))
    assert math.exp(-outcome.best) < 2  # of eight tokens; by chance it is 8
    again = train(made, corpus, recipe, Place(), Job(CELLS["enas"](), 0))
    assert outcome.curve == again.curve
    assert train(made, corpus, recipe, Place(), Job(CELLS["enas"](), 1)).curve != outcome.curve


def test_a_model_of_matched_size():
    corpus = make_corpus([PERIODIC, PERIODIC], "characters")
    recipe = LanguageRecipe(epochs=1, layers=1, match_parameters=5000)
    cell = CELLS["nascell"]()
    outcome = train(cell, corpus, recipe, Place(), Job(cell, 0))
    assert abs(outcome.metrics["parameters"] - 5000) < 600


def test_a_text_that_is_too_short_is_told():
    corpus = make_corpus(["abcdefgh" * 4, PERIODIC], "characters")
    cell = CELLS["nascell"]()
    with pytest.raises(MetaqnnError, match="32 tokens are too few for 20 pieces"):
        train(cell, corpus, LanguageRecipe(epochs=1), Place(), Job(cell, 0))


TINY = bind_space(
    {
        "space": "recurrent",
        "leaves": 2,
        "combine": ["add", "mult", "max"],
        "activations": ["identity", "tanh", "sigmoid", "relu", "sin"],
    },
    (1,),
    10,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([1.0, 30.0, 1e4, 1e30]),
    st.sampled_from([None, 5.0]),
    st.sampled_from([0.1, 5.0]),
)
def test_no_cell_breaks_a_search(seed, rate, clip, spread):
    """Whatever is trained however: it has a perplexity, or fails and says why."""
    cell = TINY.architecture(random_walk(TINY, np.random.default_rng(seed)))
    text = "abcdefgh" * 12
    recipe = LanguageRecipe(
        epochs=2, units=4, batch_size=4, learning_rate=rate, clip_norm=clip, spread=spread
    )
    evaluator = LanguageEvaluator(
        TextOptions(), recipe, Place(), make_corpus([text, text], "characters")
    )
    outcome = attempt(evaluator, Job(cell, seed % 1000))
    if outcome.error:
        assert re.search("(loss|perplexity) is not finite in epoch [12]$", outcome.error)
    else:
        assert all(1 <= math.exp(-score) < math.inf for score in outcome.curve)


def test_a_perplexity_that_is_none_fails_its_training():
    """The loss is still finite before the last step of the epoch."""
    corpus = make_corpus(["abcdefgh" * 2, "abcdefgh"], "characters")
    cell = CELLS["nascell"]()
    recipe = LanguageRecipe(batch_size=2, units=4, learning_rate=1e30, clip_norm=None)
    with pytest.raises(FloatingPointError, match="the perplexity is not finite in epoch 1"):
        train(cell, corpus, recipe, Place(), Job(cell, 0))


def test_an_hour_is_an_hour():
    corpus = make_corpus([PERIODIC, PERIODIC], "characters")
    recipe = LanguageRecipe(epochs=1000, seconds=0.5, units=8, layers=1)
    cell = CELLS["enas"]()
    outcome = train(cell, corpus, recipe, Place(), Job(cell, 0))
    assert 1 <= len(outcome.curve) < 1000


# the program


def test_the_score_is_read_as_perplexity_or_bits(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one two three\n" * 100)
    words = LanguageOptions(text=TextOptions(dataset=f"text:{file}"))
    task = LanguageEvaluator.task(words, None)
    assert task.score.show(-math.log(4)) == "4.00" and task.score.falls
    assert task.score.show(task.score.chance) == "4.00"  # three words and the end of a line
    letters = LanguageOptions(text=TextOptions(dataset=f"text:{file}", tokens="characters"))
    assert LanguageEvaluator.task(letters, None).score.show(-math.log(4)) == "2.000"
    with pytest.raises(MetaqnnError, match="has images"):
        read(TextOptions(dataset="digits"))


def test_a_cell_is_shown_in_the_words_of_a_space_that_has_it():
    tree = "add tanh, mult relu, " * 2 + "| mult sigmoid, add tanh, add relu "
    tree = tree.replace(", |", " |") + "| inject add relu at 0, memory 1"
    cells = {"recurrent-small": tree, "enas-small": "tanh, relu@0, tanh@1, sigmoid@0"}
    for name, cell in cells.items():
        assert "next h" in call("show", cell, "--space", name).output
        for other in {*cells, "digits"} - {name}:
            refused(call("show", cell, "--space", other), f"{other}: ")
    refused(call("show", "tanh, relu@0", "--space", "enas-small"), "is not complete")


SMALL = ["--epochs", 1, "--units", 8, "--layers", 1, "--device", "cpu", "--quiet"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "space", "form"),
    [
        ("q-learning", "recurrent-small", r"(\w+ \w+, ){3}.*memory \d"),
        ("reinforce", "enas-small", r"\w+(, \w+@\d){3}"),
    ],
)
def test_a_text_of_ones_own_is_searched_for(tmp_path, agent, space, form):
    file = tmp_path / "my text.txt"
    file.write_text("the quick brown fox jumps over the lazy dog\n" * 40)
    options = ["--dataset", file, "--agent", agent, "--budget", 2, "--results-dir", tmp_path]
    done = call("run", *options, "--space", space, *SMALL)
    assert done.exit_code == 0, done.output
    run = tmp_path / "my-text-1"
    shown = json.loads(call("top-k", run, "--format", "json").output)
    assert len(shown) == 2
    assert re.fullmatch(form, shown[0]["network"])
    assert "next h" in call("show", shown[0]["network"]).output
    assert shown[0]["perplexity"] <= shown[1]["perplexity"]
    assert call("report", run).exit_code == 0
    assert "--to model.safetensors" in (run / "report.html").read_text()
    model = tmp_path / "model.safetensors"
    assert call("export", run, "--to", model).exit_code == 0
    refused(
        call("export", run, "--to", tmp_path / "a.pth"), "the suffix must be one of .safetensors"
    )
    assert call("export", run, "--to", tmp_path / "own.py").exit_code == 0
    written = call("generate", model, "--length", 12, "--start", "the quick")
    assert written.stdout.startswith("the quick ") and len(written.stdout.split()) <= 14
    assert call("generate", model, "--length", 12, "--start", "the quick").stdout == written.stdout
    refused(call("generate", model, "--start", "never"), "has never read 'never'")
    scored = json.loads(call("predict", model, file, "--format", "json").output)
    assert scored[0]["tokens"] == 400
    assert 2 < scored[0]["perplexity"] < 15
    refused(call("generate", file), "cannot be read: no .safetensors file of a language model")
    step = tmp_path / "step.onnx"
    assert call("export", run, "--to", step).exit_code == 0
    refused(call("predict", step, file), "a 'language model', no network of images")
    file.write_text("other words\n" * 100)
    refused(call("resume", run, "--budget", 3), "has another text than that of the run")


@pytest.mark.slow
def test_agents_are_compared_on_a_text(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("the quick brown fox jumps over the lazy dog\n" * 40)
    done = call(
        *(
            "compare",
            tmp_path / "c",
            "--agent",
            "random",
            "--agent",
            "evolution",
            "--budgets",
            "1,2",
        ),
        *("--seeds", 1, "--jobs", 1, "--dataset", file, "--space", "enas-small", *SMALL[:-1]),
    )
    assert done.exit_code == 0, done.output
    assert "perplexity, lower is better" in done.stdout
    assert (tmp_path / "c" / "comparison.svg").exists()


def test_trainings_of_a_search_with_a_time_have_a_twelfth_of_it(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("some words\n" * 30)
    given = {"dataset": str(file), "time_limit": "10m"}
    run, _ = plan_run(given)
    planned = plan_search(run, given).config
    assert planned.parts["evaluator"].recipe.seconds == pytest.approx(0.3 * 600 / 12)
    assert (planned.run.agent, planned.run.budget) == ("bayesian", 10_000)
    for own in ({"epochs": 2}, {"seconds": 3.0}):
        run, _ = plan_run({**given, **own})
        assert plan_search(run, {**given, **own}) is run


@pytest.mark.slow
def test_a_text_has_a_model_when_the_time_is_over(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("the quick brown fox jumps over the lazy dog\n" * 400)
    options = ["--dataset", file, "--results-dir", tmp_path, "--units", 8, "--layers", 1]
    options += ["--learning-rate", 0.5, "--token-limit", 2000]
    began = time.monotonic()
    done = call("run", *options, "--device", "cpu", "--time-limit", "25s")
    assert done.exit_code == 0, done.output
    assert time.monotonic() - began < 45  # of which much is not ours where others work too
    assert "is trained anew on the whole text" in done.output
    assert "--final timed-1 --to network.safetensors` takes it home" in done.output
    run, model = tmp_path / "a-1", tmp_path / "model.safetensors"
    assert call("export", run, "--final", "timed-1", "--to", model).exit_code == 0
    assert load_model(model)[0].dimensions.units == 8


@pytest.mark.slow
def test_two_workers_search_for_a_text_and_the_search_goes_on(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("the quick brown fox jumps over the lazy dog\n" * 40)
    options = ["--dataset", file, "--results-dir", tmp_path, "--reward", "nas-ptb"]
    workers = ["--executor", "processes", "--workers", 2]
    done = call("run", *options, *workers, "--budget", 2, *SMALL)
    assert done.exit_code == 0, done.output
    assert call("resume", tmp_path / "a-1", "--budget", 3, "--quiet").exit_code == 0
    found = pd.read_csv(StringIO(call("trials", tmp_path / "a-1").output))
    assert len(found) == 3
    worked = found[found["perplexity"].notna()]
    assert np.allclose(worked["reward"], 80 / worked["perplexity"] ** 2)


def test_a_file_that_claims_to_be_larger_than_it_is_is_not_made(tmp_path):
    model = LanguageModel("rnn", Dimensions(3, 4, 1), torch.Generator().manual_seed(0))
    path = tmp_path / "model.safetensors"
    path.write_bytes(save_model(model, "rnn", ("a", "b", "c"), "words"))
    assert load_model(path)[0].size == model.size
    model.dimensions = Dimensions(3, 400_000, 1)
    path.write_bytes(save_model(model, "rnn", ("a", "b", "c"), "words"))
    with pytest.raises(MetaqnnError, match="fewer weights than its dimensions say"):
        load_model(path)


def test_images_and_texts_are_not_taken_for_each_other(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("some words\n" * 30)
    refused(call("run", "--dataset", f"text:{file}", "--evaluator", "train"), "images are wanted")
    checked = call("check", f"text:{file}")
    assert checked.stdout == "words: 81 to train on, 5 to validate; 3 different ones\n"
    refused(call("run", "--dataset", "digits", "--evaluator", "language"), "a text is wanted")
    refused(call("run", "--dataset", "ptb"), "--data-dir must say")
    for space in ("enas-small", "recurrent-small"):
        refused(call("run", "--dataset", "digits", "--space", space), "cells that read texts")
    for network in ("[SM(10)]", "nasnet-a"):
        told = call("train", network, "--dataset", file)
        refused(told, f"{network} is a network that reads images", "`metaqnn datasets` lists")
    refused(call("train", "[SM(10, LIN]", "--dataset", file), "[SM(10, LIN]")
    for cell in ("nascell", "lstm", "tanh, relu@0"):
        told = call("train", cell, "--dataset", "digits")
        refused(
            told, f"{cell} is a recurrent cell", "digits has images", "ptb, ptb-char, text:FILE"
        )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--image-size", 32), "of the evaluator train, and the evaluator is language"),
        *(
            (("--space", name), "space: its networks read no texts, and the data is one")
            for name in ("digits", "block-qnn-small", "nasnet-small", "macro", "graph")
        ),
        (("--objective", "multiply-adds"), "nothing tells the multiply-adds of the networks"),
        (("--objective", "latency"), "nothing tells the latency of the networks"),
        (("--max-parameters", 1000), "cells that read texts have match-parameters"),
    ],
)
def test_what_is_for_images_is_refused_with_a_text(tmp_path, options, problem):
    file = tmp_path / "own.txt"
    file.write_text("so it goes\n" * 300)
    places = ("--tokens", "characters", "--budget", 1, "--results-dir", tmp_path / "results")
    refused(call("run", "--dataset", file, *places, *options), problem)
    assert not (tmp_path / "results").exists() or not any((tmp_path / "results").iterdir())
