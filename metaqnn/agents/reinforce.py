"""The NAS agent: an LSTM controller trained by REINFORCE.

Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning",
https://arxiv.org/abs/1611.01578, section 3.2.
"""

import json
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from metaqnn.agents.base import Agent, Proposal, generator_from_bytes, generator_to_bytes
from metaqnn.agents.policy import Policy, StagedWalk
from metaqnn.device import use_threads
from replay import Trial
from state_space import Space

if TYPE_CHECKING:
    from metaqnn.config import RunConfig


class Reinforce(Agent):
    """Samples walks from a policy, which every full batch of told trials improves by one step.

    A told trial is a sample of the batch whoever proposed it: its log-probability is that of the
    present weights.
    """

    def __init__(
        self,
        space: Space[Any],
        seed: int,
        *,
        layers: int = 2,
        units: int = 35,
        batch: int = 4,
        rate: float = 0.05,
        decay: float = 1e-5,
        entropy: float = 1e-3,
        baseline_decay: float = 0.3,
        bound: float = 2.25,
    ) -> None:
        """Draw the controller's weights.

        Args:
            space: Where to search.
            seed: Of the agent's generator.
            layers: Of the LSTM.
            units: Of each layer.
            batch: Trials an update.
            rate: Learning rate of Adam.
            decay: L2 penalty on the weights, as Adam's weight decay.
            entropy: Weight of the policy's entropy beside the reward.
            baseline_decay: What remains of the baseline when a batch's mean reward enters it.
            bound: Of the policy's logits; 0 for none.
        """
        self.space = space
        self.generator = np.random.default_rng(seed)
        self.policy = Policy(space, layers, units, self.generator, bound)
        self.batch = batch
        self.entropy = entropy
        self.baseline_decay = baseline_decay
        self.baseline: float | None = None
        self.updates = 0
        self._told: list[tuple[StagedWalk, float]] = []
        self._weights = list(self.policy.parameters())
        self._adam = torch.optim.Adam(self._weights, lr=rate, weight_decay=decay)
        for weight in self._weights:
            self._adam.state[weight] = {
                "step": torch.tensor(0.0),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    @classmethod
    def from_config(cls, config: "RunConfig", space: Space[Any]) -> Self:
        """The agent of a run."""
        options = config.reinforce
        return cls(
            space,
            config.seed,
            layers=options.lstm_layers,
            units=options.lstm_units,
            batch=options.controller_batch,
            rate=options.controller_rate,
            decay=options.controller_decay,
            entropy=options.entropy,
            baseline_decay=options.baseline_decay,
            bound=options.logit_bound,
        )

    def ask(self, stage: int = 0) -> Proposal:
        """A walk drawn from the policy."""
        walk, log_probability = self.policy.sample(self.generator, stage)
        return Proposal(walk, {"log_probability": log_probability, "update": self.updates})

    def tell(self, trial: Trial, reward: float) -> None:
        """Take the trial into the batch, and learn from the batch when it is full."""
        self._told.append(((trial.walk, trial.stage), reward))
        if len(self._told) == self.batch:
            self._update()
            self._told = []

    def _update(self) -> None:
        """One step of Adam; the baseline takes in the batch only after it, unless it is the first.

        Of the first batch the baseline is the mean.
        """
        walks = [walk for walk, _ in self._told]
        rewards = [reward for _, reward in self._told]
        mean = fmean(rewards)
        baseline = mean if self.baseline is None else self.baseline
        advantages = [reward - baseline for reward in rewards]
        # for so small a network several threads only wait for each other, and with one the sums are
        # the same whatever the number of cores
        with use_threads(1):
            objective = reinforce_objective(self.policy, walks, advantages, self.entropy)
            # zeros for weights that the batch did not use, lest their moments stand still
            gradients = torch.autograd.grad(-objective, self._weights, materialize_grads=True)
            for weight, gradient in zip(self._weights, gradients, strict=True):
                weight.grad = gradient
            self._adam.step()
        self.baseline = self.baseline_decay * baseline + (1 - self.baseline_decay) * mean
        self.updates += 1

    def snapshot(self) -> bytes:
        """Weights, moments of Adam, and all else as JSON."""
        states = [self._adam.state[weight] for weight in self._weights]
        others = {
            "updates": self.updates,
            "baseline": self.baseline,
            "told": self._told,
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
        self._told = [((tuple(walk), stage), reward) for (walk, stage), reward in others["told"]]
        self.generator = generator_from_bytes(others["generator"].encode())
        states = [self._adam.state[weight] for weight in self._weights]
        with torch.no_grad():
            _fill(self._weights, arrays["weights"])
            _fill([state["exp_avg"] for state in states], arrays["first_moments"])
            _fill([state["exp_avg_sq"] for state in states], arrays["second_moments"])
        for state in states:
            state["step"].fill_(self.updates)


def reinforce_objective(
    policy: Policy, walks: Sequence[StagedWalk], advantages: Sequence[float], entropy: float
) -> Tensor:
    """What an update ascends: the mean over the walks of advantage * log-probability of the walk.

    Added to it is the weighted mean over the walks of the sum of their decisions' entropies.
    """
    log_probabilities, entropies = policy.forward(walks)
    weights = torch.tensor(advantages, dtype=log_probabilities.dtype)
    return (weights * log_probabilities.sum(1) + entropy * entropies.sum(1)).mean()


def _flatten(tensors: Sequence[Tensor]) -> npt.NDArray[np.float32]:
    flat: npt.NDArray[np.float32] = parameters_to_vector(tensors).detach().numpy()
    return flat


def _fill(tensors: Sequence[Tensor], flat: npt.NDArray[np.float32]) -> None:
    """The inverse of `_flatten`; in place, because optimizer and memory layout stay the same."""
    ends = np.cumsum([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, np.split(flat, ends[:-1]), strict=True):
        tensor.copy_(torch.from_numpy(part).view_as(tensor))
