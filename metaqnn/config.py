"""The configuration of a run: checked, and TOML in and out."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from metaqnn.agents.schedule import PAPER, EpsilonSchedule
from metaqnn.errors import MetaqnnError
from metaqnn.registry import AGENTS, EVALUATORS, check_name, find_dataset
from metaqnn.rewards import REWARDS
from metaqnn.training.recipe import Recipe
from state_space.settings import suggestion

DEFAULT_BUDGET = 70
"""Networks of a run that says neither budget nor schedule."""

CHOICES: tuple[tuple[str, Iterable[str], str], ...] = (
    ("agent", AGENTS, "q-learning"),
    ("evaluator", EVALUATORS, "train"),
    ("reward", REWARDS, "accuracy"),
)
"""Options whose values are names: the option, the known names and the default."""

M = TypeVar("M", bound=BaseModel)
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """Immutable, strict about types, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataConfig(Section):
    """Which images, and how they are split."""

    dataset: str = Field(
        "digits", description="A name that `metaqnn datasets` lists, npz:FILE or folder:DIR."
    )
    data_dir: str | None = Field(None, description="Folder in which the data set lies.")
    download: bool = Field(False, description="Download the data set into --data-dir if need be.")
    image_size: PositiveInt | None = Field(
        None, description="Resize the images to this height and width."
    )
    train_limit: PositiveInt | None = Field(
        None, description="Use so many training images, validation included."
    )
    validation: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        0.2,
        description="Validation images: a number, or a share below 1 of the training images. "
        "Default: a fifth for digits, a tenth for others.",
    )
    split_seed: int = Field(0, ge=0, description="Seed of the split into training and validation.")


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
    elite: NotNegative = Field(
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


class RewardConfig(Section):
    """What the agent is told of a training, and which networks are refused before it."""

    reward: str = Field(
        "accuracy",
        description="accuracy (best of all epochs), nas (best of the last five, cubed), or "
        "block-qnn (accuracy - flops-weight log10(FLOPs) - density-weight log10(edges / nodes)).",
    )
    flops_weight: NotNegative = Field(
        0.01, description="Of block-qnn: accuracy that a tenfold of FLOPs must gain."
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


class EvaluatorConfig(Section):
    """What scores the networks."""

    evaluator: str = Field(
        "train",
        description="train, table (--table), surrogate (--surrogate-from) or bandit.",
    )
    table: str | None = Field(
        None, description="JSON file [.gz] of published accuracies, such as NAS-Bench-Macro's."
    )
    surrogate_from: str | None = Field(
        None,
        description="A run's folder, or a replay_database.csv[.gz] of the 2017 code: the "
        "recorded networks to which a regression is fitted.",
    )


class RunConfig(Section):
    """Everything that decides what a run does.

    In TOML and on the command line the keys of all sections stand side by side. `from_flat` also
    resolves what depends on other options: defaults of the data set, named schedules.
    """

    data: DataConfig = DataConfig()
    space: str = Field(
        "digits",
        description="A name that `metaqnn space` lists, or a TOML file. Default: the data set's.",
    )
    agent: str = Field("q-learning", description=f"One of {', '.join(AGENTS)}.")
    budget: int = Field(
        DEFAULT_BUDGET,
        ge=0,
        description="Distinct networks to train. Default: the schedule's total, or 70.",
    )
    epsilon_schedule: str = Field(
        "scaled",
        description="EPSILON:NETWORKS,..., paper (2,700 networks), scaled (the paper's "
        "proportions over the budget), or practical (ten networks at 1, then 0.5). Default: "
        "practical or scaled, by --q-preset.",
    )
    q_learning: QLearningConfig = QLearningConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    local_search: LocalSearchConfig = LocalSearchConfig()
    evaluation: EvaluatorConfig = EvaluatorConfig()
    rewards: RewardConfig = RewardConfig()
    start_from: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (),
        description="A network to train first, such as '[C(64,3,1), SM(10)]', from which the "
        "agent goes on; may be given several times.",
    )
    grow_every: PositiveInt = Field(
        1600, description="Networks after which a space that grows is raised by a stage."
    )
    recipe: Recipe = Recipe()
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the whole run.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")
    keep: int = Field(5, ge=0, description="Keep the weights of the best so many networks.")
    replay_from: str | None = Field(
        None, description="Learn first from this replay_database.csv[.gz] of the 2017 code."
    )
    q_table: str | None = Field(None, description="Start from the Q-table in this CSV file.")

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """The configuration of keys as in a TOML file, "epsilon-schedule" for epsilon_schedule.

        Raises:
            MetaqnnError: A key is unknown or a value impossible.
        """
        homes = {name: home for home, name in keys()}
        named = {key.replace("-", "_"): value for key, value in values.items()}
        for name in named:
            if name not in homes:
                key = name.replace("_", "-")
                raise MetaqnnError(f"unknown option {key}{suggestion(key, option_names())}")
        nested: dict[str, Any] = {}
        for name, value in _resolve(named).items():
            home = homes[name]
            (nested if home is None else nested.setdefault(home, {}))[name] = value
        return _validated(cls, nested)

    def flat(self) -> dict[str, Any]:
        """All keys that have a value, as in a TOML file."""
        values = self.model_dump(mode="json")
        flat = {
            name.replace("_", "-"): values[name] if home is None else values[home][name]
            for home, name in keys()
        }
        return {key: value for key, value in flat.items() if value is not None}

    def to_toml(self) -> str:
        """The text that `read_toml` and `from_flat` turn into this configuration."""
        return tomli_w.dumps(self.flat())


def _validated(model: type[M], values: Mapping[str, Any]) -> M:
    """The model of the values, or one line that names all that is wrong with them."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{str(problem['loc'][-1]).replace('_', '-')} is {problem['input']!r}: "
            f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
            for problem in error.errors()
        ]
        raise MetaqnnError("; ".join(problems)) from None


def _resolve(values: dict[str, Any]) -> dict[str, Any]:
    """Write out the defaults of the data set and the schedules that have a name.

    Values of a wrong type are left to the checks of the fields.
    """
    dataset = values.get("dataset", "digits")
    if isinstance(dataset, str):
        entry, _ = find_dataset(dataset)
        defaults = {"space": entry.space, "validation": entry.validation, **entry.options}
        values = {**defaults, **values}
    for option, known, default in CHOICES:
        choice = values.get(option, default)
        if isinstance(choice, str):
            check_name(option, known, choice)
    budget = values.get("budget")
    preset = values.get("q_preset")
    if preset is None:
        planned = values.get("epsilon_schedule") == "paper" or (
            isinstance(budget, int) and budget >= PRACTICAL_BELOW
        )
        preset = "paper" if planned else "practical"
    if isinstance(preset, str):
        check_name("q-preset", Q_PRESETS, preset)
        values = {**Q_PRESETS[preset], **values, "q_preset": preset}
    schedule = values.get("epsilon_schedule", "scaled")
    if isinstance(schedule, str) and isinstance(budget, int | None):
        if schedule in ("scaled", "practical"):
            budget = DEFAULT_BUDGET if budget is None else budget
            parsed = getattr(EpsilonSchedule, schedule)(budget)
        else:
            parsed = EpsilonSchedule.parse(PAPER if schedule == "paper" else schedule)
        budget = parsed.total if budget is None else budget
        values = {**values, "epsilon_schedule": str(parsed), "budget": budget}
    return values


class OutputConfig(Section):
    """Where a run's folder is, and what is printed: options that change no result."""

    name: str | None = None
    results_dir: str = "results"
    quiet: bool = False


def split_output(values: Mapping[str, Any]) -> tuple[OutputConfig, dict[str, Any]]:
    """The options of output, and all others, which `RunConfig.from_flat` takes.

    Raises:
        MetaqnnError: A value is impossible.
    """
    own = {name: value for name, value in values.items() if name in OutputConfig.model_fields}
    others = {name: value for name, value in values.items() if name not in own}
    return _validated(OutputConfig, own), others


def keys() -> list[tuple[str | None, str]]:
    """Every option as (the section that holds it or None, its name)."""
    found: list[tuple[str | None, str]] = []
    for name, field in RunConfig.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            found += [(name, inner) for inner in section.model_fields]
        else:
            found.append((None, name))
    return found


def option_names() -> list[str]:
    """Every option as it is written in TOML and, after --, on the command line."""
    return [name.replace("_", "-") for _, name in keys()]


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        MetaqnnError: The file is not there, not readable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from error
