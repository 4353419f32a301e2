"""A network that somebody is asked to train, and what they tell of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import size_metrics
from metaqnn.notebook import render_facts
from metaqnn.task import Shape, Task
from replay import Outcome, Trial
from replay.schema import TAKEN
from state_space import Architecture

if TYPE_CHECKING:
    from metaqnn.networks.build import Network

RESERVED = TAKEN | {"predicted"}
"""Names that no metric of a person's may have: those of columns, and what says of a stop."""


@dataclass(frozen=True)
class Asked:
    """A network to be trained; `metaqnn.Search.tell` takes in what came of it.

    Attributes:
        trial: Of the search.
        architecture: What to train.
        text: The network as people read it, such as "[C(64,3,1), SM(10)]".
        task: What it is to learn.
        trainable: Whether it can be built; else it is only known to a table.
    """

    trial: Trial
    architecture: Architecture
    text: str
    task: Task
    trainable: bool = True

    @property
    def number(self) -> int:
        """The number of the trial."""
        return self.trial.number

    @property
    def seed(self) -> int:
        """Of the training: a function of the search's seed and the network."""
        return self.trial.seed

    @property
    def input_shape(self) -> Shape:
        """(channels, height, width) of the images."""
        return self.task.shape

    def network(self) -> "Network":
        """A new torch module of it, with weights drawn from the seed, on the CPU.

        It returns the scores of the classes before the softmax, of images of shape
        (images, *input_shape). It has no dropout, for that belongs to the training.

        Raises:
            MetaqnnError: Networks of this space cannot be built.
        """
        import torch

        from metaqnn.networks.build import Network

        if not self.trainable:
            raise MetaqnnError(f"{self.text} cannot be built, only looked up in a table")
        generator = torch.Generator().manual_seed(self.seed)
        return Network(self.architecture, self.input_shape, generator)

    def outcome(
        self,
        score: float | None = None,
        curve: Sequence[float] | None = None,
        error: str | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> Outcome:
        """What came of its training, as `metaqnn.Search.tell` takes it.

        Raises:
            MetaqnnError: It makes no sense.
        """
        word, limits = self.task.score.word, self.task.score
        if sum(told is None for told in (score, curve, error)) != 2:
            raise MetaqnnError(f"tell one of {word}=..., curve=[...] and error='...'")
        if metrics is not None and not isinstance(metrics, Mapping):
            raise MetaqnnError(f"metrics is {metrics!r:.80}, not numbers by name")
        known = {
            name: _number(f"the metric {name}", value) for name, value in (metrics or {}).items()
        }
        for name in known:
            if name in RESERVED or name in self.trial.note:
                raise MetaqnnError(
                    f"no metric can be called {name!r}: there is a column of that name"
                )
        if self.trainable:
            known = {**size_metrics(self.architecture, self.input_shape), **known}
        if error is not None:
            return Outcome(known, error=" ".join(str(error).split()) or "failed")
        try:
            told = [score] if curve is None else list(curve)
        except TypeError:
            raise MetaqnnError(f"the curve is {curve!r:.80}, not a list of numbers") from None
        scores = [_number(f"the {word}", one) for one in told]
        for one in scores:
            if not limits.low <= one <= limits.high:
                raise MetaqnnError(
                    f"the {word} is {one}, not a number from {limits.low:g} to {limits.high:g}"
                )
        if not scores:
            raise MetaqnnError(f"the curve is empty: it has the {word} after each epoch")
        return Outcome(known, tuple(scores))

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {
            "network": self.text,
            "images": "x".join(map(str, self.input_shape)),
            "seed": self.seed,
            **self.trial.note,
        }
        if self.trainable:
            size = size_metrics(self.architecture, self.input_shape)
            facts |= {name.replace("_", "-"): f"{value:,}" for name, value in size.items()}
        return render_facts(f"network {self.number}", facts)

    def __repr__(self) -> str:
        """The number and the network."""
        return f"<asked: network {self.number}, {self.text}>"


def _number(name: str, value: Any) -> float:
    """A finite number, also where it comes as a tensor or an array of one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise MetaqnnError(f"{name} is {value!r}, not a number") from None
    if not math.isfinite(number):
        raise MetaqnnError(f"{name} is {number}; error='...' tells that a training failed")
    return number
