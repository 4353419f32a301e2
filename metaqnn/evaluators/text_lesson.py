"""A language model that is trained by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job
from metaqnn.evaluators.language import LanguageEvaluator, LanguageOptions, read
from metaqnn.evaluators.trainer import Examination, Lesson
from metaqnn.executors.base import Place
from metaqnn.language.files import cell_of, load_model
from metaqnn.language.formats import FORMATS, export
from metaqnn.language.notation import find_cell
from metaqnn.language.recipe import SCORES
from metaqnn.language.training import dimensions_of, train
from metaqnn.language.transfer import LAYERS, transferable
from metaqnn.models.targets import check_target
from metaqnn.networks.notation import find_network
from metaqnn.terminal import counted
from replay import Outcome
from state_space import Architecture
from state_space.notation import NotationError


@dataclass(frozen=True)
class TextLesson(Lesson):
    """The model of a cell; its weights are those of the best epoch on the validation part.

    Attributes:
        name: Of the cell, as it was given.
        cell: See `metaqnn.language.model.LanguageModel`.
        options: Text and recipe.
        place: Where.
        notes: See `Lesson`.
        start: Weights to begin with.
    """

    name: str
    cell: Architecture | str
    options: LanguageOptions
    place: Place
    notes: tuple[str, ...] = ()
    start: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def epochs(self) -> int:  # type: ignore[override]  # read-only, as all of it
        """Those of the recipe."""
        return self.options.recipe.epochs

    def train(self, job: Job) -> Outcome:
        """With the recipe."""
        options = self.options
        corpus = read(options.text)
        return train(self.cell, corpus, options.recipe, self.place, job, self.start)

    def tell(self, outcome: Outcome) -> str:
        """Parameters, units and time."""
        metrics = outcome.metrics
        return (
            f"{metrics['parameters']:,} parameters, {counted(int(metrics['units']), 'unit')}, "
            f"{counted(len(outcome.curve), 'epoch')} in {metrics['seconds']:.1f} s"
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
        check_target(FORMATS, target)

    def write(self, weights: Path, target: Path) -> None:
        """Likewise."""
        export(weights, target)


def text_lesson(
    options: LanguageOptions, cell: str | None, init_from: Path | None, place: Place
) -> TextLesson:
    """The lesson of a cell; see `metaqnn.evaluators.trainer.Trainer.lesson`."""
    corpus = read(options.text)
    if init_from is None:
        if cell is None:
            raise MetaqnnError("say which cell to train: lstm, gru, rnn, nascell, or a cell's text")
        return TextLesson(cell, _find(cell, options), options, place)
    load_model(init_from)  # which tells what else it may be
    found = cell_of(init_from) if cell is None else _find(cell, options)
    name = cell or (found if isinstance(found, str) else found.text)
    dimensions = dimensions_of(found, corpus, options.recipe)
    start = transferable(init_from, found, dimensions, corpus)
    note = (
        counted(len(start), f"tensor of {init_from} is", f"tensors of {init_from} are")
        + " taken along"
    )
    if all(tensor.startswith(LAYERS) for tensor in start):
        note += "; its tokens are others, so that embeddings and softmax begin anew"
    return TextLesson(name, found, options, place, (note,), start)


def _find(cell: str, options: LanguageOptions) -> Architecture | str:
    try:
        return find_cell(cell)
    except MetaqnnError as error:
        try:
            find_network(cell)
        except NotationError:
            raise error from None
        raise MetaqnnError(
            f"{cell} is a network that reads images, and {options.text.dataset} is a text; "
            "`metaqnn datasets` lists those of images"
        ) from None
