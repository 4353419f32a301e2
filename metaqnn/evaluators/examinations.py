"""The test parts of images and of texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from metaqnn.data.check import differences_in_scale
from metaqnn.data.fingerprint import fingerprint
from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.evaluators.trainer import Examination
from metaqnn.language.corpus import Corpus
from metaqnn.language.files import load_model
from metaqnn.language.training import token_probabilities
from metaqnn.metrics.base import Metric
from metaqnn.metrics.tested import test_results
from metaqnn.models.network import load_network, probabilities
from metaqnn.task import Score
from metaqnn.terminal import counted

PIECES = 30
"""A text is cut into so many to see how much it varies."""


@dataclass(frozen=True)
class ImageExamination(Examination):
    """Test images.

    Attributes:
        images: They.
        data: Of which data set.
        metric: Of the search.
    """

    images: Images
    data: DataOptions
    metric: Metric

    @property
    def fingerprint(self) -> Any:
        """That of the images."""
        return fingerprint(self.images).model_dump(exclude_none=True)

    def answer(self, weights: Path, device: torch.device) -> np.ndarray:
        """Shape (images, classes)."""
        network, facts = load_network(weights)
        return probabilities(network, facts, self.images.images, device)

    def measure(self, answers: np.ndarray) -> dict[str, float]:
        """The share of wrong answers, and the metric of the search."""
        return test_results(answers, self.images.labels.numpy(), self.metric)

    def count(self, answers: np.ndarray) -> pd.DataFrame:
        """The columns class, answer and images."""
        names = np.array(self.images.classes)
        pairs = {"class": names[self.images.labels.numpy()], "answer": names[answers.argmax(1)]}
        counts = pd.DataFrame(pairs).value_counts(sort=False)
        return counts.rename("images").reset_index()

    def tell(self, measured: Mapping[str, float]) -> str:
        """The error, and the metric if that is another."""
        error, low, high, *others = measured.values()
        told = [f"test error {error:.2%} on {counted(len(self.images), 'image')}, "]
        told[0] += f"95 % interval {low:.2%} to {high:.2%}"
        return ", ".join([*told, *(f"test {self.metric.name} {value:.2%}" for value in others)])

    def warnings(self) -> list[str]:
        """Where they lie elsewhere than the training images."""
        training, _ = load_split(self.data)
        return [*differences_in_scale(training, self.images, "the test images")]


@dataclass(frozen=True)
class TextExamination(Examination):
    """The test part of a text.

    Attributes:
        corpus: With its test part.
        score: Of the search.
    """

    corpus: Corpus
    score: Score

    @property
    def fingerprint(self) -> Any:
        """That of the tokens."""
        return self.corpus.fingerprint["test"]

    def answer(self, weights: Path, device: torch.device) -> np.ndarray:
        """The probability of every token but the first, read as one text; shape (tokens - 1,)."""
        assert self.corpus.test is not None, "a corpus without is none"
        model, _, _ = load_model(weights)
        return token_probabilities(model.to(device), self.corpus.test.to(device))

    def measure(self, answers: np.ndarray) -> dict[str, float]:
        """The perplexity or bits.

        The interval is that of a mean of pieces of the text in a row (Student's t): tokens near
        each other are not by themselves, pieces nearly are.
        """
        from scipy.stats import t

        found = np.log(answers)
        mean = float(found.mean())
        pieces = [piece.mean() for piece in np.array_split(found, min(PIECES, len(found)))]
        spread = float("nan")
        if len(pieces) > 1:
            error = np.std(pieces, ddof=1) / len(pieces) ** 0.5
            spread = float(t.ppf(0.975, len(pieces) - 1) * error)
        ends = sorted(float(self.score.read(mean + step)) for step in (-spread, spread))
        low, high = ends
        return {self.score.tested: float(self.score.read(mean)), "low": low, "high": high}

    def warnings(self) -> list[str]:
        """Whether it has tokens that no model can know."""
        if not self.corpus.left_out:
            return []
        left_out = counted(self.corpus.left_out, self.corpus.unit[:-1])
        return [f"left out of the test part: {left_out} that the other parts do not have"]

    def tell(self, measured: Mapping[str, float]) -> str:
        """The perplexity or bits, and the interval."""
        assert self.corpus.test is not None, "a corpus without is none"
        value, low, high = (self.score.show_tested(value) for value in measured.values())
        name = self.score.tested.replace("_", " ")
        return f"{name} {value} on {len(self.corpus.test):,} tokens, 95 % interval {low} to {high}"
