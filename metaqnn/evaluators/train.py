"""The evaluator that trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch

from metaqnn.config import RunConfig
from metaqnn.data.images import Images
from metaqnn.data.parts import load_split
from metaqnn.data.preparation import Preparation
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.networks.cost import Shape
from metaqnn.sections import DataConfig
from metaqnn.training.device import resolve_device, use_threads
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from replay import Outcome
from state_space import Space

Packed = tuple[np.ndarray, np.ndarray, tuple[str, ...], Preparation]
"""What `Images` has, as arrays, which processes of a machine can share."""


@dataclass(frozen=True)
class TrainEvaluator(Evaluator):
    """Trains a network on a data set by a recipe; the score is validation accuracy.

    Attributes:
        data: Which images.
        recipe: The rules.
        device: Where, as a worker calls it.
        threads: On CPUs; None leaves it to PyTorch, which takes all cores.
        shares_device: Other workers train on the same GPU, so memory is given back.
        whole: Train on all training images, those for validation too, so that the accuracy counts
            for nothing; the weights are those of the last epoch.
        packed: The training and validation images; None where the worker loads them.
    """

    data: DataConfig
    recipe: Recipe
    device: str
    threads: int | None = None
    shares_device: bool = False
    whole: bool = False
    packed: tuple[Packed, Packed] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_config(cls, config: RunConfig, space: Space[Any], input_shape: Shape) -> Self:
        """The evaluator of a run, on the device that is there."""
        if not space.trainable:
            raise MetaqnnError(
                f"the networks of {config.space} cannot be built, only looked up: --evaluator table"
            )
        execution = config.execution
        in_process = execution.executor == "in-process"
        return cls(
            config.data,
            config.recipe,
            _worker_device(config.device, execution.executor),
            execution.threads or (None if in_process else 1),
            execution.slots_per_gpu > 1,
        )

    def __call__(self, job: Job) -> Outcome:
        """Train the job's network."""
        training, validation = _split_on_device(self)
        try:
            with use_threads(self.threads):
                return train(
                    job.architecture,
                    training,
                    validation,
                    self.recipe,
                    job.seed,
                    keep_above=job.keep_above,
                    keep_last=self.whole,
                    stopping=job.stopping,
                )
        finally:
            if self.shares_device:
                torch.cuda.empty_cache()

    def with_data(self) -> "TrainEvaluator":
        """The same, with its images, for a machine that does not have them."""
        training, validation = load_split(self.data)
        return replace(self, packed=(_pack(training), _pack(validation)))

    @property
    def facts(self) -> Mapping[str, Any]:
        """The device."""
        return {"device": self.device}


def _worker_device(name: str, executor: str) -> str:
    """The device of the run as a worker calls it, which may see but one of several GPUs.

    Raises:
        MetaqnnError: There is no such device, or it cannot be chosen.
    """
    if executor != "ray":
        device = resolve_device(name)
        return "cuda:0" if executor == "processes" and device.startswith("cuda") else device
    if name not in ("auto", "cpu", "cuda"):
        raise MetaqnnError(f"device is {name!r}, but ray chooses GPUs itself: auto, cpu or cuda")
    return name  # the driver's machine need not have what the workers' machines have


@lru_cache(maxsize=1)
def _split_on_device(evaluator: TrainEvaluator) -> tuple[Images, Images]:
    device = torch.device(resolve_device(evaluator.device))
    if evaluator.packed is None:
        training, validation = load_split(evaluator.data)
    else:
        training, validation = map(_unpack, evaluator.packed)
    if evaluator.whole:
        training = training.join(validation)
    return training.to(device), validation.to(device)


def _pack(images: Images) -> Packed:
    return images.images.numpy(), images.labels.numpy(), images.classes, images.preparation


def _unpack(packed: Packed) -> Images:
    images, labels, classes, preparation = packed
    # copies, since shared memory is read-only
    return Images(torch.tensor(images), torch.tensor(labels), classes, preparation=preparation)
