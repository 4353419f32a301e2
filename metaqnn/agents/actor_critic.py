"""An LSTM controller whose decisions are judged one by one, by a critic.

Schulman et al. 2016, "High-dimensional continuous control using generalized advantage estimation",
https://arxiv.org/abs/1506.02438, equation 16; the update is that of the agent ppo.
"""

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from metaqnn.agents.controller import Controller, Sample
from metaqnn.agents.ppo import PpoOptions, clipped_gains, stale_weights, weighted_objective
from metaqnn.options import NotNegative, Probability
from state_space import Space


class ActorCriticOptions(PpoOptions):
    """Options of the agent actor-critic: those of ppo, and of its critic."""

    discount: Probability = Field(
        1.0, description="Of what is expected after the next decision, a decision."
    )
    gae_lambda: Probability = Field(
        0.95,
        description="Lambda of the advantages: 1 the reward against what was expected before the "
        "decision, 0 what is expected after it against that.",
    )
    value_weight: NotNegative = Field(
        0.5, description="Weight of the critic's squared error beside the policy's gain."
    )


DEFAULTS = ActorCriticOptions()


class ActorCritic(Controller):
    """As the agent ppo, with an advantage for each decision.

    The critic is a linear layer on the LSTM that expects, before each decision, how far the reward
    will be above the baseline. It starts at 0, where the baseline alone judges.
    """

    Options = ActorCriticOptions

    def __init__(
        self, space: Space[Any], seed: int, options: ActorCriticOptions = DEFAULTS
    ) -> None:
        """See `Controller`."""
        self.critic_weight = torch.zeros(options.lstm_units, requires_grad=True)
        self.critic_bias = torch.zeros((), requires_grad=True)
        super().__init__(space, seed, options, [self.critic_weight, self.critic_bias])

    def update(self, samples: Sequence[Sample]) -> None:
        """Ascend the clipped objective, less the error of the critic."""
        options = self.options
        walks = [sample.walk for sample in samples]
        batch = self.policy.encode(walks)
        with torch.no_grad():
            before = self.policy.score(batch)
            values = batch.padded(self.expect(before.hidden))
        advantages = generalised_advantages(
            values,
            torch.tensor(self.advantages(samples), dtype=values.dtype),
            torch.tensor([len(walk) for walk, _ in walks]),
            options.discount,
            options.gae_lambda,
        )
        targets = advantages + values
        weights = stale_weights(before.log_probabilities, samples)
        for _ in range(options.controller_epochs):
            scores = self.policy.score(batch)
            moves = scores.log_probabilities - before.log_probabilities
            gains = clipped_gains(moves, advantages, options.ratio_clip)
            errors = (batch.padded(self.expect(scores.hidden)) - targets) ** 2
            gains = gains - options.value_weight * errors
            self.ascend(weighted_objective(weights, gains, scores, options.entropy))

    def expect(self, hidden: Tensor) -> Tensor:
        """The value of each state of the LSTM: the reward to come, less the baseline."""
        return hidden @ self.critic_weight + self.critic_bias


def generalised_advantages(
    values: Tensor, rewards: Tensor, lengths: Tensor, discount: float, trace: float
) -> Tensor:
    """The advantage of each decision: the sum over l of (discount * trace)^l delta_(t+l).

    Where delta_t is discount * V_(t+1) - V_t, and the reward less V_t at the end of the walk.

    Args:
        values: V before each decision, (walks, decisions); 0 behind the end of a walk.
        rewards: Of each walk, at its end.
        lengths: Of each walk.
        discount: gamma.
        trace: lambda.
    """
    advantages = discount * values.roll(-1, 1) - values
    advantages[:, -1] = -values[:, -1]
    advantages[torch.arange(len(values)), lengths - 1] += rewards
    for place in range(values.shape[1] - 2, -1, -1):
        advantages[:, place] += discount * trace * advantages[:, place + 1]
    return advantages
