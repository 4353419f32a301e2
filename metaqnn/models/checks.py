"""What is seen of a model file from outside before anything is made of it, by arithmetic alone."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import check_scores, total_cost
from metaqnn.networks.memory import FLOAT, activation_bytes, machine_memory
from metaqnn.networks.notation import read
from state_space import Architecture
from state_space.notation import NotationError

if TYPE_CHECKING:
    from metaqnn.models.model import Facts

RUNS_CODE = (".pt2", ".py", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib")
"""Suffixes of files that can run code when they are read: programs, and pickles of any kind."""

LONGEST = 100_000
"""Characters of the text of a network; those of searches have hundreds."""

FLOAT32 = 3.4e38
"""The largest number of a mean or deviation."""

STORED = ("F32", "I64")
"""Types of the tensors of a network: weights, and the steps that a batch norm counted."""


def check_trust(path: Path, advice: str) -> None:
    """Refuse a file that can run code, before anything of it is read.

    Args:
        path: The file.
        advice: What to do.

    Raises:
        MetaqnnError: It can.
    """
    if path.suffix.lower() in RUNS_CODE:
        raise MetaqnnError(
            f"{path} is not read, for a {path.suffix} file can run any code when it is read; "
            f"{advice}"
        )


def parse(text: str) -> Any:
    """The value of JSON, without NaN and infinities.

    Raises:
        ValueError, RecursionError: It is none.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    return json.loads(text, parse_constant=refuse)


def parse_list(text: str) -> tuple[Any, ...]:
    """The values of a JSON list.

    Raises:
        ValueError, RecursionError: See `parse`; or it is none.
    """
    values = parse(text)
    if not isinstance(values, list):
        raise ValueError(f"{text:.80} is no list")
    return tuple(values)


def check_facts(facts: "Facts") -> None:
    """See whether facts are of a network, which the memory of this machine can hold.

    Raises:
        MetaqnnError: They are not; the message has the name, the value and what it must be.
    """
    shape, classes = facts.input_shape, facts.classes
    if len(shape) != 3 or not all(_is_whole(value) and value > 0 for value in shape):
        raise _wrong("input_shape", shape, "three whole numbers, 1 or more")
    if not classes or not all(isinstance(name, str) for name in classes):
        raise _wrong("classes", classes, "a list of names")
    for name in ("mean", "deviation"):
        values = getattr(facts, name)
        fits = len(values) == shape[0] and all(map(_is_finite, values))
        if not fits or (name == "deviation" and min(values) <= 0):
            kind = "positive numbers" if name == "deviation" else "numbers"
            raise _wrong(name, values, f"{shape[0]} {kind}, one a channel")
    if not isinstance(facts.contrast, bool):
        raise _wrong("contrast", facts.contrast, "true or false")
    architecture = read_architecture(facts.architecture)
    check_scores(architecture, len(classes))
    scores = total_cost(architecture, shape).shape
    if scores != (len(classes),):
        raise _wrong("classes", classes, f"{'x'.join(map(str, scores))} names, one a score")
    needed, there = image_bytes(facts), machine_memory()
    if needed > there:
        raise MetaqnnError(
            f"its layers need {needed / 1e9:,.3g} GB for one image, "
            f"this machine has {there / 1e9:,.3g} GB"
        )


def read_architecture(text: Any) -> Architecture:
    """The network of a text from outside.

    Raises:
        MetaqnnError: It is none, or longer than any.
    """
    if not isinstance(text, str) or len(text) > LONGEST or not text.isprintable():
        raise _wrong("architecture", text, f"a network of at most {LONGEST:,} characters, one line")
    try:
        return read(text)
    except NotationError as error:
        reason = str(error)
        raise MetaqnnError(reason if len(reason) < 500 else f"... {reason[-300:]}") from None


def image_bytes(facts: "Facts") -> int:
    """The memory that it takes to compute the scores of one image, the weights included."""
    architecture, shape = read_architecture(facts.architecture), facts.input_shape
    weights = FLOAT * total_cost(architecture, shape).parameters
    return weights + activation_bytes(architecture, shape)


def check_tensors(facts: "Facts", tensors: Mapping[str, tuple[str, Sequence[int]]]) -> None:
    """See whether a file holds the weights of a network, before that is built.

    Args:
        facts: Of the network.
        tensors: Type and shape of each by its name, as safetensors has them.

    Raises:
        MetaqnnError: There are fewer than it has, or others.
    """
    for name, (kind, _) in tensors.items():
        if kind not in STORED:
            raise MetaqnnError(f"{name!r:.80} is of {kind}, not of {' or '.join(STORED)}")
    stored = sum(math.prod(shape) for _, shape in tensors.values())
    needed = total_cost(read_architecture(facts.architecture), facts.input_shape).parameters
    if stored < needed:
        raise MetaqnnError(f"the network has {needed:,} weights, and the file {stored:,}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -FLOAT32 < value < FLOAT32


def _wrong(name: str, value: Any, allowed: str) -> MetaqnnError:
    text = repr(value)
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    return MetaqnnError(f"{name} must be {allowed}, not {shown}")
