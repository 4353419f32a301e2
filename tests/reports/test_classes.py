"""Which classes the best network tells apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metaqnn.data.options import DataOptions
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.examinations import ImageExamination
from metaqnn.metrics.accuracy import ACCURACY
from metaqnn.reports.classes import (
    class_rows,
    count_answers,
    list_classes,
    list_final_classes,
    render_classes,
)
from metaqnn.runs.results import keep_answers
from metaqnn.runs.run import open_run
from tests.helpers.pictures import images
from tests.helpers.recorded import record_run


def test_the_worst_told_class_comes_first_with_what_it_is_taken_for():
    confusion = np.array([[9, 1, 0], [2, 4, 3], [0, 0, 5]])
    rows = class_rows(("a", "b", "c"), confusion)
    assert [(row.name, row.images, row.share) for row in rows] == [
        *(("b", 9, "44.4%"), ("a", 10, "90.0%"), ("c", 5, "100.0%")),
    ]
    assert [row.taken_for for row in rows] == ["c (3), a (2)", "b (1)", ""]


def test_the_classes_of_a_final_training_are_those_of_its_answers(tmp_path):
    """Of three images of "1" two are right, of two of "NA" none; names stay as they are."""
    classes = ("1", "NA", "b")
    labels = torch.tensor([0, 0, 0, 1, 1])
    tested = replace(images(5, 3), labels=labels, classes=classes)
    answers = np.eye(3)[[0, 0, 1, 0, 2]]
    counts = ImageExamination(tested, DataOptions(), ACCURACY).count(answers)
    keep_answers(tmp_path, counts, 0, "[SM(3)]")
    keep_answers(tmp_path, counts, 0, "[SM(3)]")  # in the place of the first
    rows = list_final_classes(tmp_path, classes)
    found = [(row.name, row.images, row.share, row.taken_for) for row in rows]
    assert found == [
        ("NA", 2, "0.0%", "1 (1), b (1)"),
        ("1", 3, "66.7%", "NA (1)"),
        ("b", 0, "", ""),
    ]
    text = render_classes(rows, most=2)
    assert text.splitlines()[2].split() == ["NA", "2", "0.0%", "1", "(1),", "b", "(1)"]
    assert len(text.splitlines()) == 4


def test_answers_that_cannot_be_read_are_told(tmp_path):
    (tmp_path / "answers.csv").write_text("class,answer\na,b\n")
    with pytest.raises(MetaqnnError, match=r"answers\.csv cannot be read"):
        list_final_classes(tmp_path, ("a", "b"))


def test_a_class_without_images_has_no_share():
    (first, second) = class_rows(("a", "b"), np.array([[1, 1], [0, 0]]))
    assert (first.name, first.share, second.share) == ("a", "50.0%", "")


@pytest.mark.slow
def test_it_agrees_with_the_accuracy_of_the_search(finished, tmp_path):
    run = open_run(tmp_path / "results" / "r")
    confusion = count_answers(run, run.config.parts["evaluator"])
    memory = run.memory()
    best = max(outcome.best for _, outcome, _ in memory.trained())
    memory.close()
    assert confusion.diagonal().sum() / confusion.sum() == pytest.approx(best)
    assert confusion.sum() == 287 or confusion.sum() == 288
    rows, reason = list_classes(run)
    assert len(rows) == 10 and not reason
    text = invoke_report(run)
    assert "taken for" in text


def invoke_report(run):
    from metaqnn.reports.page import render_page

    return render_page(run, k=3)


def test_without_weights_the_page_says_why(tmp_path):
    run = record_run(tmp_path / "r", [])
    assert list_classes(run)[0] == []
