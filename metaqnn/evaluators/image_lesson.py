"""A network of images that is trained by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from metaqnn.data.datasets import TEXT, names_of
from metaqnn.data.parts import load_split
from metaqnn.device import resolve_device, use_threads
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job
from metaqnn.evaluators.train import TrainEvaluator
from metaqnn.evaluators.train_options import TrainOptions
from metaqnn.evaluators.trainer import Examination, Lesson
from metaqnn.executors.base import Place
from metaqnn.language.description import is_cell
from metaqnn.metrics.base import METRICS
from metaqnn.models.formats import FORMATS, export
from metaqnn.models.network import load_network
from metaqnn.models.targets import check_target
from metaqnn.models.transfer import transferable, with_classes
from metaqnn.networks.cost import check_scores, total_cost
from metaqnn.networks.notation import find_network
from metaqnn.terminal import counted
from metaqnn.training.loop import train
from metaqnn.training.settings import with_settings
from metaqnn.training.threads import choose_threads
from replay import Outcome
from state_space import Architecture
from state_space.notation import NotationError


@dataclass(frozen=True)
class ImageLesson(Lesson):
    """A network with as many classes as the data set.

    Attributes:
        architecture: What is trained.
        options: Data set, recipe and metric.
        place: Where.
        final: It learns from the validation images too, and the weights are those of the end.
        start: Weights to begin with.
        notes: See `Lesson`.
    """

    architecture: Architecture
    options: TrainOptions
    place: Place
    final: bool
    start: Mapping[str, Tensor]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:  # type: ignore[override]  # read-only, as all of it
        """Its text."""
        return self.architecture.text

    @property
    def epochs(self) -> int:  # type: ignore[override]  # likewise
        """Those of the recipe, or what the network itself sets."""
        return with_settings(self.options.recipe, self.architecture.settings).epochs

    def train(self, job: Job) -> Outcome:
        """With the recipe."""
        training, validation = load_split(self.options.data)
        if self.final:
            training = training.join(validation)
        device = torch.device(resolve_device(self.place.device))
        recipe = self.options.recipe
        threads = choose_threads(self.place.threads, device, training.shape, recipe.batch_size)
        with use_threads(threads):
            return train(
                self.architecture,
                training.to(device),
                validation.to(device),
                recipe,
                job.seed,
                keep_above=job.keep_above,
                keep_last=self.final,
                start=self.start,
                stopping=job.stopping,
                metric=METRICS.find(self.options.metric),
            )

    def tell(self, outcome: Outcome) -> str:
        """Parameters, multiply-adds and time."""
        metrics = outcome.metrics
        return (
            f"{metrics['parameters']:,} parameters, {metrics['multiply_adds']:,} multiply-adds an "
            f"image, {counted(len(outcome.curve), 'epoch')} in {metrics['seconds']:.1f} s"
        )

    def warnings(self, outcome: Outcome) -> list[str]:
        """Whether it has learnt nothing."""
        if "at_chance" not in outcome.metrics:
            return []
        return [
            f"{self.name} stayed at chance, also with the rate at "
            f"{outcome.metrics['learning_rate']:.2g}; try another --learning-rate, a smaller "
            "--batch-size or more --epochs"
        ]

    def examination(self) -> Examination | None:
        """The test images."""
        options = self.options
        evaluator = TrainEvaluator(options.data, options.recipe, self.place, options.metric)
        return evaluator.examination()

    def show(self, score: float) -> str:
        """The metric."""
        return f"validation {METRICS.find(self.options.metric).name} {score:.2%}"

    def check_target(self, target: Path) -> None:
        """In one of `metaqnn.models.formats.FORMATS`."""
        check_target(FORMATS, target)

    def write(self, weights: Path, target: Path) -> None:
        """Likewise."""
        export(*load_network(weights), target)


def image_lesson(
    options: TrainOptions, network: str | None, init_from: Path | None, place: Place, *, final: bool
) -> ImageLesson:
    """The lesson of a network; see `metaqnn.evaluators.trainer.Trainer.lesson`."""
    training, _ = load_split(options.data)
    notes = []
    source = None if init_from is None else load_network(init_from)[0]
    if network is not None:
        try:
            asked = find_network(network)
        except NotationError as error:
            if is_cell(network):
                raise MetaqnnError(
                    f"{network} is a recurrent cell, which reads texts, and {options.data.dataset} "
                    f"has images; --dataset takes of texts {names_of(TEXT)}"
                ) from None
            raise MetaqnnError(str(error)) from None
    elif source is not None:
        asked = source.architecture
    else:
        raise MetaqnnError("say which NETWORK to train, or with --init-from where to find one")
    architecture = with_classes(asked, len(training.classes))
    if architecture != asked:
        had = options.data.dataset
        notes.append(
            f"its heads get {counted(len(training.classes), 'class', 'classes')}, as {had} has"
        )
    check_scores(architecture, len(training.classes))
    total_cost(architecture, training.shape)
    with_settings(options.recipe, architecture.settings)
    start: dict[str, Tensor] = {}
    if source:
        start = transferable(source, options.recipe.dress(architecture), training.shape)
        notes.append(
            counted(len(start), f"tensor of {init_from} is", f"tensors of {init_from} are")
            + " taken along"
        )
    return ImageLesson(architecture, options, place, final, start, tuple(notes))
