"""What an agent is told of a training: rewards by name."""

from collections.abc import Callable
from math import e, exp, log, log10
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from metaqnn.objectives.names import OBJECTIVES, metrics_of
from metaqnn.options import NotNegative, Section
from metaqnn.registry import Table
from replay import Outcome

BEST = "score"
"""The reward that is the score itself."""

OLDER = "accuracy"
"""Likewise, when all scores were accuracies."""

NAS_PTB = "nas-ptb"

LAST_EPOCHS = 5
FLOPS_A_MULTIPLY_ADD = 2
NAS_PTB_CONSTANT = 80

_PERCENT: dict[str, Any] = {
    "score_in_percent": True,
    "log_base": e,
    "flops_a_multiply_add": 1,
    "density_of": "cells",
}

REWARD_PRESETS: dict[str, dict[str, Any]] = {
    "block-qnn-v1": {**_PERCENT, "flops_weight": 0.5, "density_weight": 0.5},
    "block-qnn-v3": {**_PERCENT, "flops_weight": 1.0, "density_weight": 8.0},
}
"""What a reward sets unless it is given: the weights of the two papers, and their likely units."""


class RewardOptions(Section):
    """What the agent is told of a training, and which networks are refused before it."""

    reward: str = Field(
        BEST,
        description="score (best of all epochs), nas (best score of the last five, cubed), or "
        "block-qnn (score - flops-weight log(FLOPs) - density-weight log(density)); "
        "block-qnn-v1 and block-qnn-v3 have the weights and units of its two papers. Of texts: "
        "nas-ptb (80 / perplexity^2, the best of all epochs).",
    )
    flops_weight: NotNegative = Field(
        0.01,
        description="Of block-qnn: accuracy that so many times the FLOPs as the base of the "
        "logarithm must gain. Default: 0.01, 0.5 (v1), 1 (v3).",
    )
    density_weight: NotNegative = Field(
        0.01,
        description="Of block-qnn: likewise for density, connections a layer. Default: 0.01, "
        "0.5 (v1), 8 (v3).",
    )
    log_base: Annotated[float, Field(gt=1, allow_inf_nan=False)] = Field(
        10.0, description="Of block-qnn's logarithms. Default: 10, e (v1, v3)."
    )
    score_in_percent: bool = Field(
        False, description="Of block-qnn: rewards from 0 to 100. Default: off, on (v1, v3)."
    )
    flops_a_multiply_add: PositiveInt = Field(
        FLOPS_A_MULTIPLY_ADD, description="Of block-qnn. Default: 2, 1 (v1, v3)."
    )
    density_of: Literal["network", "cells"] = Field(
        "network",
        description="Of block-qnn: density of all of a network, or of its cells, each counted "
        "once. Default: network, cells (v1, v3).",
    )
    objective: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (),
        description=f"Search for networks that have little of it, too: {', '.join(OBJECTIVES)}. "
        "May be given several times; `metaqnn top-k --pareto` shows what is found.",
    )
    max_parameters: PositiveInt | None = Field(
        None, description="Refuse networks with more weights and biases before they are trained."
    )
    max_flops: PositiveInt | None = Field(
        None,
        description="Refuse networks with more floating-point operations an image, forward, two "
        "a multiply-add.",
    )

    HEADING: ClassVar = "Reward and limits"
    ONLY_WITH: ClassVar = {
        ("reward", "block-qnn"): (
            *("flops_weight", "density_weight", "log_base", "score_in_percent"),
            *("flops_a_multiply_add", "density_of"),
        )
    }

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Write out what the reward sets."""
        preset = REWARD_PRESETS.get(str(given.get("reward")), {})
        return {**preset, **given}

    @property
    def costs(self) -> tuple[str, ...]:
        """The metrics of the objectives."""
        return metrics_of(self.objective)

    @field_validator("objective", mode="before")
    @classmethod
    def _are_known(cls, value: Any) -> Any:
        names = (value,) if isinstance(value, str) else value
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            metrics_of(tuple(names))
        return names

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


def nas_ptb(outcome: Outcome, options: RewardOptions) -> float:
    """80 / perplexity^2 of a token, at the best of all epochs (Zoph & Le 2017, section 4.2)."""
    return NAS_PTB_CONSTANT * exp(2 * outcome.best)


def block_qnn(outcome: Outcome, options: RewardOptions) -> float:
    """The accuracy less mu log(FLOPs) and rho log(density) (Zhong et al. 2018, equation 7).

    FLOPs are those of one image, forward; density is edges over nodes of the network's graph, or of
    its cells. Without these numbers, as where a training failed, it is the accuracy alone.
    """
    reward, metrics = outcome.best, outcome.metrics
    if options.score_in_percent:
        reward *= 100
    if metrics.get("multiply_adds"):
        flops = options.flops_a_multiply_add * metrics["multiply_adds"]
        reward -= options.flops_weight * _log(flops, options)
    if metrics.get("edges"):
        density = metrics["edges"] / metrics["nodes"]
        if options.density_of == "cells":
            density = metrics.get("density", density)
        reward -= options.density_weight * _log(density, options)
    return reward


def _log(value: float, options: RewardOptions) -> float:
    # of 10 it is exact, as log(value, 10) is not
    return log10(value) if options.log_base == 10 else log(value) / log(options.log_base)


REWARDS: Table[Reward] = Table(
    "reward",
    {
        **{BEST: best, "nas": nas, NAS_PTB: nas_ptb, "block-qnn": block_qnn},
        **dict.fromkeys(REWARD_PRESETS, block_qnn),
    },
    "metaqnn.rewards",
)
"""The reward of a training that succeeded."""

OF_LIKELIHOODS = {NAS_PTB}
"""Those that make sense of likelihoods alone."""
