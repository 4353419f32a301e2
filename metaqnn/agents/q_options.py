"""The options of Q-learning, and their presets."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt

from metaqnn.agents.schedule import FOR_BUDGET, PAPER, WRITTEN_OUT, EpsilonSchedule
from metaqnn.budget import DEFAULT_BUDGET, reserved
from metaqnn.errors import MetaqnnError
from metaqnn.options import NotNegative, Probability, Section
from state_space.settings import suggestion

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
    "block-qnn": {"epsilon_schedule": "block-qnn-scaled", "shaped": True, "sweeps": 1},
}
"""What a preset sets unless it is given."""

PRACTICAL_BELOW = 1000
"""A budget of fewer networks is too small for the paper's Q-learning."""


class QLearningOptions(Section):
    """Options of the agent q-learning; the defaults are the paper's.

    `Q_PRESETS` has other values, which `complete` fills in.
    """

    FREE: ClassVar = ("q_table",)
    INPUTS: ClassVar = ("q_table",)

    epsilon_schedule: str = Field(
        PAPER,
        description="EPSILON:NETWORKS,..., paper (2,700 networks), scaled (the paper's "
        "proportions over the budget), block-qnn (11,392 networks), block-qnn-scaled, or "
        "practical (ten networks at 1, then 0.5). Default: by --q-preset.",
    )
    q_table: str | None = Field(None, description="Start from the Q-table in this CSV file.")

    q_preset: str = Field(
        "paper",
        description="Values of the options from --alpha to --shaped: paper, practical or "
        "block-qnn. Default: practical for budgets under 1000.",
    )
    alpha: Annotated[float, Field(gt=0, le=1)] = Field(
        0.01, description="Q-learning rate. Default: 0.01 (paper), 0.05 (practical)."
    )
    gamma: Probability = Field(1.0, description="Discount of later Q-values.")
    initial_q: float = Field(
        0.5, allow_inf_nan=False, description="Q-value of what is not learnt yet."
    )
    sweeps: int = Field(
        100,
        ge=0,
        description="Trajectories replayed after each network (2017 code: 128; block-qnn: 1).",
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
    shaped: bool = Field(
        False,
        description="Reward every one of a network's T decisions with a T-th of its reward, not "
        "the last one with all of it. Default: off, on (block-qnn).",
    )

    @classmethod
    def complete(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Choose a preset for the budget, take its values, and write the schedule out.

        A schedule that is given says how large the budget is where that is not given. One that is
        made is for those trainings that are not for confirming.

        Raises:
            MetaqnnError: There is no such preset, or the schedule is malformed.
        """
        budget, schedule = given.get("budget"), given.get("epsilon_schedule")
        preset = given.get("q_preset")
        if preset is None:
            preset = "paper" if _planned(schedule, budget) >= PRACTICAL_BELOW else "practical"
        if isinstance(preset, str):
            if preset not in Q_PRESETS:
                raise MetaqnnError(
                    f"there is no q-preset {preset!r}{suggestion(preset, Q_PRESETS)}"
                )
            given = {**Q_PRESETS[preset], **given, "q_preset": preset}
        schedule = given.get("epsilon_schedule", "scaled")
        if isinstance(schedule, str) and isinstance(budget, int | None):
            if schedule in FOR_BUDGET:
                budget = DEFAULT_BUDGET if budget is None else budget
                confirm = given.get("confirm")
                confirm = confirm if isinstance(confirm, int) and confirm > 0 else 0
                searching = budget - reserved(budget, confirm)
                parsed: EpsilonSchedule = FOR_BUDGET[schedule](searching)
            else:
                parsed = _parse(schedule)
            budget = parsed.total if budget is None else budget
            given = {**given, "epsilon_schedule": str(parsed), "budget": budget}
        return given


def _parse(schedule: str) -> EpsilonSchedule:
    return EpsilonSchedule.parse(WRITTEN_OUT.get(schedule, schedule))


def _planned(schedule: Any, budget: Any) -> int:
    """How many networks a schedule and a budget, both as given, ask for."""
    if isinstance(budget, int):
        return budget
    if not isinstance(schedule, str) or schedule in FOR_BUDGET:
        return DEFAULT_BUDGET
    return _parse(schedule).total
