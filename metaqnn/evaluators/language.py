"""The evaluator that trains recurrent cells as language models."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, PositiveInt, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.data.datasets import TEXT, at_home, find_dataset
from metaqnn.data.options import DataSetOptions
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job
from metaqnn.evaluators.best import Best, Scale
from metaqnn.evaluators.trainer import Examination, Lesson, Trainer
from metaqnn.executors.base import Place
from metaqnn.language.presets import NAMES, preset
from metaqnn.language.recipe import SCORES, UNITS, WORDS, LanguageRecipe
from metaqnn.options import Section, fields_of
from metaqnn.registry import resolve
from metaqnn.spaces import NO_TEXTS
from metaqnn.task import Task
from replay import Outcome
from state_space import Architecture, Space, random_walk

if TYPE_CHECKING:
    from metaqnn.language.corpus import Corpus


class TextOptions(DataSetOptions):
    """Which text, and how much of it."""

    HEADING: ClassVar = "Text"

    dataset: str = Field(
        "ptb", description="A text that `metaqnn datasets` lists, or text:FILE; a path alone is it."
    )
    tokens: str = Field(WORDS, description="What a text is read in: words or characters.")
    token_limit: PositiveInt | None = Field(
        None, description="Train on the first so many tokens; validate on a tenth as many."
    )

    @field_validator("tokens")
    @classmethod
    def _known(cls, tokens: str) -> str:
        if tokens not in UNITS:
            raise PydanticCustomError("tokens", f"It must be one of {', '.join(UNITS)}")
        return tokens


class LanguageOptions(Section):
    """Which text, and how models are trained on it."""

    text: TextOptions = TextOptions()
    recipe: LanguageRecipe = LanguageRecipe()

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Write out the defaults of the text.

        Raises:
            MetaqnnError: There is no such text.
        """
        return TextOptions.complete({"dataset": "ptb", **given})

    def read(self) -> dict[str, Any]:
        """What was read of the text, and what it is known by."""
        return {"lines": read(self.text).lines, "fingerprint": _whole(self.text).fingerprint}


@dataclass(frozen=True)
class LanguageEvaluator(Trainer):
    """Trains a language model of a cell; the score is the mean log-likelihood of a token.

    People read it as the perplexity of a word, or the bits of a character.

    Attributes:
        text: Which.
        recipe: The rules.
        place: Where, and with how many threads.
        corpus: The text; None where the worker reads it.
    """

    Options = LanguageOptions
    recipes = NAMES
    anew = ("data_dir", "token_limit", *fields_of(LanguageRecipe))
    whole_data = "the whole text"

    text: TextOptions
    recipe: LanguageRecipe
    place: Place
    corpus: "Corpus | None" = None

    @classmethod
    def task(cls, options: LanguageOptions, made_for: Task, *, trains: bool = True) -> Task:
        """To tell the next token of a text."""
        tokens = len(read(options.text).vocabulary) if trains else made_for.shape[0]
        score = replace(SCORES[options.text.tokens], chance=-log(tokens), high=0.0)
        return Task((tokens,), ("next token",), score)

    @classmethod
    def from_options(
        cls, options: LanguageOptions, space: Space[Any], task: Task, place: Place
    ) -> Self:
        """The evaluator of a run, on the device that is there."""
        if not _has_cells(space):
            raise MetaqnnError(f"space: {NO_TEXTS}")
        return cls(options.text, options.recipe, place)

    @classmethod
    def preset(
        cls, options: LanguageOptions, task: Task, recipe: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """That of the recipe, on the whole text."""
        searched = {**options.recipe.model_dump(), "token_limit": None}
        return preset(recipe, searched, given)

    @classmethod
    def lesson(
        cls,
        options: LanguageOptions,
        network: str | None,
        init_from: Path | None,
        place: Place,
        *,
        final: bool,
    ) -> Lesson:
        """The model of a cell."""
        from metaqnn.evaluators.text_lesson import text_lesson

        return text_lesson(options, network, init_from, place)

    def by(self, recipe: Any) -> Self:
        """The same by another recipe."""
        return replace(self, recipe=recipe)

    def in_full(self) -> Self:
        """The same: what is tested is the model of the best epoch on the validation part."""
        return self

    def examination(self) -> Examination:
        """The test part."""
        from metaqnn.evaluators.examinations import TextExamination

        corpus = read(self.text, test=True)
        if corpus.test is None or len(corpus.test) < 2:
            raise MetaqnnError(
                f"{self.text.dataset}: no two {corpus.unit} of the test part are in the others too"
            )
        return TextExamination(corpus, SCORES[self.text.tokens])

    def tells(self, metric: str) -> bool:
        """What `metaqnn.language.training.train` says of a model; no multiply-adds among it."""
        return metric in ("parameters", "units", "nodes", "edges", "learning_rate", "seconds")

    def plan_search(
        self, seconds: float, network: Architecture, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Trainings that end in time, whatever their epochs."""
        from metaqnn.evaluators.text_time import plan_search  # which imports torch

        return plan_search(seconds, given)

    def plan_last(self, best: Best) -> tuple[dict[str, Any], Scale]:
        """As many epochs of the whole text as fit."""
        from metaqnn.evaluators.text_time import plan_last

        return plan_last(self, best), {}

    @property
    def epochs(self) -> int:  # type: ignore[override]  # read-only, as all of it
        """Those of the recipe."""
        return self.recipe.epochs

    def __call__(self, job: Job) -> Outcome:
        """Train the model of the job's cell."""
        from metaqnn.language.training import train  # torch is imported where models are trained

        corpus = read(self.text) if self.corpus is None else self.corpus
        return train(job.architecture, corpus, self.recipe, self.place, job)

    def data(self) -> Mapping[str, Any]:
        """What was read, and what it is known by."""
        return LanguageOptions(text=self.text, recipe=self.recipe).read()

    def check(self, task: Task, data: Mapping[str, Any] | None = None) -> None:
        """Read the text.

        Raises:
            MetaqnnError: It cannot be read, or is not that for which the run was made.
        """
        there = _whole(self.text).fingerprint
        if data is None:
            return
        made = {name: data["fingerprint"].get(name) for name in there}
        # older runs know the first tokens only, if those were all that they read
        if made not in (there, read(self.text).fingerprint):
            raise MetaqnnError(
                f"{self.text.dataset} has another text than that of the run; metaqnn resume "
                "--dataset says where that is now"
            )

    def with_data(self) -> "LanguageEvaluator":
        """The same, with its text, for a machine that does not have it."""
        return replace(self, corpus=read(self.text))

    @property
    def facts(self) -> Mapping[str, Any]:
        """The device."""
        return {"device": self.place.device}

    @classmethod
    def describe(cls, options: LanguageOptions, task: Task) -> str:
        """The text, and how many different tokens it has."""
        return (
            f"{options.text.dataset}: a text of {task.shape[0]:,} different {options.text.tokens}"
        )

    @classmethod
    def stem(cls, options: LanguageOptions, space: str) -> str:
        """The text's name, or that of its file."""
        return options.text.stem


def _has_cells(space: Space[Any]) -> bool:
    """Whether what a space makes are recurrent cells: one of them tells."""
    from metaqnn.language.notation import read_cell  # torch is imported where models are made

    if space.trainable:
        return False
    try:
        read_cell(space.architecture(random_walk(space, np.random.default_rng(0))).text)
    except MetaqnnError:
        return False
    return True


def read(options: TextOptions, *, test: bool = False) -> "Corpus":
    """The text that options name, as far as they say, with its test part if that is asked for.

    Raises:
        MetaqnnError: It is not there, is no text, or too short.
    """
    entry, path = find_dataset(options.dataset)
    if entry.holds != TEXT:
        raise MetaqnnError(f"{options.dataset} has images, and a text is wanted, such as text:FILE")
    place = path or options.data_dir
    if place is None:
        raise MetaqnnError(f"{options.dataset}: --data-dir must say in which folder its files lie")
    where = at_home(place)
    files = [where, *where.glob("*")] if where.is_dir() else [where]
    state = tuple((str(file), file.stat().st_mtime_ns) for file in files if file.is_file())
    corpus = _read(entry.source, where, options.tokens, state, test=test)
    return corpus if options.token_limit is None else corpus.limited(options.token_limit)


def _whole(options: TextOptions) -> "Corpus":
    """The text without its limit."""
    return read(options.model_copy(update={"token_limit": None}))


@lru_cache(maxsize=2)
def _read(source: str, where: Path, tokens: str, state: tuple[Any, ...], *, test: bool) -> "Corpus":
    """The text; read again only where its files have changed."""
    corpus: Corpus = resolve(source)(where, tokens, test=test)
    return corpus
