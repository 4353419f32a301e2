"""Published networks: a space of their names, trained in the end with a run's data."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from metaqnn import load, testing
from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.networks import named
from metaqnn.networks.cost import total_cost
from metaqnn.runs.results import FINAL, find_results
from metaqnn.runs.run import open_run
from metaqnn.spaces import bind_space
from state_space.cell_designs import NASNET_A
from state_space.cell_network import Skeleton, cell_network

TINY = partial(cell_network, *NASNET_A.values(), Skeleton(1, 2, reductions=1), classes=1000)


def space_of(**keys):
    return bind_space({"space": "published", **keys}, (3, 32, 32), 10)


def test_the_laws_of_spaces_hold_for_published_networks():
    space = space_of()
    walks = [(name,) for name in named.NAMED]
    assert space.size() == len(walks)
    testing.check_space(space, walks)
    for walk in walks:
        assert space.text(walk) == walk[0]
        assert space.architecture(walk).nodes[-1].args == (10,)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"networks": ["nasnet"]}, "networks must be a list of distinct names of nasnet-a, "),
        ({"networks": ["nasnet-a", "nasnet-a"]}, "networks must be a list of distinct names"),
        ({"scale": {"filters": 8}}, "networks of this space have no filters: it has one size"),
    ],
)
def test_impossible_files_are_refused(keys, problem):
    with pytest.raises(MetaqnnError, match=problem):
        space_of(**keys)
    with pytest.raises(ValueError, match="is not a network of this space: nasnet-a"):
        space_of(networks=["nasnet-a"]).parse("pnasnet-5")


@pytest.mark.slow
def test_finalize_trains_and_tests_published_networks_with_a_run_s_data(finished, monkeypatch):
    monkeypatch.setitem(named.NAMED, "tiny", TINY)
    short = ["--epochs", "1", "--restart-below", "0", "--threads", "1", "--device", "cpu"]
    ours = finished("finalize", "results/r", "-k", "1", *short)
    assert ours.exit_code == 0, ours.output
    run = open_run(Path("results/r"))
    before = find_results(run)
    done = finished("finalize", "results/r", "--network", "tiny", "--seeds", "2", *short)
    assert done.exit_code == 0, done.output
    assert "tiny" in done.output
    results = pd.read_csv(run.path / FINAL / "short-tiny" / "results.csv")
    assert results["network"].tolist() == ["tiny", "tiny"]
    assert results["rank"].isna().all() and (results["test_error"] < 1).all()
    parameters = total_cost(TINY(classes=10), run.task.shape).parameters
    assert results["parameters"].tolist() == [parameters] * 2
    model = load(run.path / FINAL / "short-tiny" / results["weights"][0])
    assert model.predict(np.zeros((1, *run.task.shape), np.uint8))
    # the run's own are still its latest
    assert find_results(run)[0] == before[0] == "short"


def test_unknown_names_are_refused(finished):
    done = finished("finalize", "results/r", "--network", "nasnet-b")
    assert done.exit_code == 2
    assert "space: networks must be a list of distinct names of nasnet-a," in done.output
    assert CliRunner().invoke(main, ["finalize", "--help"]).exit_code == 0
