"""The evaluator that trains."""

from dataclasses import dataclass
from functools import lru_cache

import torch

from metaqnn.config import DataConfig
from metaqnn.evaluators.base import Job
from metaqnn.training.data import Images, load_split
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from replay import Outcome


@dataclass(frozen=True)
class TrainEvaluator:
    """Trains a network on a data set by a recipe; the score is validation accuracy."""

    data: DataConfig
    recipe: Recipe
    device: str

    def __call__(self, job: Job) -> Outcome:
        """Train the job's network."""
        training, validation = _split_on_device(self.data, self.device)
        return train(job.architecture, training, validation, self.recipe, job.seed, job.keep_above)


@lru_cache(maxsize=1)
def _split_on_device(data: DataConfig, device: str) -> tuple[Images, Images]:
    training, validation = load_split(data)
    return training.to(torch.device(device)), validation.to(torch.device(device))
