"""How networks are trained: the rules of Baker et al. 2017, section 5 and appendix."""

from math import cos, inf, pi
from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from metaqnn.networks.ops import DROPOUT, find_op
from metaqnn.options import Positive
from metaqnn.training.shared import TrainingOptions
from state_space import Architecture, Node

SCHEDULES = STEPS, ONE_CYCLE, COSINE = "steps", "one-cycle", "cosine"
"""How a learning rate goes."""

CLASS_WEIGHTS = NONE, BALANCED = "none", "balanced"
"""How much images of a class count in the loss."""

MOVING = "sgd", "muon"
"""Optimizers with a momentum."""

WARM_UP, FIRST, LAST = 0.3, 25, 1e4
"""Of one cycle: the share of its steps that go up, how many times lower than the peak it begins,
and how many times lower than that it ends."""


class Recipe(TrainingOptions):
    """The rules of a training; the defaults are the paper's for the search.

    The 2017 code differs in dropout_after_fc (true), weight_decay (5e-4) and, on CIFAR-10, mirror
    (true).
    """

    HEADING: ClassVar = "Training"

    epochs: PositiveInt = Field(20, description="Epochs of a training.")
    seconds: Positive | None = Field(
        None,
        description="Of a training, at most: it sees the images fewer times where the epochs take "
        "longer, and its schedule goes by so much faster.",
    )
    epoch_images: PositiveInt | None = Field(
        None, description="An epoch is of so many images, drawn anew each time, not of all."
    )
    batch_size: PositiveInt = Field(128, description="Images a step.")
    optimizer: str = Field(
        "adam",
        description="adam, adamw (decoupled weight decay), muon or sgd, both with --momentum.",
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="Of sgd and muon.")
    nesterov: bool = Field(False, description="Of sgd: Nesterov's momentum.")
    schedule: str = Field(
        STEPS,
        description="How the learning rate goes: steps (--decay, or --rates); one-cycle, from a "
        "25th of --learning-rate up to it, and down to nothing; or cosine, from --learning-rate "
        "down to nothing.",
    )
    learning_rate: Positive = Field(1e-3, description="At the first epoch, or at the peak.")
    rates: str | None = Field(
        None,
        description="RATE:EPOCHS,... in place of --learning-rate and --decay, such as "
        "0.025:40,0.001:20; the last rate stays.",
    )
    decay: Positive = Field(0.2, description="Factor of the learning rate at every decay step.")
    decay_every: PositiveInt = Field(5, description="Epochs between decay steps.")
    weight_decay: float = Field(
        0.0,
        ge=0,
        description="L2 penalty (2017 code: 5e-4); with adamw and muon the share that each step "
        "takes off the weights, times the rate.",
    )
    clip_norm: Positive | None = Field(
        None, description="Gradients that are longer, all together, are shortened to this."
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of a label that is spread over all classes."
    )
    class_weights: str = Field(
        NONE,
        description="How much the images of a class count in the loss: none, all the same; or "
        "balanced, the less the more the class has, so that all classes count the same.",
    )
    contrast: bool = Field(
        False,
        description="Bring every image by itself to mean 0 and deviation 1 (global contrast "
        "normalisation), in place of every channel of all images.",
    )
    mirror: bool = Field(False, description="Mirror half of the training images.")
    shift: int = Field(
        0, ge=0, description="Shift the training images by up to so many pixels, zeros behind them."
    )
    cutout: int = Field(
        0, ge=0, description="Side of a square that is cut out of every training image."
    )
    first_size: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="Share of their height and width that images have in the first third of the "
        "epochs; in the second it is half way to all. Never below 16 pixels, and only for networks "
        "that take any size.",
    )
    bfloat16: bool = Field(
        False, description="On CPUs with AMX as on GPUs: the passes in bfloat16, in half the time."
    )
    xavier: bool = Field(
        True,
        description="Begin with Xavier weights; else with smaller ones, as torch's own layers do.",
    )
    dropout: bool = Field(True, description="Dropout after every two layers.")
    dropout_after_fc: bool = Field(
        False, description="A dropout after every FC and every second other layer (2017 code)."
    )
    keep_path: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="How likely an image keeps what an op adds to a sum of a cell, in the last "
        "cell at the end of the training; earlier it is likelier (scheduled drop path).",
    )
    auxiliary: float = Field(
        0.0,
        ge=0,
        description="Weight of the loss of an auxiliary head, before the last reduction of height "
        "and width; 0 for none.",
    )
    restarts: int = Field(
        5, ge=0, description="New starts of a network that is at chance after its first epoch."
    )
    restart_factor: Positive = Field(0.4, description="Factor of the learning rate at a restart.")
    restart_below: float = Field(
        1.5, ge=0, description="At chance means: accuracy of at most so many times chance."
    )

    @field_validator("schedule", "class_weights")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        known = {"schedule": SCHEDULES, "class_weights": CLASS_WEIGHTS}[str(info.field_name)]
        if value not in known:
            raise PydanticCustomError("known", f"It must be one of {', '.join(known)}")
        return value

    @field_validator("nesterov")
    @classmethod
    def _moves(cls, nesterov: bool, info: ValidationInfo) -> bool:
        if nesterov and not info.data.get("momentum", 1):
            raise PydanticCustomError("momentum", "It needs a momentum above 0")
        return nesterov

    @field_validator("rates")
    @classmethod
    def _readable(cls, rates: str | None, info: ValidationInfo) -> str | None:
        if rates is not None:
            _steps(rates)
            if (schedule := info.data.get("schedule", STEPS)) != STEPS:
                words = {ONE_CYCLE: "One cycle", COSINE: "A cosine"}
                raise PydanticCustomError("rates", f"{words[schedule]} has no other rates")
        return rates

    def seen(self, images: int) -> int:
        """How many of so many images an epoch is of."""
        return min(images, self.epoch_images or images)

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0; the peak of one cycle or a cosine."""
        if self.schedule != STEPS:
            return self.learning_rate
        if self.rates is None:
            return self.learning_rate * self.decay ** (epoch // self.decay_every)
        steps = _steps(self.rates)
        for rate, epochs in steps:
            if epoch < epochs:
                return rate
            epoch -= epochs
        return steps[-1][0]

    def step_rate(self, step: float, steps: int) -> float:
        """The learning rate of a step, counted from 0, of so many an epoch; may lie between two.

        One cycle is that of `torch.optim.lr_scheduler.OneCycleLR` (Smith & Topin 2017,
        https://arxiv.org/abs/1708.07120), a cosine that of Loshchilov & Hutter 2017
        (https://arxiv.org/abs/1608.03983) without new starts.
        """
        if self.schedule == STEPS:
            return self.rate(int(step // steps))
        if self.schedule == COSINE:
            return _between(self.learning_rate, 0, self.progress(step, steps))
        first, last = WARM_UP * self.epochs * steps - 1, self.epochs * steps - 1
        low = self.learning_rate / FIRST
        if step <= first:
            return _between(low, self.learning_rate, step / first)
        return _between(self.learning_rate, low / LAST, (step - first) / (last - first))

    def progress(self, step: float, steps: int) -> float:
        """The share of the training that is over before a step; see `step_rate`."""
        return min(1.0, step / (self.epochs * steps))

    def pace(self, done: float, epoch: float, took: float, left: float) -> float:
        """How many epochs those that follow count for, each, so that all are done in time.

        Args:
            done: The last epoch, counted from 0.
            epoch: The next one; may lie between two.
            took: Seconds of the last one, with images of its size.
            left: Seconds.
        """
        rest = self.epochs - epoch
        if rest <= 0:
            return 1
        sizes = [self.size(later) ** 2 for later in range(int(epoch), self.epochs)]
        needed = rest * took * sum(sizes) / len(sizes) / self.size(int(done)) ** 2
        return rest / max(1, min(round(rest), int(rest * left / needed)))

    def size(self, epoch: int) -> float:
        """The share of their height and width that images have in an epoch, counted from 0."""
        thirds_left = 3 * (self.epochs - 1 - epoch) // self.epochs
        return 1 - (1 - self.first_size) * thirds_left / 2

    def dress(self, architecture: Architecture) -> Architecture:
        """The network with the dropout that no agent decides, the i-th of n as D(i,n).

        It stands after every second layer; with dropout_after_fc, after every FC and after every
        second one of the others. Only ops that say so are counted, C, P and FC: not GAP, whose
        outputs are class scores, and not CB, MP and AP, whose networks are trained without. n is
        the number of dropouts; in the 2017 code's way, with dropout_after_fc, it counts SM and the
        first FC as layers too, and is sometimes one more. A network that has dropout already stays
        as it is. Cells are written out where dropout comes in.
        """
        nodes = architecture.expanded.nodes
        ops = [find_op(node.op) for node in nodes]
        if not self.dropout or any(node.op == DROPOUT for node in nodes):
            return architecture
        places = []
        counted = fully_connected = 0
        for position, op in enumerate(ops):
            if op.is_fully_connected and self.dropout_after_fc:
                places.append(position)
                fully_connected += 1
            elif op.counts_for_dropout:
                counted += 1
                if counted % 2 == 0:
                    places.append(position)
        if not places:
            return architecture
        total = len(places)
        if self.dropout_after_fc:
            has_gap = any(op.is_head for op in ops[:-1])
            total = (counted + bool(fully_connected) + (not has_gap)) // 2 + fully_connected
        dressed: list[Node] = []
        # what reads a layer that a dropout follows now reads the dropout
        moved: dict[int, int] = {}
        for position, node in enumerate(nodes):
            inputs = tuple(moved.get(source, source) for source in node.inputs)
            dressed.append(Node(node.op, node.args, inputs))
            if position in places:
                dropout = (places.index(position) + 1, total)
                dressed.append(Node(DROPOUT, dropout, (len(dressed) - 1,)))
            moved[position] = len(dressed) - 1
        outputs = tuple(moved[output] for output in architecture.expanded.outputs)
        return Architecture(tuple(dressed), outputs, architecture.settings)


FALL = frozenset({"learning_rate", "decay", "decay_every"})
"""How the learning rate falls; who says one of them does without the recipe's rates."""


def _between(start: float, end: float, share: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) / 2 * (1 + cos(pi * share))


def twice_as_long(rates: str) -> str:
    """The rates of a text, each for twice as many epochs."""
    return ",".join(f"{rate}:{2 * epochs}" for rate, epochs in _steps(rates))


def _steps(rates: str) -> list[tuple[float, int]]:
    """The learning rates of a text, each with its epochs.

    Raises:
        PydanticCustomError: The text is malformed.
    """
    steps = []
    for part in rates.split(","):
        rate, _, epochs = part.partition(":")
        try:
            steps.append((float(rate), int(epochs)))
        except ValueError:
            steps.append((0.0, 0))
        if not (0 < steps[-1][0] < inf and steps[-1][1] > 0):
            raise PydanticCustomError(
                "rates",
                "'{part}' is not RATE:EPOCHS with a rate above 0 and at least one epoch",
                {"part": part},
            )
    return steps
