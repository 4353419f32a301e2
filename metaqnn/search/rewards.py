"""What an agent is told of a training: rewards by name."""

from collections.abc import Callable
from math import log10
from typing import Any

from pydantic import Field, PositiveInt, field_validator

from metaqnn.options import NotNegative, Section
from metaqnn.registry import Table
from replay import Outcome

BEST = "score"
"""The reward that is the score itself."""

OLDER = "accuracy"
"""Likewise, when all scores were accuracies."""

LAST_EPOCHS = 5
FLOPS_A_MULTIPLY_ADD = 2


class RewardOptions(Section):
    """What the agent is told of a training, and which networks are refused before it."""

    reward: str = Field(
        BEST,
        description="score (best of all epochs), nas (best score of the last five, cubed), or "
        "block-qnn (score - flops-weight log10(FLOPs) - density-weight log10(edges / nodes)).",
    )
    flops_weight: NotNegative = Field(
        0.01, description="Of block-qnn: score that a tenfold of FLOPs must gain."
    )
    density_weight: NotNegative = Field(0.01, description="Of block-qnn: likewise for density.")
    max_parameters: PositiveInt | None = Field(
        None, description="Refuse networks with more weights and biases before they are trained."
    )
    max_flops: PositiveInt | None = Field(
        None,
        description="Refuse networks with more floating-point operations an image, forward, two "
        "a multiply-add.",
    )

    @field_validator("reward", mode="before")
    @classmethod
    def _by_its_name(cls, value: Any) -> Any:
        return BEST if value == OLDER else value


Reward = Callable[[Outcome, RewardOptions], float]


def best(outcome: Outcome, options: RewardOptions) -> float:
    """The best score of all epochs (Baker et al. 2017, section 5)."""
    return outcome.best


def nas(outcome: Outcome, options: RewardOptions) -> float:
    """The best validation accuracy of the last five epochs, cubed (Zoph & Le 2017, section 4.1).

    Of a training that was stopped it is the predicted best of all epochs, cubed.
    """
    last = max(outcome.curve[-LAST_EPOCHS:]) if outcome.is_measured else outcome.best
    return float(last**3)


def block_qnn(outcome: Outcome, options: RewardOptions) -> float:
    """The accuracy less mu log10(FLOPs) and rho log10(density) (Zhong et al. 2018, equation 3).

    FLOPs are those of one image, forward, two a multiply-add; density is edges over nodes of the
    network's graph. Without these numbers, as where a training failed, it is the accuracy alone.
    """
    reward = outcome.best
    if outcome.metrics.get("multiply_adds"):
        flops = FLOPS_A_MULTIPLY_ADD * outcome.metrics["multiply_adds"]
        reward -= options.flops_weight * log10(flops)
    if outcome.metrics.get("edges"):
        density = outcome.metrics["edges"] / outcome.metrics["nodes"]
        reward -= options.density_weight * log10(density)
    return reward


REWARDS: Table[Reward] = Table(
    "reward", {BEST: best, "nas": nas, "block-qnn": block_qnn}, "metaqnn.rewards"
)
"""The reward of a training that succeeded."""
