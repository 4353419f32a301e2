"""The sections of a run's configuration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.registry import full_name

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """Immutable, strict about types, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataConfig(Section):
    """Which images, and how they are split."""

    dataset: str = Field(
        "digits",
        description="A name that `metaqnn datasets` lists, npz:FILE or folder:DIR; a path alone is "
        "either.",
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
    arrays: str | None = Field(
        None,
        description="Of npz:FILE: the names IMAGES,LABELS of the arrays for training, then those "
        "of the test and of validation. Default: the usual names, such as x_train,y_train.",
    )
    transparency: str = Field(
        "white",
        description="What becomes of transparency in pictures: laid on white or black, or kept as "
        "a channel: keep.",
    )
    colour: str = Field(
        "auto",
        description="Of pictures: auto (grey where all are grey), grey or rgb.",
    )
    skip_broken: bool = Field(
        False, description="Go on without pictures that cannot be read, and count them."
    )

    @field_validator("dataset")
    @classmethod
    def _with_kind(cls, name: str) -> str:
        return full_name(name)

    @field_validator("transparency", "colour")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        known = {"transparency": ("white", "black", "keep"), "colour": ("auto", "grey", "rgb")}
        allowed = known[str(info.field_name)]
        if value not in allowed:
            raise PydanticCustomError("known", "One of {known}", {"known": ", ".join(allowed)})
        return value


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


class ExecutionConfig(Section):
    """Where and how the trainings run; none of it makes a run another one."""

    executor: str = Field(
        "in-process",
        description="in-process, processes (of this machine) or ray (of many). Default: "
        "in-process, or processes where --workers or --network-timeout ask for them.",
    )
    workers: PositiveInt | None = Field(
        None,
        description="Networks trained at once. Default: 1; on GPUs all their slots; with ray as "
        "many as the cluster has cores, or GPU slots.",
    )
    threads: PositiveInt | None = Field(
        None,
        description="Threads of a worker on CPUs. Default: 1; in-process all cores, or 1 "
        "for digits.",
    )
    slots_per_gpu: PositiveInt = Field(1, description="Networks that share a GPU.")
    network_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Seconds after which a training is ended; it is tried once more."
    )
    ray_address: str | None = Field(
        None, description="Address of a Ray cluster, or auto. Default: a cluster of this machine."
    )

    @field_validator("workers")
    @classmethod
    def _one_in_process(cls, workers: int | None, info: ValidationInfo) -> int | None:
        if info.data.get("executor") == "in-process" and workers not in (None, 1):
            raise PydanticCustomError("one", "In-process trains one at once; --executor processes")
        return workers

    @field_validator("network_timeout")
    @classmethod
    def _not_in_process(cls, timeout: float | None, info: ValidationInfo) -> float | None:
        if info.data.get("executor") == "in-process" and timeout is not None:
            raise PydanticCustomError("killed", "Only --executor processes or ray can end one")
        return timeout

    @field_validator("ray_address")
    @classmethod
    def _only_of_ray(cls, address: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("executor") != "ray" and address is not None:
            raise PydanticCustomError("ray", "Only --executor ray has one")
        return address


class StoppingConfig(Section):
    """Which trainings end early, because they are hopeless."""

    predictor: bool = Field(
        False, description="End a training whose predicted accuracy is hopeless."
    )
    delta: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.95,
        description="Of --predictor: a training ends when it stays below the --rival-th best with "
        "this probability.",
    )
    rival: PositiveInt = Field(
        5, description="Of --predictor: how many networks may be better than one worth training."
    )
    predictor_after: int = Field(
        100, ge=10, description="Of --predictor: networks trained in full before it begins."
    )
    halving: bool = Field(
        False,
        description="End a training that is not among the best at a rung: asynchronous "
        "successive halving.",
    )
    halving_factor: int = Field(
        3, ge=2, description="Of --halving: one in so many goes on at each rung."
    )
    halving_first: PositiveInt = Field(1, description="Of --halving: epochs before the first rung.")

    @property
    def stopper(self) -> str | None:
        """The name of what ends trainings; None where all are trained in full."""
        return "predictor" if self.predictor else "halving" if self.halving else None

    @field_validator("halving")
    @classmethod
    def _alone(cls, halving: bool, info: ValidationInfo) -> bool:
        if halving and info.data.get("predictor"):
            raise PydanticCustomError("alone", "Cannot be combined with --predictor")
        return halving
