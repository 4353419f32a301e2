"""Whether replays of a recorded step compute what the step computes."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

COMPARED = 3
"""Replays of a process that are compared with the step itself."""

TOLERANCE = 2**-4
"""The part of a change by which replay and step may differ.

Both run the same kernels on the same values, so that all but the order of sums in some of them is
equal. bfloat16 rounds to 2^-8 of a value, and Adam, which divides a gradient by its size, makes the
most of it where gradients are small: 16 times that. Another batch or another dropout changes all:
in Adam's mean after four steps the newest gradient has a share of 0.1 / (1 - 0.9^4) = 0.29.
"""

REPETITIONS = 4
"""So many times the difference of the step from its own repetition is allowed, where that is more:
some kernels of cuDNN add in whatever order their threads come."""


class GraphFailed(RuntimeError):
    """A recorded step cannot be trusted; the message says why."""


class Resumable(Protocol):
    """A step, and all that it changes.

    Attributes:
        generator: Of all its random numbers.
    """

    generator: torch.Generator

    def step(self, batch: Tensor) -> None:
        """One update, from the images at these indices."""
        ...

    def state(self) -> Mapping[str, list[Tensor]]:
        """What a step changes, as it lies in memory, by names for people."""
        ...


class Proof:
    """Compares the first replays of a process with the step; who fails it once is not asked again.

    Attributes:
        failed: Whether a recording has failed: then nothing is to be recorded any more.
    """

    def __init__(self) -> None:
        """Nothing is compared yet."""
        self.failed = False
        self._compared = 0

    @property
    def complete(self) -> bool:
        """Whether enough replays were compared."""
        return self._compared >= COMPARED

    def compare(self, steps: Resumable, replay: Callable[[], None], batch: Tensor) -> None:
        """Train on a batch by the step, and see whether a replay does the same.

        Raises:
            GraphFailed: It does not; the message says in what, and by how much.
        """
        before, random = _copies(steps), steps.generator.get_state()
        replay()
        replayed, replayed_random = _copies(steps), steps.generator.get_state()
        stepped, again = (_stepped(steps, before, random, batch) for _ in range(2))
        if not torch.equal(replayed_random, steps.generator.get_state()):
            raise GraphFailed("a replay draws more or fewer random numbers than the step")
        for name, start in before.items():
            found = _distance(start, stepped[name], replayed[name])
            allowed = max(TOLERANCE, REPETITIONS * _distance(start, stepped[name], again[name]))
            if not found <= allowed:
                raise GraphFailed(
                    f"{name} of a replay differ by {found:.2g} of their change, "
                    f"{allowed:.2g} is allowed"
                )
        self._compared += 1

    def fail(self, failure: GraphFailed) -> None:
        """Say once that from now on all is computed step by step."""
        if not self.failed:
            warnings.warn(
                f"CUDA graphs are not used, trainings go on step by step and slower: {failure}",
                RuntimeWarning,
                stacklevel=2,
            )
        self.failed = True


def _stepped(
    steps: Resumable, before: Mapping[str, list[Tensor]], random: Tensor, batch: Tensor
) -> dict[str, list[Tensor]]:
    """What a step makes of a state, which is put back first."""
    with torch.no_grad():
        for name, values in steps.state().items():
            for value, old in zip(values, before[name], strict=True):
                value.copy_(old)
    steps.generator.set_state(random)
    steps.step(batch)
    return _copies(steps)


def _copies(steps: Resumable) -> dict[str, list[Tensor]]:
    return {
        name: [value.detach().clone() for value in values] for name, values in steps.state().items()
    }


def _distance(before: list[Tensor], one: list[Tensor], other: list[Tensor]) -> float:
    """Of two states after a step, as a part of the change of the first."""
    if _finite(one) != _finite(other):
        return math.inf
    if not _finite(one):
        return 0.0  # both diverged, which the training finds out
    apart, change = _norm(one, other), _norm(one, before)
    return apart / change if change else math.inf if apart else 0.0


def _finite(values: list[Tensor]) -> bool:
    return all(bool(value.isfinite().all()) for value in values)


def _norm(one: list[Tensor], other: list[Tensor]) -> float:
    """Of the difference of all values."""
    squares = (
        float((a.double() - b.double()).square().sum()) for a, b in zip(one, other, strict=True)
    )
    return math.sqrt(sum(squares))
