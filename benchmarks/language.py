"""Language models on Penn Treebank beside what was published of them.

    python benchmarks/language.py zaremba --data-dir FOLDER --minutes 60 --out results/published

`zaremba` trains the small LSTM of Zaremba, Sutskever & Vinyals 2014 by its recipe on the whole of
Penn Treebank, in so many minutes as far as they go, on one core. ptb.md has the perplexity after
every epoch, written anew after each, and at last that of the test part, with the weights of the
best epoch on the validation part.
"""

import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pandas as pd

from metaqnn.evaluators.base import Job
from metaqnn.executors.base import Place
from metaqnn.language.corpus import Corpus, read_ptb
from metaqnn.language.files import load_model
from metaqnn.language.named import CELLS
from metaqnn.language.presets import RECIPES
from metaqnn.language.recipe import WORDS, LanguageRecipe
from metaqnn.language.training import log_likelihood, train
from metaqnn.stopping.base import Progress

PUBLISHED = {"validation perplexity": "121.39", "test perplexity": "115.91"}
"""After 13 epochs, as TensorFlow's implementation of the paper's authors says."""


class Curve:
    """The rows of the table, written after every epoch but the last, which `train` returns."""

    def __init__(self, recipe: LanguageRecipe, minutes: float, file: Path) -> None:
        """Begin now."""
        self.recipe, self.limit, self.file = recipe, minutes, file
        self.began = time.monotonic()
        self.rows: list[dict[str, str]] = []

    def add(self, score: float) -> None:
        """Take in the score of an epoch."""
        epoch, minutes = len(self.rows), (time.monotonic() - self.began) / 60
        cut = ", in which the time was over" if minutes > self.limit else ""
        self.rows.append(
            {
                "epoch": f"{epoch + 1}{cut}",
                "rate": f"{self.recipe.rate(epoch):g}",
                "minutes": f"{minutes:.1f}",
                "validation perplexity": f"{math.exp(-score):.2f}",
                "test perplexity": "",
            }
        )
        click.echo(self.rows[-1])
        self.write()

    def end(self, epoch: int, perplexity: float) -> None:
        """Take in the perplexity of the test part after an epoch, counted from 0."""
        self.rows[epoch]["test perplexity"] = f"{perplexity:.2f}"
        self.write()

    def write(self) -> None:
        """Write the table anew."""
        rows = pd.DataFrame([*self.rows, {"epoch": "published, 13 epochs", **PUBLISHED}])
        self.file.write_text(rows.fillna("").to_markdown(index=False, disable_numparse=True) + "\n")

    def __call__(self, progress: Progress) -> None:
        """As a rule that ends no training."""
        self.add(progress.curve[-1])


def score_test(weights: bytes, corpus: Corpus) -> float:
    """The perplexity of the test part, read as one text."""
    assert corpus.test is not None, "it was asked for"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(weights)
        model, _, _ = load_model(path)
    return math.exp(-log_likelihood(model, corpus.test, LanguageRecipe(batch_size=1, bptt=100)))


@click.group()
def main() -> None:
    """Train language models, and write tables beside what was published."""


@main.command()
@click.option("--data-dir", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", type=float, default=60, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/published"))
def zaremba(data_dir: Path, minutes: float, out: Path) -> None:
    """Train the small LSTM, and write ptb.md."""
    corpus = read_ptb(data_dir, WORDS, test=True)
    recipe = LanguageRecipe(**{**RECIPES["zaremba-small"], "seconds": 60 * minutes})
    curve = Curve(recipe, minutes, out / "ptb.md")
    # the job's architecture counts for nothing where a cell is torch's own
    job = Job(CELLS["nascell"](), 0, -math.inf, curve)
    outcome = train("lstm", corpus, recipe, Place(), job)
    if len(curve.rows) < len(outcome.curve):
        curve.add(outcome.curve[-1])
    assert outcome.weights is not None, "every epoch is kept that is the best so far"
    curve.end(outcome.curve.index(outcome.best), score_test(outcome.weights, corpus))
    click.echo(f"{outcome.metrics['parameters']:,} weights; {out / 'ptb.md'}")


if __name__ == "__main__":
    main()
