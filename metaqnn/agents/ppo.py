"""NASNet's agent: an LSTM controller trained by proximal policy optimisation.

Schulman et al. 2017, "Proximal Policy Optimization Algorithms", https://arxiv.org/abs/1707.06347,
equation 7; Zoph et al. 2018, "Learning Transferable Architectures for Scalable Image Recognition",
https://arxiv.org/abs/1707.07012, appendix A. Old answers are weighted as in Hilton et al. 2022,
"Batch size-invariance for policy optimization", https://arxiv.org/abs/2110.00641.
"""

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from metaqnn.agents.controller import Controller, ControllerOptions, Sample
from metaqnn.agents.policy import Scores
from metaqnn.errors import MetaqnnError
from metaqnn.options import Positive
from state_space import Space
from state_space.settings import suggestion

CONTROLLER_PRESETS: dict[str, dict[str, Any]] = {
    "nasnet": {
        "lstm_layers": 1,
        "lstm_units": 100,
        "controller_batch": 20,
        "controller_rate": 3.5e-4,
        "controller_decay": 0.0,
        "entropy": 1e-5,
        "logit_bound": 0.0,
        "baseline_decay": 0.95,
        "controller_range": 0.1,
    },
    "practical": {},
}
"""What a preset sets unless it is given; the practical values are the defaults."""


class PpoOptions(ControllerOptions):
    """Options of the agent ppo: those of a controller, and how far an update may go."""

    controller_rate: Positive = Field(
        0.02, description="Learning rate of the controller (NASNet: 3.5e-4)."
    )
    controller_preset: str = Field(
        "practical",
        description="Values of the other options of the controller: practical, or nasnet (as far "
        "as that paper has them).",
    )
    ratio_clip: Positive = Field(
        0.2,
        description="An update gains nothing by moving the ratio of a decision's new to its old "
        "probability further than this from 1 (NASNet does not say; PPO: 0.2).",
    )
    controller_epochs: PositiveInt = Field(
        4, description="Steps of an update, each on the whole batch (NASNet does not say)."
    )

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Take the values of the preset.

        Raises:
            MetaqnnError: There is no such preset.
        """
        preset = given.get("controller_preset", "practical")
        if not isinstance(preset, str):
            return given
        if preset not in CONTROLLER_PRESETS:
            hint = suggestion(preset, CONTROLLER_PRESETS)
            raise MetaqnnError(f"there is no controller-preset {preset!r}{hint}")
        return {**CONTROLLER_PRESETS[preset], **given}


DEFAULTS = PpoOptions()


class Ppo(Controller):
    """Improves its policy by several steps a batch, none of which may move it far."""

    Options = PpoOptions

    def __init__(self, space: Space[Any], seed: int, options: PpoOptions = DEFAULTS) -> None:
        """See `Controller`."""
        super().__init__(space, seed, options)

    def update(self, samples: Sequence[Sample]) -> None:
        """Ascend the clipped objective, with the rewards above the baseline as advantages."""
        options = self.options
        batch = self.policy.encode([sample.walk for sample in samples])
        with torch.no_grad():
            old = self.policy.score(batch).log_probabilities
        advantages = torch.tensor(self.advantages(samples), dtype=old.dtype)[:, None]
        weights = stale_weights(old, samples)
        for _ in range(options.controller_epochs):
            scores = self.policy.score(batch)
            gains = clipped_gains(scores.log_probabilities - old, advantages, options.ratio_clip)
            self.ascend(weighted_objective(weights, gains, scores, options.entropy))


def clipped_gains(moves: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """What each decision gains by the update: min((r - 1) A, clip(r - 1, -c, c) A).

    This is equation 7 less the constant A, so that what lies behind the end of a walk gains
    nothing.

    Args:
        moves: The logarithm of the ratio r of each decision, (walks, decisions).
        advantages: A; of each decision or, (walks, 1), of all of a walk.
        clip: c.
    """
    changes = moves.exp() - 1
    return torch.minimum(changes * advantages, changes.clamp(-clip, clip) * advantages)


def stale_weights(old: Tensor, samples: Sequence[Sample]) -> Tensor:
    """How much each sample counts: the probability of its walk now over that when proposed.

    It is never more than 1, and is 1 for walks that the agent did not propose.

    Args:
        old: Log-probability of each decision before the update, (walks, decisions).
        samples: Of the batch; their notes say the log-probabilities of the walks when proposed.
    """
    now = old.sum(1)
    proposed = [
        sample.note.get("log_probability", one)
        for sample, one in zip(samples, now.tolist(), strict=True)
    ]
    return (now - torch.tensor(proposed, dtype=old.dtype)).clamp(max=0).exp()


def weighted_objective(weights: Tensor, gains: Tensor, scores: Scores, entropy: float) -> Tensor:
    """The mean over the walks of what their decisions gain, and of their weighted entropies."""
    return (weights * gains.sum(1) + entropy * scores.entropies.sum(1)).mean()
