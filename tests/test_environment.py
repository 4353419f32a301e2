"""The file that says how a run came about."""

import json

import pytest

from metaqnn.environment import ENVIRONMENT, read_task, write_environment
from metaqnn.language.recipe import SCORES
from metaqnn.task import Task, classification


@pytest.mark.parametrize(
    ("task", "key"),
    [
        (classification((3, 8, 8), ("a", "b")), "images"),
        (Task((27,), ("next token",), SCORES["characters"]), "examples"),
    ],
)
def test_what_networks_read_is_called_by_its_name_and_read_again(tmp_path, task, key):
    write_environment(tmp_path, ["metaqnn"], {}, task)
    found = json.loads((tmp_path / ENVIRONMENT).read_text())
    assert {"images", "examples"} & found.keys() == {key}
    assert read_task(tmp_path) == task


def test_runs_on_texts_of_before_are_read(tmp_path):
    task = Task((27,), ("next token",), SCORES["characters"])
    write_environment(tmp_path, ["metaqnn"], {}, task)
    found = json.loads((tmp_path / ENVIRONMENT).read_text())
    found["images"] = {"shape": [27], "classes": ["next token"]}
    del found["examples"]
    (tmp_path / ENVIRONMENT).write_text(json.dumps(found))
    assert read_task(tmp_path) == task
