"""What a replay memory holds: trials and their outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CONFIRMATION = "confirmation"
"""In the note of a trial that trains a known network again: which time that is, 1, 2, ..."""


@dataclass(frozen=True)
class Trial:
    """One proposal of an agent, one imported experience, or a network that is trained again.

    Attributes:
        number: 1, 2, ... in the order of proposing.
        walk: The decisions.
        stage: The stage of the space in which the walk was proposed.
        digest: Names the architecture: equal networks have equal digests.
        seed: Of the training; a function of the run's seed, the digest and the confirmation.
        note: What the agent says of the proposal, such as its epsilon.
        imported: The experience comes from another run: it teaches the agent, and appears in no
            budget, top-k or epsilon count.
    """

    number: int
    walk: tuple[str, ...]
    stage: int
    digest: str
    seed: int
    note: Mapping[str, float]
    imported: bool = False

    @property
    def confirmation(self) -> int:
        """How often its network is trained again with this trial: 1, 2, ...; 0 if it is not."""
        return int(self.note.get(CONFIRMATION, 0))


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        metrics: parameters, multiply_adds, seconds and such.
        curve: Validation score an epoch, higher is better.
        error: Why the network failed; None where it did not.
        weights: A safetensors file, where the score earned its keeping. Not stored in the memory.
        traceback: Where the network failed, in the code. Not stored in the memory.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    error: str | None = None
    weights: bytes | None = None
    traceback: str | None = field(default=None, compare=False, repr=False)

    @property
    def is_measured(self) -> bool:
        """Whether its score is measured, not predicted of a training that was stopped."""
        return "predicted" not in self.metrics

    @property
    def best(self) -> float:
        """The best score of all epochs; predicted where the training was stopped so."""
        return max(self.curve) if self.is_measured else self.metrics["predicted"]


class WrongRun(ValueError):
    """The memory belongs to a run with another configuration."""


class BrokenMemory(ValueError):
    """The file is no replay memory, or it is damaged."""
