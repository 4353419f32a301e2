"""Whether a training fits into a device's memory, and in how many parts a batch goes if not."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from metaqnn.networks.memory import activation_bytes, weight_bytes
from metaqnn.task import Shape
from metaqnn.training.recipe import Recipe
from state_space import Architecture

T = TypeVar("T")

SMALLEST = 2
"""Images in the smallest part of a batch: a batch norm needs two to compare."""


class DoesNotFit(RuntimeError):
    """A network needs more memory than its device has."""


def splittings(batch_size: int) -> Iterator[int]:
    """In how many parts to split a batch, one try after the other: 1, 2, 4, 8 and so on."""
    splits = 1
    yield splits
    while batch_size // (2 * splits) >= SMALLEST:
        splits *= 2
        yield splits


def within_memory(attempt: Callable[[int], T], batch_size: int, device: torch.device) -> T:
    """What the first attempt returns that does not run out of memory.

    Args:
        attempt: Takes in how many parts a batch goes; starts from the beginning.
        batch_size: Images a step.
        device: Whose memory is to be freed between attempts.

    Raises:
        RuntimeError, MemoryError: The last attempt's, where that runs out of memory too.
    """
    *first, last = splittings(batch_size)
    for splits in first:
        try:
            return attempt(splits)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # behind the except, as the error holds the tensors of the attempt
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return attempt(last)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says that an allocation failed, on whichever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text
        for words in ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    )


def check_fit(
    architecture: Architecture, input_shape: Shape, recipe: Recipe, value: int, memory: int | None
) -> None:
    """Refuse a network that cannot fit even with its batches split as often as may be.

    Args:
        architecture: With its dropout.
        input_shape: (channels, height, width) of the images.
        recipe: Of the training.
        value: Bytes of a value of the forward pass.
        memory: Bytes of the device; None where that is not known.

    Raises:
        DoesNotFit: The message has both numbers.
        ShapeError: A layer cannot read what comes before it.
    """
    images = min(recipe.batch_size, SMALLEST)
    weights = weight_bytes(architecture, input_shape, recipe.optimizer)
    activations = images * activation_bytes(architecture, input_shape, value)
    if memory is not None and weights + activations > memory:
        raise DoesNotFit(
            f"it needs at least {_gigabytes(weights + activations)} to be trained "
            f"({_gigabytes(weights)} for weights, gradients and {recipe.optimizer}, "
            f"{_gigabytes(activations)} for {images} images), the device has {_gigabytes(memory)}"
        )


def memory_of(device: torch.device) -> int | None:
    """Bytes of a GPU's memory; None on other devices.

    All of it, not what is free: whether a network is refused must not depend on who else is there.
    """
    return torch.cuda.mem_get_info(device)[1] if device.type == "cuda" else None


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.3g} GB"
