"""The evaluator that trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from metaqnn.agents.base import Signals
from metaqnn.data.datasets import find_dataset
from metaqnn.data.options import DataOptions
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job
from metaqnn.evaluators.best import Best, Scale
from metaqnn.evaluators.train_options import TrainOptions
from metaqnn.evaluators.trainer import Examination, Lesson, Trainer
from metaqnn.executors.base import Place
from metaqnn.metrics.base import METRICS
from metaqnn.options import fields_of
from metaqnn.task import Task
from metaqnn.training.presets import NAMES, PRACTICAL, preset
from metaqnn.training.recipe import Recipe
from replay import Outcome
from state_space import Architecture, Space

if TYPE_CHECKING:
    from metaqnn.data.images import Images
    from metaqnn.models.model import Facts
    from metaqnn.training.job import Packed

MOST_NAMED = 12
"""So many classes at most are named."""


@dataclass(frozen=True)
class TrainEvaluator(Trainer):
    """Trains a network on a data set by a recipe; the score is the metric on validation images.

    Attributes:
        images: Which.
        recipe: The rules.
        place: Where, and with how many threads.
        metric: The name of one of `METRICS`.
        whole: Train on all training images, those for validation too, so that the score counts
            for nothing; the weights are those of the last epoch.
        packed: The training and validation images; None where the worker loads them.
    """

    Options = TrainOptions
    recipes = NAMES
    search_recipes = (PRACTICAL,)
    anew = ("data_dir", "train_limit", *fields_of(Recipe))
    keeps_last = True
    whole_data = "all images"

    images: DataOptions
    recipe: Recipe
    place: Place
    metric: str = "accuracy"
    whole: bool = False
    packed: "tuple[Packed, Packed] | None" = field(default=None, compare=False, repr=False)

    @classmethod
    def task(cls, options: TrainOptions, made_for: Task, *, trains: bool = True) -> Task:
        """To tell the classes of the data set's images."""
        metric = METRICS.find(options.metric)
        entry, _ = find_dataset(options.data.dataset)
        if not trains and entry.shape and entry.classes:
            size = options.data.image_size or entry.shape[1]
            names = tuple(map(str, range(entry.classes)))
            return Task((entry.shape[0], size, size), names, metric.score(len(names)))
        from metaqnn.data.parts import load_split

        training, _ = load_split(options.data)
        classes = training.classes
        return Task(training.shape, classes, metric.score(len(classes)))

    @classmethod
    def from_options(
        cls, options: TrainOptions, space: Space[Any], task: Task, place: Place
    ) -> Self:
        """The evaluator of a run, on the device that is there."""
        if not space.trainable:
            raise MetaqnnError(
                "the networks of this space cannot be built, only looked up: --evaluator table; or "
                "they are cells that read texts: --dataset text:FILE"
            )
        return cls(options.data, options.recipe, place, options.metric)

    @classmethod
    def preset(
        cls, options: TrainOptions, task: Task, recipe: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """That of images of the task's size, on all of them."""
        searched = {**options.recipe.model_dump(), "train_limit": None, "epoch_images": None}
        return preset(recipe, searched, task.shape[1], given)

    @classmethod
    def lesson(
        cls,
        options: TrainOptions,
        network: str | None,
        init_from: Path | None,
        place: Place,
        *,
        final: bool,
    ) -> Lesson:
        """A network that may begin with the weights of another."""
        from metaqnn.evaluators.image_lesson import image_lesson

        return image_lesson(options, network, init_from, place, final=final)

    def by(self, recipe: Any) -> Self:
        """The same by another recipe."""
        return replace(self, recipe=recipe)

    def in_full(self) -> Self:
        """On the validation images too."""
        return replace(self, whole=True)

    def examination(self) -> Examination | None:
        """The test images."""
        from metaqnn.data.parts import load
        from metaqnn.evaluators.examinations import ImageExamination

        images = load(self.images, "test")
        if images is None:
            return None
        return ImageExamination(images, self.images, METRICS.find(self.metric))

    def plan_search(
        self, seconds: float, network: Architecture, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """So many epochs of so many images as an epoch of the network takes seconds."""
        from metaqnn.evaluators.image_time import plan_search  # which imports torch

        return plan_search(self, seconds, network, given)

    def plan_last(self, best: Best) -> tuple[dict[str, Any], Scale]:
        """On all images; wider, where enough epochs fit then too."""
        from metaqnn.evaluators.image_time import plan_last

        return plan_last(self, best)

    def noise(self, score: float) -> float:
        """That of shares of the validation images."""
        from metaqnn.evaluators.image_time import noise

        return noise(self, score)

    def calibration(self) -> "tuple[Images, Images | None]":
        """Its images."""
        from metaqnn.data.parts import load, load_split

        training, _ = load_split(self.images)
        return training, load(self.images, "test")

    @property
    def options(self) -> TrainOptions:
        """What it is made of."""
        return TrainOptions(metric=self.metric, data=self.images, recipe=self.recipe)

    @property
    def epochs(self) -> int:  # type: ignore[override]  # read-only, as all of it
        """Those of the recipe."""
        return self.recipe.epochs

    def __call__(self, job: Job) -> Outcome:
        """Train the job's network."""
        from metaqnn.training.job import run_job  # torch is imported where networks are trained

        return run_job(self, job)

    def data(self) -> Mapping[str, Any]:
        """What was read of the data set, and what it is known by."""
        from metaqnn.data.summary import summarise

        summary = summarise(self.images)
        return {"lines": summary.lines, "fingerprint": dict(summary.fingerprint)}

    def check(self, task: Task, data: Mapping[str, Any] | None = None) -> None:
        """Load the images.

        Raises:
            MetaqnnError: They cannot be loaded, or are not those for which the run was made.
        """
        try:
            there = self.task(self.options, task)
        except MetaqnnError as error:
            if data is None:
                raise
            raise MetaqnnError(
                f"{error}; where the data lie elsewhere now, metaqnn resume --dataset says so"
            ) from None
        if (there.shape, len(there.outputs)) != (task.shape, len(task.outputs)):
            raise MetaqnnError(
                f"{self.images.dataset} has images of shape {there.shape} in "
                f"{len(there.outputs)} classes; the run was made for {task.shape} in "
                f"{len(task.outputs)}"
            )
        if data is not None:
            from metaqnn.data.fingerprint import differences, read_fingerprint
            from metaqnn.data.summary import summarise

            there_now = summarise(self.images)
            made, now = map(read_fingerprint, (data["fingerprint"], there_now.fingerprint))
            if told := differences(made, now):
                told += [there_now.problem] if there_now.problem else []
                raise MetaqnnError(
                    f"{self.images.dataset} has other data than those of the run: "
                    f"{'; '.join(told)}; metaqnn resume --dataset says where those are now"
                )

    def signals(self) -> Signals:
        """Those of `metaqnn.networks.zero_cost`, by some of the training images."""
        from metaqnn.training.signals import ZeroCost

        return ZeroCost(self.images, contrast=self.recipe.contrast)

    def export_facts(self, network: str, task: Task) -> "Facts":
        """It may bring every image to mean 0 and deviation 1, which takes its time."""
        return replace(super().export_facts(network, task), contrast=self.recipe.contrast)

    def with_data(self) -> "TrainEvaluator":
        """The same, with its images, for a machine that does not have them."""
        from metaqnn.training.job import pack_split

        return replace(self, packed=pack_split(self.images))

    @property
    def facts(self) -> Mapping[str, Any]:
        """The device."""
        return {"device": self.place.device}

    @classmethod
    def describe(cls, options: TrainOptions, task: Task) -> str:
        """The data set, its images and classes."""
        shape = "×".join(map(str, task.shape))
        classes = task.outputs
        named = ", ".join(classes[:MOST_NAMED]) + ", …" * (len(classes) > MOST_NAMED)
        return f"{options.data.dataset}: images of {shape} in {len(classes)} classes ({named})"

    @classmethod
    def stem(cls, options: TrainOptions, space: str) -> str:
        """The data set's name, or that of its file or folder."""
        return options.data.stem
