"""A training as a worker runs it: with the images on its device, which it loads once."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split, reads
from metaqnn.data.preparation import Preparation
from metaqnn.device import resolve_device, use_threads
from metaqnn.metrics.base import METRICS
from metaqnn.training.loop import train
from metaqnn.training.threads import choose_threads
from replay import Outcome

if TYPE_CHECKING:
    from metaqnn.evaluators.base import Job
    from metaqnn.evaluators.train import TrainEvaluator

Packed = tuple[np.ndarray, np.ndarray, tuple[str, ...], Preparation]
"""What `Images` has, as arrays, which processes of a machine can share."""


def run_job(evaluator: "TrainEvaluator", job: "Job") -> Outcome:
    """Train the job's network."""
    training, validation = _split_on_device(evaluator, reads() or 1)  # a worker's first read is now
    try:
        with use_threads(threads_of(evaluator, training)):
            return train(
                job.architecture,
                training,
                validation,
                evaluator.recipe,
                job.seed,
                keep_above=job.keep_above,
                keep_last=evaluator.whole,
                stopping=job.stopping,
                reward=job.reward,
                metric=METRICS.find(evaluator.metric),
            )
    finally:
        if evaluator.place.shares_device:
            torch.cuda.empty_cache()


def threads_of(evaluator: "TrainEvaluator", images: Images) -> int | None:
    """With how many threads an evaluator trains on images; see `choose_threads`."""
    place = evaluator.place
    device = torch.device(resolve_device(place.device))
    return choose_threads(place.threads, device, images.shape, evaluator.recipe.batch_size)


def pack_split(data: DataOptions) -> tuple[Packed, Packed]:
    """The training and validation images, to be sent elsewhere."""
    training, validation = load_split(data)
    return _pack(training), _pack(validation)


@lru_cache(maxsize=1)
def _split_on_device(evaluator: "TrainEvaluator", read: int) -> tuple[Images, Images]:
    device = torch.device(resolve_device(evaluator.place.device))
    if evaluator.packed is None:
        training, validation = load_split(evaluator.images)
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
