"""Language models begin with the weights of others."""

import pytest
import torch
from click.testing import CliRunner

from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.language.corpus import make_corpus
from metaqnn.language.files import save_model
from metaqnn.language.model import Dimensions, LanguageModel
from metaqnn.language.named import CELLS
from metaqnn.language.transfer import transferable
from tests.helpers.commands import refused

LETTERS = make_corpus(["abcd" * 20, "abcd"], "characters")
OTHERS = make_corpus(["wxyz" * 20, "wxyz"], "characters")


@pytest.fixture
def model(tmp_path):
    """Two layers of ENAS's cell that know four letters, and their file."""
    made = LanguageModel(CELLS["enas"](), Dimensions(4, 5, 2), torch.Generator().manual_seed(0))
    path = tmp_path / "model.safetensors"
    path.write_bytes(save_model(made, CELLS["enas"](), LETTERS.vocabulary, "characters"))
    return made, path


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("corpus", [LETTERS, OTHERS])
def test_all_that_fits_is_taken_along(model, corpus, layers, tied):
    source, path = model
    wanted = Dimensions(4, 5, layers, tied)
    start = transferable(path, CELLS["enas"](), wanted, corpus)
    made = LanguageModel(CELLS["enas"](), wanted, torch.Generator().manual_seed(1))
    made.load_state_dict(start, strict=False)
    known = source.state_dict()
    for name, value in made.state_dict().items():
        fits = name in known if name.startswith("layers.") else corpus is LETTERS
        assert (name in start) == fits
        if fits:
            assert torch.equal(value, known[name])


def test_another_cell_or_size_is_told(model):
    _, path = model
    with pytest.raises(MetaqnnError, match="another cell: .*HIGHWAY"):
        transferable(path, "lstm", Dimensions(4, 5, 2), LETTERS)
    with pytest.raises(MetaqnnError, match="5 units, and this one would have 6: give --units 5"):
        transferable(path, CELLS["enas"](), Dimensions(4, 6, 2), LETTERS)


def test_a_model_goes_on_where_another_stopped(tmp_path):
    file, target = tmp_path / "a.txt", tmp_path / "model.safetensors"
    file.write_text("abcdefgh" * 200)

    def train(*arguments):
        options = ["--dataset", file, "--tokens", "characters", "--units", 8, "--layers", 1]
        options += ["--epochs", 6, "--batch-size", 8, "--optimizer", "adam"]
        options += ["--learning-rate", 0.03, "--device", "cpu", *arguments]
        return CliRunner().invoke(main, ["train", *map(str, options)])

    def bits(done):
        assert done.exit_code == 0, done.output
        return float(done.stdout.rsplit("character ", 1)[1].split()[0])

    cell = "tanh, relu@0"
    first = bits(train(cell, "--to", target))
    told = train("--init-from", target, "--epochs", 1)
    assert bits(told) < first + 0.3 and "are taken along\n" in told.stderr
    assert bits(train(cell, "--epochs", 1)) > bits(told) + 1
    file.write_text("ijklmnop" * 200)
    assert "embeddings and softmax begin anew" in train("--init-from", target).stderr
    refused(train("lstm", "--init-from", target), "another cell")
    refused(train("--init-from", target, "--units", 9), "give --units 8")
    refused(train("--init-from", file), "cannot be read")
