"""Where to train."""

import torch

from metaqnn.errors import MetaqnnError


def resolve_device(name: str) -> str:
    """The device of a name: "auto" is the first GPU, or else the CPU.

    Raises:
        MetaqnnError: There is no such device here.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = [
        "cpu",
        *(f"cuda:{number}" for number in range(gpus)),
        *(["mps"] if torch.backends.mps.is_available() else []),
    ]
    if name == "auto":
        return there[1] if len(there) > 1 else "cpu"
    resolved = "cuda:0" if name == "cuda" else name
    if resolved not in there:
        raise MetaqnnError(f"there is no device {name!r} here; there is {', '.join(there)}")
    return resolved
