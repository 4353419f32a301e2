"""What is known of an operation, in one place."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from metaqnn.errors import MetaqnnError
from metaqnn.task import Shape

if TYPE_CHECKING:
    import torch
    from torch import nn

Args = tuple[int, ...]

BLUE, ORANGE, GREEN, PURPLE, PLAIN = "#cfe4f5", "#fbdcc4", "#cdeadd", "#ecd6e4", "#eceef0"
"""Tints of the figures' colours, of boxes in drawings."""

INDEX = 8
"""Bytes in which a max pooling keeps where a maximum was."""


class ShapeError(MetaqnnError):
    """A layer cannot read what comes before it."""


class LayerCost(NamedTuple):
    """What a layer makes of its input, and what that costs.

    Attributes:
        shape: Of its output.
        parameters: Weights and biases.
        multiply_adds: Multiplications with addition, for one image, forward.
    """

    shape: Shape
    parameters: int = 0
    multiply_adds: int = 0


class Part(NamedTuple):
    """How a layer is written as PyTorch source.

    Attributes:
        step: Computes the output; {x} stands for the input, all inputs side by side, {0}, {1} ...
            for the inputs one by one, and {kind} for the module of a kind.
        modules: Kind of module, its constructor, and the place of its weights within the layer.
    """

    step: str
    modules: tuple[tuple[str, str, str], ...] = ()


class Op(ABC):
    """An operation, in its place in a network.

    The module must not write into what it reads, for others may read it too.

    Attributes:
        parameters: Names of its arguments, all positive whole numbers.
        words: The lines of its box in a drawing, its arguments in place.
        brief: What an edge of a cell says in a drawing, its arguments in place; if not its text.
        title: What a legend calls it, if not the first of the words.
        fill: Colour of its box.
        joins: Its inputs are put side by side before it reads them; else its module reads all of
            them, each as it is.
        is_head: Its outputs are the scores of the classes, as many as its only argument says.
        counts_for_dropout: A recipe counts it as one of the layers between which dropout stands.
        is_fully_connected: A recipe may put dropout after each.
        begins_with_relu: Its module is a ReLU that does not work in place, or a Sequential whose
            first module is one; several that read the same value share it.
        ends_in_relu: Its module is a Sequential whose last module is a ReLU.
        passes_on: It computes nothing: its output is what it reads, as it is or side by side.
        adds: Its output is the sum of its inputs.
        takes_maxima: It passes on some of its values, the larger ones, so that it may stand before
            the ReLU that it reads.
        args: Of this one.
        inputs: The shapes of what it reads.
        cost: See `count`.
    """

    parameters: ClassVar[tuple[str, ...]] = ()
    words: ClassVar[tuple[str, ...]]
    brief: ClassVar[str | None] = None
    title: ClassVar[str | None] = None
    fill: ClassVar[str] = PLAIN
    joins: ClassVar[bool] = True
    is_head: ClassVar[bool] = False
    counts_for_dropout: ClassVar[bool] = False
    is_fully_connected: ClassVar[bool] = False
    begins_with_relu: ClassVar[bool] = False
    ends_in_relu: ClassVar[bool] = False
    passes_on: ClassVar[bool] = False
    adds: ClassVar[bool] = False
    takes_maxima: ClassVar[bool] = False

    def __init__(self, args: Args, inputs: Sequence[Shape]) -> None:
        """Put it behind layers with these outputs.

        Raises:
            ShapeError: It cannot read them.
        """
        self.args = args
        self.inputs = tuple(inputs)
        self.cost = self.count()

    @classmethod
    def problem(cls, args: Args) -> str | None:
        """What is wrong with arguments, each of which is 1 or more; None if nothing is."""
        return None

    @classmethod
    def legend(cls) -> str:
        """What a legend calls it."""
        return cls.title or cls.words[0]

    @cached_property
    def read(self) -> Shape:
        """The shape of all inputs side by side.

        Raises:
            ShapeError: There are images and vectors among them.
        """
        return joined_shape(self.inputs)

    @cached_property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of what it reads.

        Raises:
            ShapeError: It is no image.
        """
        if len(self.read) != 3:
            raise ShapeError(f"it needs an image, and reads {self.read[0]} numbers")
        channels, height, width = self.read
        return channels, height, width

    @abstractmethod
    def count(self) -> LayerCost:
        """The shape of its output, and what it costs.

        Raises:
            ShapeError: It cannot read its inputs.
        """

    def kept(self, value: int) -> int:
        """Bytes that it keeps of one image for the backward pass.

        That is its output, unless it says otherwise: a ReLU works in place, and what it reads was
        kept by the layer that made it.

        Args:
            value: Bytes of a value.
        """
        return value * prod(self.cost.shape)

    @abstractmethod
    def module(self, generator: "torch.Generator") -> "nn.Module":
        """Its module, with weights yet to be drawn; what it draws while training is drawn here."""

    @abstractmethod
    def source(self) -> Part:
        """The same as PyTorch source, to the last bit."""


def joined_shape(shapes: Sequence[Shape]) -> Shape:
    """The shape of all of these side by side: channels add up, images get the largest size.

    Raises:
        ShapeError: There are images and vectors among them.
    """
    if len({len(shape) for shape in shapes}) > 1:
        together = " and ".join("x".join(map(str, shape)) for shape in shapes)
        raise ShapeError(f"it cannot read images together with vectors: {together}")
    sizes = zip(*(shape[1:] for shape in shapes), strict=True)
    return sum(shape[0] for shape in shapes), *map(max, sizes)


def same_window(args: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Size, stride and padding of a window (height, width, stride height, stride width)."""
    height, width, stride_height, stride_width = args
    return (height, width), (stride_height, stride_width), (height // 2, width // 2)


def same_shape(image: tuple[int, int, int], args: Sequence[int]) -> tuple[int, int, int]:
    """The shape behind a window (height, width, stride height, stride width), "same" padding.

    Raises:
        ShapeError: The window's height or width is even.
    """
    channels, rows, columns = image
    height, width, stride_height, stride_width = args
    for name, value in (("height", height), ("width", width)):
        if value % 2 == 0:
            raise ShapeError(f'its {name} must be odd for "same" padding, not {value}')
    return channels, -(-rows // stride_height), -(-columns // stride_width)
