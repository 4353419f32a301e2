"""A language model that is trained by itself."""

from dataclasses import dataclass
from pathlib import Path

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job
from metaqnn.evaluators.language import LanguageEvaluator, LanguageOptions, read
from metaqnn.evaluators.trainer import Examination, Lesson
from metaqnn.executors.base import Place
from metaqnn.language.formats import check_target, export
from metaqnn.language.notation import find_cell
from metaqnn.language.recipe import SCORES
from metaqnn.language.training import train
from replay import Outcome
from state_space import Architecture


@dataclass(frozen=True)
class TextLesson(Lesson):
    """The model of a cell; its weights are those of the best epoch on the validation part.

    Attributes:
        name: Of the cell, as it was given.
        cell: See `metaqnn.language.model.LanguageModel`.
        options: Text and recipe.
        place: Where.
        notes: See `Lesson`.
    """

    name: str
    cell: Architecture | str
    options: LanguageOptions
    place: Place
    notes: tuple[str, ...] = ()

    @property
    def epochs(self) -> int:  # type: ignore[override]  # read-only, as all of it
        """Those of the recipe."""
        return self.options.recipe.epochs

    def train(self, job: Job) -> Outcome:
        """With the recipe."""
        return train(self.cell, read(self.options.text), self.options.recipe, self.place, job)

    def tell(self, outcome: Outcome) -> str:
        """Parameters, units and time."""
        metrics = outcome.metrics
        return (
            f"{metrics['parameters']:,} parameters, {metrics['units']:,} units, "
            f"{len(outcome.curve)} epochs in {metrics['seconds']:.1f} s"
        )

    def show(self, score: float) -> str:
        """Perplexity, or bits a character."""
        known = SCORES[self.options.text.tokens]
        return f"validation {known.name.removeprefix('validation ')} {known.show(score)}"

    def examination(self) -> Examination:
        """The test part."""
        return LanguageEvaluator(self.options.text, self.options.recipe, self.place).examination()

    def check_target(self, target: Path) -> None:
        """In one of `metaqnn.language.formats.FORMATS`."""
        check_target(target)

    def write(self, weights: Path, target: Path) -> None:
        """Likewise."""
        export(weights, target)


def text_lesson(
    options: LanguageOptions, cell: str | None, init_from: Path | None, place: Place
) -> TextLesson:
    """The lesson of a cell; see `metaqnn.evaluators.trainer.Trainer.lesson`."""
    if init_from is not None:
        raise MetaqnnError(f"init-from is {init_from}: only networks of images begin with others")
    if cell is None:
        raise MetaqnnError("say which cell to train: lstm, gru, rnn, nascell, or a cell's text")
    found = find_cell(cell)
    read(options.text)
    return TextLesson(cell, found, options, place)
