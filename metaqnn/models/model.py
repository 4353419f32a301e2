"""A trained network, ready to use."""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from metaqnn.data.check import difference_from_training
from metaqnn.data.prediction import prepare
from metaqnn.data.preparation import UNTOLD, Preparation
from metaqnn.errors import MetaqnnError
from metaqnn.models.checks import check_facts, parse, parse_list
from metaqnn.notebook import render_facts
from metaqnn.task import Shape
from metaqnn.terminal import counted

Scores = Callable[[np.ndarray], np.ndarray]
"""Class scores before the softmax, float32 (images, classes), of float32 images (images, channels,
height, width) in the units of the training images."""


class OtherScale(UserWarning):
    """Images lie elsewhere than those that a network was trained on."""


@dataclass(frozen=True)
class Facts:
    """What every file of a network says of it beside the weights.

    Attributes:
        architecture: The text of the network as it was trained, dropout included.
        input_shape: (channels, height, width) of the images.
        classes: Names of the classes.
        mean: Of each channel of the training images, 0 to 255, or in their own units where the
            scale of the preparation is values.
        deviation: Likewise the standard deviation.
        contrast: Every image is brought to mean 0 and deviation 1 by itself; those of the channels
            then count for nothing.
        preparation: How the training images became what they were.
    """

    architecture: str
    input_shape: Shape
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    contrast: bool = False
    preparation: Preparation = UNTOLD

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """The facts that `metadata` wrote.

        Raises:
            MetaqnnError: Something is missing or makes no sense.
        """
        if "kind" in metadata:
            kind = str(metadata["kind"])  # such as a language model
            raise MetaqnnError(
                f"a {kind!r:.40}, no network of images; metaqnn predict and generate read it as "
                ".safetensors"
            )
        try:
            architecture = metadata["architecture"]
            names = ("input_shape", "classes", "mean", "deviation")
            shape, classes, mean, deviation = (parse_list(metadata[name]) for name in names)
            contrast = parse(metadata["contrast"])
            told = metadata.get("preparation")
            preparation = UNTOLD if told is None else Preparation.from_text(told)
            facts = cls(architecture, shape, classes, mean, deviation, contrast, preparation)
            check_facts(facts)
            return facts
        except (KeyError, ValueError, TypeError, RecursionError, OverflowError) as error:
            raise MetaqnnError(f"no network that metaqnn has exported: {error!r:.300}") from None

    @property
    def metadata(self) -> dict[str, str]:
        """The facts as text, for the metadata of a file."""
        return {
            "architecture": self.architecture,
            "input_shape": json.dumps(self.input_shape),
            "classes": json.dumps(self.classes),
            "mean": json.dumps(self.mean),
            "deviation": json.dumps(self.deviation),
            "contrast": json.dumps(self.contrast),
            "preparation": self.preparation.text,
        }


@dataclass(frozen=True)
class Model:
    """A trained network.

    Attributes:
        facts: What is known of it.
        score: Computes the class scores.
    """

    facts: Facts
    score: Scores

    def scores(self, images: Any) -> np.ndarray:
        """Class scores before the softmax, float32, shape (images, classes).

        Args:
            images: Array or tensor, as those that it was trained on: channels first or last, values
                of the same scale; of arrays that were resized also the size before.

        Raises:
            MetaqnnError: The images have another shape or scale, or none are there.

        Warns:
            OtherScale: They lie elsewhere than the training images.
        """
        facts = self.facts
        read = prepare(images, facts.input_shape, facts.preparation)
        factor, floor = facts.preparation.factor, facts.preparation.floor
        mean, deviation = ([value / factor for value in of] for of in (facts.mean, facts.deviation))
        told = difference_from_training(read, mean, deviation, floor / factor)
        if told and not facts.contrast:
            warnings.warn(told, OtherScale, stacklevel=2)
        return self.score(read)

    def probabilities(self, images: Any) -> np.ndarray:
        """The softmax of `scores`."""
        scores = self.scores(images)
        exponentials = np.exp(scores - scores.max(1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(1, keepdims=True))

    def predict(self, images: Any) -> list[str]:
        """The name of the class with the highest score, of every image."""
        return [self.facts.classes[best] for best in self.scores(images).argmax(1)]

    def _repr_html_(self) -> str:
        facts = {
            "network": self.facts.architecture,
            "images": "x".join(map(str, self.facts.input_shape)),
            "classes": ", ".join(self.facts.classes),
        }
        return render_facts("a trained network", facts)

    def __repr__(self) -> str:
        """The network and what it reads."""
        images = "x".join(map(str, self.facts.input_shape))
        classes = counted(len(self.facts.classes), "class", "classes")
        return f"<model of {self.facts.architecture}: {images} images, {classes}>"
