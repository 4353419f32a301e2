"""Options that trainings of all kinds of networks have; each kind says what they mean to it."""

from typing import Any

from pydantic import Field, PositiveInt

from metaqnn.options import Positive, Section, fields_of, is_section


class TrainingOptions(Section):
    """How long a network is trained, and at which rate."""

    epochs: PositiveInt = Field(20, description="Epochs of a training.")
    seconds: Positive | None = Field(None, description="Of a training, at most.")
    batch_size: PositiveInt = Field(128, description="Examples a step.")
    optimizer: str = Field("adam", description="What takes the steps.")
    learning_rate: Positive = Field(1e-3, description="At the first epoch, or at the peak.")
    decay: Positive = Field(0.2, description="Factor of the learning rate at every decay step.")
    clip_norm: Positive | None = Field(None, description="Length of a gradient, at most.")


def names_of_training(section: type[Section]) -> set[str]:
    """The options of an evaluator's that say how networks are trained."""
    inner: list[Any] = [
        each.annotation for each in section.model_fields.values() if is_section(each)
    ]
    return {name for one in inner if issubclass(one, TrainingOptions) for name in fields_of(one)}
