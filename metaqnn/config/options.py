"""The options that belong to no part of a run."""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.agents.base import AGENTS
from metaqnn.budget import DEFAULT_BUDGET
from metaqnn.options import Section, read_duration


def read_time(text: str) -> float:
    """Seconds, of 90s, 10m, 1.5h or 1h30m.

    Raises:
        ValueError: It is something else.
    """
    try:
        return read_duration(text, {"h": 3600, "m": 60, "s": 1})
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 90s, 10m or 1.5h") from None


class RunOptions(Section):
    """What belongs to no part."""

    space: str = Field(
        "digits",
        description="A name that `metaqnn space` lists, or a TOML file. Default: the data set's.",
    )
    agent: str = Field("q-learning", description=f"One of {', '.join(AGENTS)}.")
    evaluator: str = Field(
        "train",
        description="What scores networks: train, table (--table), surrogate (--surrogate-from) or "
        "bandit.",
    )
    executor: str = Field(
        "in-process",
        description="in-process, processes (of this machine) or ray (of many). Default: "
        "in-process, or processes where --workers or --network-timeout ask for them.",
    )
    budget: int = Field(
        DEFAULT_BUDGET,
        ge=0,
        description="Distinct networks to train. Default: the schedule's total, or 70.",
    )
    confirm: int = Field(
        0,
        ge=0,
        description="Train the best so many networks again with other seeds, and again while it is "
        "not sure which of them is the best; up to a quarter of the budget, or of the time of the "
        "search, is for that. Default: 0, or 3 where --time-limit is long enough.",
    )
    time_limit: str | None = Field(
        None,
        description="Time for it all, such as 90s, 10m or 1.5h: three tenths for a search among "
        "small networks or short trainings, the rest to train the best one large and long. "
        "Default: 10m for images of your "
        "own, where nothing is said of budget, space or agent.",
    )
    start_from: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (),
        description="A network to train first, such as '[C(64,3,1), SM(10)]', from which the "
        "agent goes on; may be given several times.",
    )
    grow_every: PositiveInt = Field(
        1600, description="Raise a growing space after so many networks, by a stage."
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the whole run.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")
    keep: int = Field(
        5,
        ge=0,
        description="Keep the weights of the best so many networks, and with --objective of all of "
        "the front; 0 keeps none.",
    )
    tensorboard: bool = Field(
        False, description="Write files for TensorBoard, into the run's folder."
    )
    replay_from: str | None = Field(
        None,
        description="Learn first from another run's folder, as far as its networks are in this "
        "space, or from a replay_database.csv[.gz] of the 2017 code.",
    )

    FREE: ClassVar = (
        *("executor", "budget", "confirm", "time_limit", "device", "keep", "tensorboard"),
        "replay_from",
    )
    CHANGEABLE: ClassVar = ("budget", "confirm", "time_limit", "device", "tensorboard", "executor")
    INPUTS: ClassVar = ("replay_from",)
    HEADING: ClassVar = "Search"
    ELSEWHERE: ClassVar = {"Speed": ("device", "executor"), "Output": ("keep", "tensorboard")}

    @field_validator("time_limit")
    @classmethod
    def _is_time(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                read_time(value)
        except ValueError:
            raise PydanticCustomError(
                "time", "a time is wanted, such as 90s, 10m or 1.5h"
            ) from None
        return value
