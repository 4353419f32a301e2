"""What controllers share: a policy, its optimizer, and a batch of told trials for each update."""

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, PositiveInt
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from metaqnn.agents.base import Agent, Proposal, generator_from_bytes, generator_to_bytes
from metaqnn.agents.policy import INITIAL_RANGE, Policy, StagedWalk
from metaqnn.device import use_threads
from metaqnn.options import NotNegative, Positive, Probability, Section
from replay import Trial
from state_space import Space


class ControllerOptions(Section):
    """Options of every agent that is a controller."""

    lstm_layers: PositiveInt = Field(2, description="Layers of the controller's LSTM (paper: 2).")
    lstm_units: PositiveInt = Field(35, description="Units of each of them (paper: 35).")
    controller_batch: PositiveInt = Field(4, description="Networks an update of the controller.")
    controller_rate: Positive = Field(
        0.05, description="Learning rate of the controller (paper: 6e-4; Lei & Xiong: 0.01)."
    )
    controller_decay: NotNegative = Field(
        1e-5, description="L2 penalty on the controller (paper: 0; Lei & Xiong: 1e-4)."
    )
    entropy: NotNegative = Field(
        1e-3, description="Weight of the policy's entropy beside the reward (paper: 0)."
    )
    logit_bound: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        2.25,
        description="Bound of the controller's logits, lest it become certain; 0 for none "
        "(paper: none; ENAS: 2.5).",
    )
    baseline_decay: Probability = Field(
        0.3, description="Share of the reward baseline that an update keeps (NASNet: 0.95)."
    )
    controller_range: Positive = Field(
        INITIAL_RANGE,
        description="The controller's weights start uniform between minus and plus this (paper: "
        "0.08; NASNet: 0.1).",
    )


class Sample(NamedTuple):
    """A told trial: its walk and stage, its reward, and what was noted when it was proposed."""

    walk: StagedWalk
    reward: float
    note: Mapping[str, float]


class Controller(Agent):
    """Samples walks from a policy, which every full batch of told trials improves.

    A told trial is a sample of the batch whoever proposed it. What an update ascends is the
    agent's own affair; weights, Adam's moments, batch and generator are kept here.
    """

    Options = ControllerOptions

    def __init__(
        self, space: Space[Any], seed: int, options: Any, others: Sequence[Tensor] = ()
    ) -> None:
        """Draw the controller's weights.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            options: A `ControllerOptions`.
            others: Weights that are learnt beside those of the policy.
        """
        self.space = space
        self.options = options
        self.generator = np.random.default_rng(seed)
        self.policy = Policy(
            space,
            options.lstm_layers,
            options.lstm_units,
            self.generator,
            options.logit_bound,
            options.controller_range,
        )
        self.updates = 0
        self.baseline: float | None = None
        self._told: list[Sample] = []
        self._weights = [*self.policy.parameters(), *others]
        self._adam = torch.optim.Adam(
            self._weights, lr=options.controller_rate, weight_decay=options.controller_decay
        )
        for weight in self._weights:
            self._adam.state[weight] = {
                "step": torch.tensor(0.0),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    @abstractmethod
    def update(self, samples: Sequence[Sample]) -> None:
        """Learn from a full batch, by one or more calls of `ascend`."""

    def ask(self, stage: int = 0) -> Proposal:
        """A walk drawn from the policy."""
        walk, log_probability = self.policy.sample(self.generator, stage)
        return Proposal(walk, {"log_probability": log_probability, "update": self.updates})

    def tell(self, trial: Trial, reward: float) -> None:
        """Take the trial into the batch, and learn from the batch when it is full."""
        self._told.append(Sample((trial.walk, trial.stage), reward, trial.note))
        if len(self._told) == self.options.controller_batch:
            # for so small a network several threads only wait for each other, and with one the
            # sums are the same whatever the number of cores
            with use_threads(1):
                self.update(self._told)
            self.updates += 1
            self._told = []

    def advantages(self, samples: Sequence[Sample]) -> list[float]:
        """How far rewards are above the baseline, which then takes them in.

        The baseline is a moving average of the rewards of the batches before; for the first batch
        it is that batch's mean.
        """
        mean = fmean(sample.reward for sample in samples)
        baseline = mean if self.baseline is None else self.baseline
        kept = self.options.baseline_decay
        self.baseline = kept * baseline + (1 - kept) * mean
        return [sample.reward - baseline for sample in samples]

    def ascend(self, objective: Tensor) -> None:
        """One step of Adam towards a higher objective."""
        # zeros for weights that the batch did not use, lest their moments stand still
        gradients = torch.autograd.grad(-objective, self._weights, materialize_grads=True)
        for weight, gradient in zip(self._weights, gradients, strict=True):
            weight.grad = gradient
        self._adam.step()

    def snapshot(self) -> bytes:
        """Weights, moments of Adam, and all else as JSON."""
        states = [self._adam.state[weight] for weight in self._weights]
        others = {
            "updates": self.updates,
            "baseline": self.baseline,
            "told": self._told,
            "steps": states[0]["step"].item(),
            "generator": generator_to_bytes(self.generator).decode(),
        }
        return save_arrays(
            {
                "weights": _flatten(self._weights),
                "first_moments": _flatten([state["exp_avg"] for state in states]),
                "second_moments": _flatten([state["exp_avg_sq"] for state in states]),
                "others": np.frombuffer(json.dumps(others).encode(), dtype=np.uint8),
            }
        )

    def restore(self, snapshot: bytes | None, history: Iterable[tuple[Trial, float]]) -> None:
        """Take everything from the snapshot; the history adds nothing to it."""
        if snapshot is None:
            return
        arrays = load_arrays(snapshot)
        others = json.loads(arrays["others"].tobytes())
        self.updates = others["updates"]
        self.baseline = others["baseline"]
        # an older program kept no notes
        self._told = [
            Sample((tuple(walk), stage), reward, note[0] if note else {})
            for (walk, stage), reward, *note in others["told"]
        ]
        self.generator = generator_from_bytes(others["generator"].encode())
        states = [self._adam.state[weight] for weight in self._weights]
        with torch.no_grad():
            _fill(self._weights, arrays["weights"])
            _fill([state["exp_avg"] for state in states], arrays["first_moments"])
            _fill([state["exp_avg_sq"] for state in states], arrays["second_moments"])
        for state in states:
            state["step"].fill_(others.get("steps", self.updates))


def _flatten(tensors: Sequence[Tensor]) -> npt.NDArray[np.float32]:
    flat: npt.NDArray[np.float32] = parameters_to_vector(tensors).detach().numpy()
    return flat


def _fill(tensors: Sequence[Tensor], flat: npt.NDArray[np.float32]) -> None:
    """The inverse of `_flatten`; in place, because optimizer and memory layout stay the same."""
    ends = np.cumsum([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, np.split(flat, ends[:-1]), strict=True):
        tensor.copy_(torch.from_numpy(part).view_as(tensor))
