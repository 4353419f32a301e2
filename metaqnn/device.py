"""Where to compute, and in how many parts where the memory is too small."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from metaqnn.errors import MetaqnnError

T = TypeVar("T")

SMALLEST = 2
"""Images in the smallest part of a batch: a batch norm needs two to compare."""


def devices() -> list[str]:
    """The names of the devices that are here."""
    return [
        "cpu",
        *(f"cuda:{number}" for number in range(_gpus())),
        *(["mps"] if torch.backends.mps.is_available() else []),
    ]


def resolve_device(name: str) -> str:
    """The device of a name: "auto" is the first GPU, or else the CPU.

    Raises:
        MetaqnnError: There is no such device here.
    """
    there = devices()
    if name == "auto":
        return there[1] if len(there) > 1 else "cpu"
    resolved = "cuda:0" if name == "cuda" else name
    if resolved not in there:
        raise MetaqnnError(f"there is no device {name!r} here; there is {', '.join(there)}")
    return resolved


def visible_gpus(name: str) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that a device's name lets workers use.

    "auto" and "cuda" are all that there are, "cuda:1" is one; there is none for other devices.

    Raises:
        MetaqnnError: There is no such device here.
    """
    resolved = resolve_device(name)
    if not resolved.startswith("cuda"):
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    numbers = range(_gpus())
    names = visible.split(",") if visible else [str(number) for number in numbers]
    if name in ("auto", "cuda"):
        return [names[number] for number in numbers]
    return [names[int(resolved.removeprefix("cuda:"))]]


def _gpus() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


@contextmanager
def use_threads(count: int | None) -> Iterator[None]:
    """PyTorch on so many threads, and then as before; None changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
