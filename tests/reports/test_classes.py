"""Which classes the best network tells apart."""

import numpy as np
import pytest

from metaqnn.reports.classes import class_rows, count_answers, list_classes
from metaqnn.runs.run import open_run
from tests.helpers.recorded import record_run


def test_the_worst_told_class_comes_first_with_what_it_is_taken_for():
    confusion = np.array([[9, 1, 0], [2, 4, 3], [0, 0, 5]])
    rows = class_rows(("a", "b", "c"), confusion)
    assert [(row.name, row.images, row.share) for row in rows] == [
        *(("b", 9, "44.4%"), ("a", 10, "90.0%"), ("c", 5, "100.0%")),
    ]
    assert [row.taken_for for row in rows] == ["c (3), a (2)", "b (1)", ""]


def test_a_class_without_images_has_no_share():
    (first, second) = class_rows(("a", "b"), np.array([[1, 1], [0, 0]]))
    assert (first.name, first.share, second.share) == ("a", "50.0%", "")


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
