"""The NAS agent: an LSTM controller trained by REINFORCE.

Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning",
https://arxiv.org/abs/1611.01578, section 3.2.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metaqnn.agents.controller import Controller, ControllerOptions, Sample
from metaqnn.agents.policy import Policy, StagedWalk
from state_space import Space


class ReinforceOptions(ControllerOptions):
    """Options of the agent reinforce: those of a controller."""


DEFAULTS = ReinforceOptions()


class Reinforce(Controller):
    """Improves its policy by one step a batch.

    The log-probability of a trial is that of the present weights, whoever proposed it.
    """

    Options = ReinforceOptions

    def __init__(self, space: Space[Any], seed: int, options: ReinforceOptions = DEFAULTS) -> None:
        """See `Controller`."""
        super().__init__(space, seed, options)

    def update(self, samples: Sequence[Sample]) -> None:
        """One step of Adam."""
        walks = [sample.walk for sample in samples]
        advantages = self.advantages(samples)
        self.ascend(reinforce_objective(self.policy, walks, advantages, self.options.entropy))


def reinforce_objective(
    policy: Policy, walks: Sequence[StagedWalk], advantages: Sequence[float], entropy: float
) -> Tensor:
    """What an update ascends: the mean over the walks of advantage * log-probability of the walk.

    Added to it is the weighted mean over the walks of the sum of their decisions' entropies.
    """
    log_probabilities, entropies = policy.forward(walks)
    weights = torch.tensor(advantages, dtype=log_probabilities.dtype)
    return (weights * log_probabilities.sum(1) + entropy * entropies.sum(1)).mean()
