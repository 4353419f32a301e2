"""The tasks of `peers.py`: what is learnt, in which time, and what an entrant hands over."""

from pathlib import Path

import numpy as np
from torch import Tensor

from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load, load_split

FULL = "-full"
"""With all images to train on."""

LIMITS = {"digits": 180, "mnist": 600, "cifar10": 600, f"mnist{FULL}": 600, f"cifar10{FULL}": 600}
"""Seconds."""

TESTED = {"digits": 360, "mnist": 10_000, "cifar10": 1000}
"""Images; as many with all images to train on."""

TRAINING = 6000
"""Images of the others, those of validation included."""


class Task:
    """Images to train on, to validate, and to test with, and how long an entrant has.

    Attributes:
        dataset: As metaqnn names it.
        limit: Seconds of processor time.
        mirrored: Whether mirrored images are images of the same kind.
    """

    def __init__(self, name: str, folder: Path, work: Path, minutes: float | None) -> None:
        """Write the task's file where it has one."""
        self.limit = LIMITS[name] if minutes is None else 60 * minutes
        images = name.removesuffix(FULL)
        self.mirrored = images == "cifar10"
        self.dataset = name
        if name != "digits":
            with np.load(folder / f"{images}.npz") as arrays:
                every = dict(arrays)
            wanted = None if name.endswith(FULL) else TRAINING
            chosen = np.random.default_rng(0).permutation(len(every["x_train"]))[:wanted]
            every |= {key: every[key][chosen] for key in ("x_train", "y_train")}
            np.savez(work / f"{name}.npz", **every)
            self.dataset = f"npz:{work / name}.npz"
        data = DataOptions(dataset=self.dataset)
        self.training, self.validation = load_split(data)
        test = load(data, "test")
        assert test is not None, "every task has a test part"
        self.test = test

    @property
    def all(self) -> Images:
        """Those to train on and to validate."""
        return self.training.join(self.validation)


Handed = tuple[Tensor, Tensor | None, str]
"""Probabilities of the test images, (images, classes), of the one network and of an ensemble, and
what the network is."""
