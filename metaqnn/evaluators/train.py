"""The evaluator that trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import torch

from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator, Job
from metaqnn.networks.cost import Shape
from metaqnn.sections import DataConfig
from metaqnn.training.data import Images, load_split
from metaqnn.training.device import resolve_device
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from replay import Outcome
from state_space import Space


@dataclass(frozen=True)
class TrainEvaluator(Evaluator):
    """Trains a network on a data set by a recipe; the score is validation accuracy."""

    data: DataConfig
    recipe: Recipe
    device: str

    @classmethod
    def from_config(cls, config: RunConfig, space: Space[Any], input_shape: Shape) -> Self:
        """The evaluator of a run, on the device that is there."""
        if not space.trainable:
            raise MetaqnnError(
                f"the networks of {config.space} cannot be built, only looked up: --evaluator table"
            )
        return cls(config.data, config.recipe, resolve_device(config.device))

    def __call__(self, job: Job) -> Outcome:
        """Train the job's network."""
        training, validation = _split_on_device(self.data, self.device)
        return train(job.architecture, training, validation, self.recipe, job.seed, job.keep_above)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The device."""
        return {"device": self.device}


@lru_cache(maxsize=1)
def _split_on_device(data: DataConfig, device: str) -> tuple[Images, Images]:
    training, validation = load_split(data)
    return training.to(torch.device(device)), validation.to(torch.device(device))
