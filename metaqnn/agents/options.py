"""The sections of a run's configuration that belong to one agent each."""

from typing import Annotated, Any

from pydantic import Field, PositiveInt, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.options import NotNegative, Probability, Section


class QLearningConfig(Section):
    """Options of the agent q-learning; the defaults are the paper's.

    `Q_PRESETS` has other values, and `_resolve` fills them in.
    """

    q_preset: str = Field(
        "paper",
        description="Values of the options from --alpha to --variants: paper, or practical. "
        "Default: practical for budgets under 1000.",
    )
    alpha: Annotated[float, Field(gt=0, le=1)] = Field(
        0.01, description="Q-learning rate. Default: 0.01 (paper), 0.05 (practical)."
    )
    gamma: Probability = Field(1.0, description="Discount of later Q-values.")
    initial_q: float = Field(
        0.5, allow_inf_nan=False, description="Q-value of what is not learnt yet."
    )
    sweeps: int = Field(
        100, ge=0, description="Trajectories replayed after each network (2017 code: 128)."
    )
    trace: Probability = Field(
        0.0,
        description="Lambda of the targets: 0 the best value of the next row, 1 the network's "
        "reward. Default: 0 (paper), 1 (practical).",
    )
    credit: Probability = Field(
        0.0,
        description="Share of what the network's other layers are known to add that is taken out "
        "of each target. Default: 0 (paper), 1 (practical).",
    )
    rank_rewards: bool = Field(
        False,
        description="Learn from the ranks of the rewards, 0 to 1. Default: off (paper), on "
        "(practical).",
    )
    elite: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0,
        description="The best network is replayed e^ELITE times as often as the worst. Default: "
        "0 (paper), 3 (practical).",
    )
    candidates: PositiveInt = Field(
        1,
        description="Networks drawn for each proposal, of which the most promising new one is "
        "taken. Default: 1 (paper), 32 (practical).",
    )
    bonus: NotNegative = Field(
        0.0,
        description="Weight of the bonus that a candidate gets for what was rarely tried. "
        "Default: 0 (paper), 0.3 (practical).",
    )
    prior: NotNegative = Field(
        0.0,
        description="Trials for which the mean over all states counts when candidates are judged "
        "by an action that was rarely tried. Default: 0 (paper), 2 (practical).",
    )
    variants: Probability = Field(
        0.0,
        description="Share of the candidates that are one of the ten best networks with one "
        "decision changed. Default: 0 (paper), 0.5 (practical).",
    )


Q_PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"epsilon_schedule": "scaled"},
    "practical": {
        "epsilon_schedule": "practical",
        "alpha": 0.05,
        "trace": 1.0,
        "credit": 1.0,
        "rank_rewards": True,
        "elite": 3.0,
        "candidates": 32,
        "bonus": 0.3,
        "prior": 2.0,
        "variants": 0.5,
    },
}
"""What a preset sets unless it is given."""

PRACTICAL_BELOW = 1000
"""A budget of fewer networks is too small for the paper's Q-learning."""


class ReinforceConfig(Section):
    """Options of the agent reinforce."""

    lstm_layers: PositiveInt = Field(2, description="Layers of the controller's LSTM (paper: 2).")
    lstm_units: PositiveInt = Field(35, description="Units of each of them (paper: 35).")
    controller_batch: PositiveInt = Field(4, description="Networks an update of the controller.")
    controller_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        0.05, description="Learning rate of the controller (paper: 6e-4; Lei & Xiong: 0.01)."
    )
    controller_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        1e-5, description="L2 penalty on the controller (paper: 0; Lei & Xiong: 1e-4)."
    )
    entropy: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        1e-3, description="Reinforce: weight of the policy's entropy beside the reward (paper: 0)."
    )
    logit_bound: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        2.25,
        description="Bound of the controller's logits, lest it become certain; 0 for none "
        "(paper: none; ENAS: 2.5).",
    )
    baseline_decay: Probability = Field(
        0.3, description="Reinforce: share of the reward baseline that an update keeps."
    )


class EvolutionConfig(Section):
    """Options of the agent evolution."""

    population: PositiveInt = Field(
        20, description="Evolution: how many of the networks told last may become parents."
    )
    tournament: PositiveInt = Field(
        10,
        validate_default=True,
        description="Evolution: of so many members of the population the best becomes a parent.",
    )

    @field_validator("tournament")
    @classmethod
    def _fits_population(cls, tournament: int, info: ValidationInfo) -> int:
        population = info.data.get("population", tournament)
        if tournament > population:
            raise PydanticCustomError(
                "tournament",
                "Must be at most the population, {population}",
                {"population": population},
            )
        return tournament


class LocalSearchConfig(Section):
    """Options of the agent local-search."""

    random_first: PositiveInt = Field(
        10, description="Local search: random networks before the best of them is improved."
    )
