"""How language models are made and trained.

By default as the small model of Zaremba, Sutskever & Vinyals 2014, https://arxiv.org/abs/1409.2329,
but by Adam: plain descent suits the LSTM, and most other cells learn next to nothing by it.
"""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.options import Positive, Probability
from metaqnn.task import Score
from metaqnn.training.shared import TrainingOptions

OPTIMIZERS = SGD, ADAM = "sgd", "adam"

UNITS = WORDS, CHARACTERS = "words", "characters"
"""What a text is read in."""


SCORES = {
    WORDS: Score("validation perplexity", "perplexity", "perplexity", digits=2),
    CHARACTERS: Score("bits a character", "bits", scale="bits", digits=3),
}
"""What people read of the likelihood of a text in such units."""


class LanguageRecipe(TrainingOptions):
    """The rules of a training."""

    HEADING: ClassVar = "Language models and their training"

    epochs: PositiveInt = Field(13, description="Epochs of a training.")
    seconds: Positive | None = Field(None, description="Of a training, at most.")
    batch_size: PositiveInt = Field(20, description="Pieces of text that are read side by side.")
    optimizer: str = Field(ADAM, description="adam or sgd.")
    learning_rate: Positive = Field(
        0.004, description="Of the first epochs; 1 suits sgd, which goes by the sum over a piece."
    )
    decay: Positive = Field(0.5, description="Factor of the learning rate at every epoch after.")
    constant_epochs: PositiveInt = Field(4, description="Epochs before the learning rate decays.")
    bptt: PositiveInt = Field(
        20, description="Tokens through which errors are propagated back; the state goes on."
    )
    clip_norm: Positive | None = Field(5.0, description="Length of the gradient, at most.")
    units: PositiveInt = Field(200, description="Of embeddings and layers.")
    match_parameters: PositiveInt | None = Field(
        None, description="Instead of --units: so many that the model has about this size."
    )
    layers: PositiveInt = Field(2, description="Of the cell, one on the other.")
    tied: bool = Field(False, description="The softmax has the weights of the embeddings.")
    unit_dropout: Annotated[Probability, Field(lt=1)] = Field(
        0.0, description="Of values on all links but the recurrent ones."
    )
    variational: bool = Field(
        False, description="One dropout for all steps between two updates, not one a step."
    )
    spread: Positive = Field(0.1, description="Weights begin between this and its negative.")

    @field_validator("optimizer")
    @classmethod
    def _known(cls, optimizer: str) -> str:
        if optimizer not in OPTIMIZERS:
            raise PydanticCustomError("optimizer", f"It must be one of {', '.join(OPTIMIZERS)}")
        return optimizer

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        return self.learning_rate * self.decay ** max(0, epoch + 1 - self.constant_epochs)
