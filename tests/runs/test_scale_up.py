"""Search small, train large: what a search found is made larger for the last training."""

from typing import NamedTuple

import pytest

from metaqnn.api import Search
from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import total_cost
from metaqnn.networks.notation import read
from state_space import Architecture, Cell, Decision, Node, Space, check_scale, legal_walk
from tests.helpers.commands import refused


class Chosen(NamedTuple):
    token: str


class StackSpace(Space[Chosen]):
    """A cell of one decision, its field; stacked `repeats` times at so many `filters`."""

    vocabulary = {"field": ("3", "1")}
    scale = {"repeats": 1, "filters": 4}

    def __init__(self, classes: int = 10) -> None:
        self.classes = classes

    @classmethod
    def from_mapping(cls, mapping, shape, outputs):
        return cls(outputs, **mapping)

    def initial_state(self, stage=0):
        return Chosen("")

    def decision(self, state):
        return None if state.token else Decision("field", self.vocabulary["field"])

    def step(self, state, token):
        return Chosen(token)

    def observation(self, state):
        return state

    def action(self, token):
        return Chosen(token)

    def architecture(self, walk, scale=None):
        sizes = check_scale(self, scale)
        (token,) = [token for _, _, token in legal_walk(self, walk)]
        field = int(token)
        cell = Cell(("F",), (Node("CB", ("F", field, field, 1, 1), (-1,)),), (0,))
        nodes = [Node("N", (sizes["filters"],), (place - 1,)) for place in range(sizes["repeats"])]
        nodes.append(Node("GAP", (self.classes,), (len(nodes) - 1,)))
        return Architecture(tuple(nodes), (len(nodes) - 1,), cells={"N": cell})

    def text(self, walk):
        return f"stack of {walk[0]}x{walk[0]}"

    def parse(self, text):
        token = text.removeprefix("stack of ").partition("x")[0]
        self.architecture((token,))
        return (token,)


FAST = {"epochs": 1, "restart_below": 0.0, "device": "cpu", "threads": 1}


@pytest.fixture
def search(tmp_path):
    search = Search(space=StackSpace(), agent="random", budget=2, name="s", results_dir=tmp_path,
                    **FAST)  # fmt: skip
    search.run(quiet=True)
    return search


def test_scaled_networks_repeat_their_cell():
    space = StackSpace()
    large = space.architecture(("3",), {"repeats": 3, "filters": 8})
    written = read("[CB(8,3,3,1,1), CB(8,3,3,1,1), CB(8,3,3,1,1), GAP(10)]")
    assert total_cost(large, (1, 8, 8)) == total_cost(written, (1, 8, 8))
    assert large.text.count("CB") == 1


@pytest.mark.slow
def test_what_was_found_is_trained_larger_and_named_alike(search):
    small = search.best()
    found = search.finalize(2, ensemble=1, scale={"repeats": 2, "filters": 8}, quiet=True, **FAST)
    assert found["network"].tolist() == small["network"].tolist()
    space = StackSpace()
    for row in found.to_dict("records"):
        large = space.architecture(space.parse(row["network"]), {"repeats": 2, "filters": 8})
        assert row["parameters"] == total_cost(large, (1, 8, 8)).parameters
    assert (found["parameters"].to_numpy() > small["parameters"].to_numpy()).all()
    folder = search.folder / "final" / "short-repeats-2-filters-8"
    assert (folder / "results.csv").is_file()
    again = search.finalize(
        2, ensemble=1, quiet=True, **FAST
    )  # beside it, at the scale of the search
    assert again["parameters"].tolist() == small["parameters"].tolist()


def test_a_scale_that_the_space_has_not_is_refused(search, invoke):
    with pytest.raises(MetaqnnError, match="networks of this space have no cells: only repeats, f"):
        search.finalize(2, scale={"cells": 2})
    with pytest.raises(MetaqnnError, match="repeats must be a whole number from 1 on, not 0"):
        search.finalize(2, scale={"repeats": 0})
    invoke("run", "--name", "r", "--budget", "1", "--quiet", "--epochs", "1", "--threads", "1")
    refused(invoke("finalize", "results/r", "--scale", "cells=2"), "it has one size")
    assert "is not KEY=NUMBER" in invoke("finalize", "results/r", "--scale", "cells").output


def test_a_space_s_file_may_say_how_large_a_search_makes_its_networks(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(f'space = "{__name__}:StackSpace"\nscale = {{filters = 2}}\n')
    search = Search(space=str(file), agent="random", budget=1, name="f", results_dir=tmp_path,
                    **FAST)  # fmt: skip
    search.run(quiet=True)
    assert search.best()["parameters"].iloc[0] < 100
