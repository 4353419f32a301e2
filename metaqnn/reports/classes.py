"""Which classes the best network of a run tells apart, on the validation images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.train_options import TrainOptions
from metaqnn.reports.formats import render_cells
from metaqnn.reports.top_k import weights_file
from metaqnn.runs.results import ANSWERS, read_answers
from metaqnn.runs.run import Run

MOST = 100
"""So many classes are shown at most, those with the most errors."""

CONFUSED = 2
"""With so many other classes, the most frequent ones, a class is said to be confused."""


@dataclass(frozen=True)
class ClassRow:
    """A class of the validation images.

    Attributes:
        name: Of the class.
        images: How many there are.
        share: Of them that the network names so, in percent.
        taken_for: Other classes that it names instead, with how often.
    """

    name: str
    images: int
    share: str
    taken_for: str


def reads_images(run: Run) -> bool:
    """Whether metaqnn trains the run's networks, on images."""
    return isinstance(run.config.parts["evaluator"], TrainOptions)


def list_classes(run: Run) -> tuple[list[ClassRow], str]:
    """The classes of the validation images as the best network answers; or why there are none.

    The weights are those that the run keeps.
    """
    options = run.config.parts["evaluator"]
    if not isinstance(options, TrainOptions):
        return [], "nothing is trained on images"
    try:
        confusion = count_answers(run, options)
    except MetaqnnError as error:
        return [], str(error)
    return class_rows(run.task.outputs, confusion), ""


def count_answers(run: Run, options: TrainOptions) -> np.ndarray:
    """How often images of each class get each answer, shape (classes, answers).

    Raises:
        MetaqnnError: There are no weights, or the images are not there.
    """
    import torch

    from metaqnn.data.parts import load_split
    from metaqnn.models.network import load_network, probabilities

    network, facts = load_network(weights_file(run, 1))
    _, validation = load_split(options.data)
    if (validation.shape, validation.classes) != (facts.input_shape, facts.classes):
        raise MetaqnnError(f"{options.data.dataset} has other images than those of the run")
    answers = probabilities(network, facts, validation.images, torch.device("cpu")).argmax(1)
    counts = np.zeros((len(facts.classes),) * 2, dtype=int)
    np.add.at(counts, (validation.labels.numpy(), answers), 1)
    return counts


def list_final_classes(folder: Path, classes: tuple[str, ...]) -> list[ClassRow]:
    """The classes of the test images as the network of a single final training answers.

    Args:
        folder: Of the training.
        classes: Their names.

    Raises:
        MetaqnnError: The folder's file of answers cannot be read.
    """
    confusion = np.zeros((len(classes),) * 2, dtype=int)
    places = {name: place for place, name in enumerate(classes)}
    for row in read_answers(folder / ANSWERS).to_dict("records"):
        confusion[places[row["class"]], places[row["answer"]]] = row["images"]
    return class_rows(classes, confusion)


def render_classes(rows: list[ClassRow], most: int = 10) -> str:
    """The classes that are told worst as text."""
    table = pd.DataFrame(
        [[row.name, row.images, row.share, row.taken_for] for row in rows[:most]],
        columns=["class", "images", "right", "taken for"],
    )
    return render_cells(table, "table", ("class", "taken for"))


def class_rows(classes: tuple[str, ...], confusion: np.ndarray) -> list[ClassRow]:
    """A row a class, those that are told worst first.

    Args:
        classes: Their names.
        confusion: As `count_answers` gives it.
    """
    images = confusion.sum(1)
    shares = np.divide(confusion.diagonal(), images, out=np.ones(len(images)), where=images > 0)
    rows = []
    for place in np.argsort(shares, kind="stable")[:MOST].tolist():
        others = confusion[place].copy()
        others[place] = 0
        worst = [other for other in np.argsort(-others, kind="stable")[:CONFUSED] if others[other]]
        taken = ", ".join(f"{classes[other]} ({others[other]})" for other in worst)
        share = f"{shares[place]:.1%}" if images[place] else ""
        rows.append(ClassRow(classes[place], int(images[place]), share, taken))
    return rows
