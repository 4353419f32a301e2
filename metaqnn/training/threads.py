"""How many threads train fastest, which depends on what else the machine has to do."""

import time
from functools import cache

import torch
from torch.nn.functional import conv2d

from metaqnn.device import use_threads
from metaqnn.task import Shape

GAIN = 1.25
"""So many times as fast several threads must be, since they wait for each other where other
programs take a core meanwhile."""

FILTERS = 16

PIXELS = 2**15
"""Of the images of a step, at most, or one image."""

ROUNDS = 4
"""The first is to warm up."""


def choose_threads(
    asked: int | None, device: torch.device, shape: Shape, batch_size: int
) -> int | None:
    """With how many threads to train; None leaves it as it is, where a GPU computes.

    Args:
        asked: What somebody wants; None is no wish.
        device: Where to train.
        shape: See `fastest_threads`.
        batch_size: Likewise.
    """
    if asked is not None or device.type != "cpu":
        return asked
    return fastest_threads(shape, batch_size)


@cache
def fastest_threads(shape: Shape, batch_size: int) -> int:
    """1, or as many as PyTorch has, if a step of convolutions is that much faster with them.

    Args:
        shape: (channels, height, width) of the images.
        batch_size: Of the steps.
    """
    most = torch.get_num_threads()
    if most == 1:
        return 1
    few = min(batch_size, max(1, PIXELS // (shape[1] * shape[2])))
    images = torch.ones(few, *shape)
    first, second = (
        torch.full((FILTERS, channels, 3, 3), 1e-3, requires_grad=True)
        for channels in (shape[0], FILTERS)
    )
    seconds: dict[int, list[float]] = {1: [], most: []}
    for _ in range(ROUNDS):
        for count, found in seconds.items():
            with use_threads(count):
                began = time.perf_counter()
                made = conv2d(conv2d(images, first, padding=1).relu(), second, padding=1)
                made.sum().backward()  # type: ignore[no-untyped-call]  # torch has no types here
                found.append(time.perf_counter() - began)
    alone, together = (min(found[1:]) for found in seconds.values())
    return most if alone > GAIN * together else 1
