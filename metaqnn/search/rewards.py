"""What an agent is told of a training: rewards by name."""

from collections.abc import Callable
from math import log10
from typing import TYPE_CHECKING

from replay import Outcome

if TYPE_CHECKING:
    from metaqnn.options import RewardConfig

LAST_EPOCHS = 5
FLOPS_A_MULTIPLY_ADD = 2


def is_measured(outcome: Outcome) -> bool:
    """Whether the outcome's accuracy is measured, not predicted of a training that was stopped."""
    return "predicted" not in outcome.metrics


def best_accuracy(outcome: Outcome) -> float:
    """The best validation accuracy of all epochs; predicted where the training was stopped so."""
    return max(outcome.curve) if is_measured(outcome) else outcome.metrics["predicted"]


def accuracy(outcome: Outcome, config: "RewardConfig") -> float:
    """The best validation accuracy of all epochs (Baker et al. 2017, section 5)."""
    return best_accuracy(outcome)


def nas(outcome: Outcome, config: "RewardConfig") -> float:
    """The best validation accuracy of the last five epochs, cubed (Zoph & Le 2017, section 4.1).

    Of a training that was stopped it is the predicted best of all epochs, cubed.
    """
    best = max(outcome.curve[-LAST_EPOCHS:]) if is_measured(outcome) else best_accuracy(outcome)
    return float(best**3)


def block_qnn(outcome: Outcome, config: "RewardConfig") -> float:
    """The accuracy less mu log10(FLOPs) and rho log10(density) (Zhong et al. 2018, equation 3).

    FLOPs are those of one image, forward, two a multiply-add; density is edges over nodes of the
    network's graph. Without these numbers, as where a training failed, it is the accuracy alone.
    """
    reward = best_accuracy(outcome)
    if outcome.metrics.get("multiply_adds"):
        flops = FLOPS_A_MULTIPLY_ADD * outcome.metrics["multiply_adds"]
        reward -= config.flops_weight * log10(flops)
    if outcome.metrics.get("edges"):
        density = outcome.metrics["edges"] / outcome.metrics["nodes"]
        reward -= config.density_weight * log10(density)
    return reward


REWARDS: dict[str, Callable[[Outcome, "RewardConfig"], float]] = {
    "accuracy": accuracy,
    "nas": nas,
    "block-qnn": block_qnn,
}
"""The reward of a training that succeeded; never more than its best accuracy."""
