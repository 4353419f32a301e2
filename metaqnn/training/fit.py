"""Whether a training fits into a device's memory."""

import torch

from metaqnn.device import SMALLEST
from metaqnn.networks.memory import activation_bytes, weight_bytes
from metaqnn.task import Shape
from metaqnn.training.recipe import Recipe
from state_space import Architecture


class DoesNotFit(RuntimeError):
    """A network needs more memory than its device has."""


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
