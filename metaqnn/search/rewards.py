"""What an agent is told of a training: rewards by name."""

from collections.abc import Callable
from math import e, exp, floor, log, log10
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.errors import MetaqnnError
from metaqnn.objectives.names import LATENCY, OBJECTIVES, metrics_of
from metaqnn.options import NotNegative, Section, read_duration
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
    "mnasnet-hard": {"latency_exponent": -1.0, "latency_exponent_below": 0.0},
}
"""What a reward sets unless it is given: of block-qnn the weights of the two papers, and their
likely units; of mnasnet the other one of the paper's two pairs."""

NotPositive = Annotated[float, Field(le=0, allow_inf_nan=False)]

LATENCIES = "such as 5ms, 800us or 0.01s"


def read_latency(text: str) -> float:
    """Seconds, of 5ms, 800us or 0.01s.

    Raises:
        ValueError: It is something else.
    """
    return read_duration(text, {"s": 1, "ms": 1e-3, "us": 1e-6})


def show_latency(seconds: float) -> str:
    """Milliseconds in three digits, for people."""
    milliseconds = 1e3 * seconds
    digits = 2 - floor(log10(milliseconds)) if milliseconds > 0 else 0
    return f"{milliseconds:,.{min(max(digits, 0), 5)}f} ms"


class RewardOptions(Section):
    """What the agent is told of a training, and which networks are refused before it."""

    reward: str = Field(
        BEST,
        description="score (best of all epochs), nas (best score of the last five, cubed), or "
        "block-qnn (score - flops-weight log(FLOPs) - density-weight log(density)); "
        "block-qnn-v1 and block-qnn-v3 have the weights and units of its two papers; mnasnet "
        "(score times (latency/target)^exponent), mnasnet-hard, or tunas (score - latency-weight "
        "|latency/target - 1|). Of texts: nas-ptb (80 / perplexity^2, the best of all epochs).",
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
    max_latency: str | None = Field(
        None,
        description="Refuse networks that take longer for an image, " + LATENCIES + ", which is "
        "measured before they are trained: onnxruntime, one thread of this machine.",
    )
    target_latency: str | None = Field(
        None, description="Of mnasnet and tunas: what latency to aim at. Default: max-latency."
    )
    latency_exponent: NotPositive = Field(
        -0.07, description="Of mnasnet: above the target. Default: -0.07, -1 (hard)."
    )
    latency_exponent_below: NotPositive = Field(
        -0.07, description="Of mnasnet: likewise below it. Default: -0.07, 0 (hard)."
    )
    latency_weight: NotNegative = Field(
        0.1, description="Of tunas: score that a latency of twice the target costs."
    )

    HEADING: ClassVar = "Reward and limits"
    ONLY_WITH: ClassVar = {
        ("reward", "block-qnn"): (
            *("flops_weight", "density_weight", "log_base", "score_in_percent"),
            *("flops_a_multiply_add", "density_of"),
        ),
        ("reward", "mnasnet"): ("latency_exponent", "latency_exponent_below"),
        ("reward", "tunas"): ("latency_weight",),
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

    @field_validator("max_latency", "target_latency")
    @classmethod
    def _is_latency(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                read_latency(value)
        except ValueError:
            raise PydanticCustomError("latency", "a latency is wanted, " + LATENCIES) from None
        return value

    @property
    def limit(self) -> float | None:
        """The longest latency that is allowed, in seconds."""
        return None if self.max_latency is None else read_latency(self.max_latency)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The metrics that networks must have: objectives, and a latency to be held to a target."""
        aimed = () if self.target is None else (LATENCY,)
        return tuple(dict.fromkeys((*self.costs, *aimed)))

    @property
    def measures_latency(self) -> bool:
        """Whether the latency of networks is asked for."""
        return LATENCY in self.wanted

    @property
    def target(self) -> float | None:
        """The latency to aim at, in seconds."""
        return self.limit if self.target_latency is None else read_latency(self.target_latency)


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


def mnasnet(outcome: Outcome, options: RewardOptions) -> float:
    """The score times (latency / target)^w (Tan et al. 2019, equations 2 and 3).

    A score below 0, of which nothing is said there, is divided by it, so that slower is worse of
    those too. Without a latency, as where a training failed, it is the score alone.
    """
    ratio = _ratio(outcome, options)
    exponent = options.latency_exponent if ratio > 1 else options.latency_exponent_below
    return float(outcome.best * ratio ** (exponent if outcome.best > 0 else -exponent))


def tunas(outcome: Outcome, options: RewardOptions) -> float:
    """The score less beta |latency / target - 1| (Bender et al. 2020, the absolute reward).

    Without a latency, as where a training failed, it is the score alone. The weight is -beta of the
    published code.
    """
    return outcome.best - options.latency_weight * abs(_ratio(outcome, options) - 1)


def _ratio(outcome: Outcome, options: RewardOptions) -> float:
    """Latency over target; 1 where the latency is not known.

    Raises:
        MetaqnnError: There is no target.
    """
    if options.target is None:
        raise MetaqnnError(
            f"reward {options.reward} needs a latency to aim at: target-latency or max-latency, "
            + LATENCIES
        )
    return float(outcome.metrics.get(LATENCY, options.target) / options.target)


def _log(value: float, options: RewardOptions) -> float:
    # of 10 it is exact, as log(value, 10) is not
    return log10(value) if options.log_base == 10 else log(value) / log(options.log_base)


REWARDS: Table[Reward] = Table(
    "reward",
    {
        **{BEST: best, "nas": nas, NAS_PTB: nas_ptb, "block-qnn": block_qnn},
        **dict.fromkeys(REWARD_PRESETS, block_qnn),
        **{"mnasnet": mnasnet, "mnasnet-hard": mnasnet, "tunas": tunas},
    },
    "metaqnn.rewards",
)
"""The reward of a training that succeeded."""

OF_LIKELIHOODS = {NAS_PTB}
"""Those that make sense of likelihoods alone."""
