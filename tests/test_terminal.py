"""What terminals show."""

import pytest

from metaqnn.terminal import counted


@pytest.mark.parametrize(
    ("number", "words", "shown"),
    [
        (1, ("epoch",), "1 epoch"),
        (0, ("epoch",), "0 epochs"),
        (2, ("class", "classes"), "2 classes"),
        (1, ("picture has", "pictures have"), "1 picture has"),
        (2500, ("network",), "2,500 networks"),
    ],
)
def test_one_is_not_many(number, words, shown):
    assert counted(number, *words) == shown
