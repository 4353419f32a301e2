"""What trained language models are used for."""

import json
import math
import re

import pytest
import torch
from click.testing import CliRunner

import metaqnn
from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.language.corpus import END, UNKNOWN
from metaqnn.language.files import save_model
from metaqnn.language.formats import export
from metaqnn.language.model import Dimensions, LanguageModel
from metaqnn.language.use import NeverRead
from tests.helpers.commands import refused

LETTERS = ("a", "b", "c", "\n")
WORDS = ("the", "end", END)


def written(folder, vocabulary=LETTERS, unit="characters", spread=0.0, likely=None):
    """The file of a model, which without spread finds all tokens equally likely."""
    dimensions = Dimensions(len(vocabulary), 4, 1)
    model = LanguageModel("rnn", dimensions, torch.Generator().manual_seed(1), spread=spread)
    if likely is not None:
        model.bias.data[vocabulary.index(likely)] = 100
    path = folder / "model.safetensors"
    path.write_bytes(save_model(model, "rnn", vocabulary, unit))
    return path


def call(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize(
    ("vocabulary", "unit", "text"),
    [
        (LETTERS, "characters", "abc\ncab"),
        (WORDS, "words", "the end\nthe end\n"),
        ((*WORDS, UNKNOWN), "words", "the other end\nnever read\n"),
    ],
)
def test_who_knows_nothing_is_as_perplexed_as_there_are_tokens(tmp_path, vocabulary, unit, text):
    model = metaqnn.load(written(tmp_path, vocabulary, unit))
    assert model.perplexity(text) == pytest.approx(len(vocabulary))
    assert model.bits(text) == pytest.approx(math.log2(len(vocabulary)))
    assert repr(model) == f"<language model of rnn: {len(vocabulary)} different {unit}>"


def test_the_perplexity_is_that_of_the_probabilities_step_by_step(tmp_path):
    model = metaqnn.load(str(written(tmp_path, spread=2)))
    text, state, surprise = "abcabba\nc", model.network.start(1), 0.0
    for now, following in zip(text, text[1:], strict=False):
        step = torch.tensor([[LETTERS.index(now)]])
        with torch.no_grad():
            scores, state = model.network(step, state)
        surprise -= math.log(scores[0, 0].softmax(0)[LETTERS.index(following)])
    assert model.perplexity(text) == pytest.approx(math.exp(surprise / (len(text) - 1)), rel=1e-5)


def test_what_is_likely_is_written(tmp_path):
    model = metaqnn.load(written(tmp_path, likely="b"))
    assert model.generate(5) == "bbbbb"
    assert model.generate(3, start="a\nc") == "a\ncbbb"
    assert len(set(model.generate(300, temperature=1e6))) == 4
    other = metaqnn.load(written(tmp_path, (*WORDS, UNKNOWN), "words", likely=UNKNOWN))
    assert UNKNOWN not in other.generate(50)
    assert other.generate(4, seed=1) == other.generate(4, seed=1)
    assert other.generate(2, start="the end").startswith("the end")
    for wrong in ({"length": 0}, {"temperature": 0.0}, {"start": 3}):
        with pytest.raises(MetaqnnError):
            model.generate(**wrong)


def test_what_a_model_has_never_read_is_left_out_and_counted(tmp_path):
    path = written(tmp_path, spread=2)
    model = metaqnn.load(path)
    with pytest.warns(NeverRead, match=r"^left out: 3 of 9 characters, .* 'x', '€', first in l"):
        found = model.perplexity("ab\nxcxa€b")
    assert found == model.perplexity("ab\ncab")
    (tmp_path / "a.txt").write_text("ab\nxcxa€b", encoding="utf-8")
    done = call("predict", path, tmp_path / "a.txt", "--format", "json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)[0]["tokens"] == 6
    assert re.search(
        r"^warning: .*a\.txt: left out: 3 of 9 .*'x', '€', first in line 2;", done.stderr
    )
    (tmp_path / "b.txt").write_text("xxyya")
    refused(call("predict", path, tmp_path / "b.txt"), "b.txt: the text is too short", "has 1")
    refused(call("generate", path, "--start", "abx"), "never read 'x', number 3 of its characters")
    words = metaqnn.load(written(tmp_path, WORDS, "words"))
    with pytest.warns(NeverRead, match="left out: 2 of 9 words.* 'new', first in line 3; "):
        assert words.perplexity("the\nend\nnew the new end") == pytest.approx(3)


def test_a_source_says_what_reads_its_model(tmp_path):
    export(written(tmp_path), tmp_path / "own.py")
    (tmp_path / "a.txt").write_text("abc")
    refused(call("predict", tmp_path / "own.py", tmp_path / "a.txt"), "say --trust")
    told = call("predict", tmp_path / "own.py", "--trust", tmp_path / "a.txt")
    refused(told, "own.py cannot be read: ", "read a language model as .safetensors, which lies be")
    assert call("predict", tmp_path / "own.safetensors", tmp_path / "a.txt").exit_code == 0
