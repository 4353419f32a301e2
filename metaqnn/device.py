"""Where to train."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from metaqnn.errors import MetaqnnError


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
