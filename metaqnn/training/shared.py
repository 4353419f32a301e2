"""Options that trainings of all kinds of networks have; each kind says what they mean to it."""

from pydantic import Field, PositiveInt

from metaqnn.options import Positive, Section


class TrainingOptions(Section):
    """How long a network is trained, and at which rate."""

    epochs: PositiveInt = Field(20, description="Epochs of a training.")
    seconds: Positive | None = Field(None, description="Of a training, at most.")
    batch_size: PositiveInt = Field(128, description="Examples a step.")
    optimizer: str = Field("adam", description="What takes the steps.")
    learning_rate: Positive = Field(1e-3, description="At the first epoch, or at the peak.")
    decay: Positive = Field(0.2, description="Factor of the learning rate at every decay step.")
    clip_norm: Positive | None = Field(None, description="Length of a gradient, at most.")
