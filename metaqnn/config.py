"""The configuration of a run: checked, and TOML in and out."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import tomli_w
from pydantic import (
    BaseModel,
    Field,
    PositiveInt,
    ValidationError,
)

from metaqnn.agents.bayesian import BayesianOptions
from metaqnn.agents.progressive import ProgressiveOptions
from metaqnn.agents.schedule import PAPER, EpsilonSchedule
from metaqnn.agents.sections import (
    PRACTICAL_BELOW,
    Q_PRESETS,
    EvolutionConfig,
    LocalSearchConfig,
    QLearningConfig,
    ReinforceConfig,
)
from metaqnn.errors import MetaqnnError
from metaqnn.registry import (
    AGENTS,
    EVALUATORS,
    EXECUTORS,
    OPTIMIZERS,
    check_name,
    find_dataset,
)
from metaqnn.rewards import REWARDS
from metaqnn.sections import (
    DataConfig,
    EvaluatorConfig,
    ExecutionConfig,
    RewardConfig,
    Section,
    StoppingConfig,
)
from metaqnn.training.recipe import Recipe
from state_space.settings import suggestion

DEFAULT_BUDGET = 70
"""Networks of a run that says neither budget nor schedule."""

CHOICES: tuple[tuple[str, Iterable[str], str], ...] = (
    ("agent", AGENTS, "q-learning"),
    ("evaluator", EVALUATORS, "train"),
    ("reward", REWARDS, "accuracy"),
    ("executor", EXECUTORS, "in-process"),
    ("optimizer", OPTIMIZERS, "adam"),
)
"""Options whose values are names: the option, the known names and the default."""

OF_EXECUTOR = ("executor", "workers", "network-timeout", "ray-address")
"""Options that belong to one executor."""

CHANGEABLE = (
    *("budget", "device", "data_dir", "table", "surrogate_from", "tensorboard"),
    *ExecutionConfig.model_fields,
)
"""Options that a run may be given anew, as `metaqnn resume` does."""

OF_FINALS = (
    *("device", "data_dir", "train_limit"),
    *ExecutionConfig.model_fields,
    *Recipe.model_fields,
)
"""Options that the final trainings of a run may be given anew, as `metaqnn finalize` does."""

NAMED_SCHEDULES = ("scaled", "practical")
"""Schedules that are made for a budget."""

M = TypeVar("M", bound=BaseModel)


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
    reinforce: ReinforceConfig = ReinforceConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    local_search: LocalSearchConfig = LocalSearchConfig()
    bayesian: BayesianOptions = BayesianOptions()
    progressive: ProgressiveOptions = ProgressiveOptions()
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
    stopping: StoppingConfig = StoppingConfig()
    execution: ExecutionConfig = ExecutionConfig()
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the whole run.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")
    keep: int = Field(5, ge=0, description="Keep the weights of the best so many networks.")
    tensorboard: bool = Field(
        False, description="Write files for TensorBoard into the run's folder."
    )
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
        return validated(cls, nested)

    def flat(self) -> dict[str, Any]:
        """All keys that have a value, as in a TOML file."""
        values = self.model_dump(mode="json")
        flat = {
            name.replace("_", "-"): values[name] if home is None else values[home][name]
            for home, name in keys()
        }
        return {key: value for key, value in flat.items() if value is not None}

    def changed(self, options: Mapping[str, Any]) -> Self:
        """The configuration with some other values.

        What it says of an executor does not hold for another: not its workers, and in-process,
        which is the default, not where workers or a timeout are asked for.

        Raises:
            MetaqnnError: See `from_flat`.
        """
        flat = self.flat()
        if options.get("executor", flat["executor"]) != flat["executor"]:
            flat = {key: value for key, value in flat.items() if key not in OF_EXECUTOR}
        elif flat["executor"] == "in-process":
            del flat["executor"]
        return self.from_flat({**flat, **options})

    def to_toml(self) -> str:
        """The text that `read_toml` and `from_flat` turn into this configuration."""
        return tomli_w.dumps(self.flat())


def validated(model: type[M], values: Mapping[str, Any]) -> M:
    """The model of the values.

    Raises:
        MetaqnnError: One line that names all that is wrong with them.
    """
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
    if "executor" not in values and (
        values.get("workers", 1) != 1 or values.get("network_timeout") is not None
    ):
        values = {**values, "executor": "processes"}
    budget = values.get("budget")
    preset = values.get("q_preset")
    if preset is None:
        planned = _planned(values.get("epsilon_schedule"), budget)
        preset = "paper" if planned >= PRACTICAL_BELOW else "practical"
    if isinstance(preset, str):
        check_name("q-preset", Q_PRESETS, preset)
        values = {**Q_PRESETS[preset], **values, "q_preset": preset}
    schedule = values.get("epsilon_schedule", "scaled")
    if isinstance(schedule, str) and isinstance(budget, int | None):
        if schedule in NAMED_SCHEDULES:
            budget = DEFAULT_BUDGET if budget is None else budget
            parsed = getattr(EpsilonSchedule, schedule)(budget)
        else:
            parsed = EpsilonSchedule.parse(PAPER if schedule == "paper" else schedule)
        budget = parsed.total if budget is None else budget
        values = {**values, "epsilon_schedule": str(parsed), "budget": budget}
    return values


def _planned(schedule: Any, budget: Any) -> int:
    """How many networks a schedule and a budget, both as given, ask for."""
    if isinstance(budget, int):
        return budget
    if not isinstance(schedule, str) or schedule in NAMED_SCHEDULES:
        return DEFAULT_BUDGET
    return EpsilonSchedule.parse(PAPER if schedule == "paper" else schedule).total


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
