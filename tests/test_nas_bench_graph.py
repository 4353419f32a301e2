"""How the published file of graph networks is read, and what is made of it."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.nas_bench_graph import Reader, as_table, describe, main, walk_of
from metaqnn.cli import main as metaqnn


class Calls:
    """What a pickle may want to be called when it is read."""

    def __reduce__(self):
        """Call the shell."""
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (pickle.dumps(Calls()), "system, which is not allowed"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval, which is not allowed"),
        (b"cnumpy\nload\n(S'file'\ntR.", "numpy.load, which is not allowed"),
        (b"cnumpy\ndtype\n(S'O'\nI00\nI01\ntR.", "a number of type 'O', not 'f8'"),
    ],
)
def test_a_pickle_that_calls_something_is_refused(content, problem):
    with pytest.raises(pickle.UnpicklingError, match=problem):
        Reader.of(content).load()


def packed(value):
    """As the numpy of that time has written a float: its name for `scalar` has changed since."""
    content = pickle.dumps(value, protocol=3)
    return content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def test_numbers_of_numpy_are_read():
    found = Reader.of(packed({7: {"para": np.float64(1.75), "perf": 0.5}})).load()
    assert found == {7: {"para": 1.75, "perf": 0.5}}
    assert type(found[7]["para"]) is float


@pytest.mark.parametrize(
    ("number", "walk"),
    [
        # the links 0, 1, 2, 3, the operations GCN, GAT, FC, ID
        (8_1078, ("GCN", "reads:1", "GAT", "reads:2", "FC", "reads:3", "ID")),
        # the links 0, 1, 1, 2
        (6_2345, ("GIN", "reads:1", "CHEB", "reads:1", "SAGE", "reads:2", "ARMA")),
        (6, ("GAT", "reads:0", "GAT", "reads:0", "GAT", "reads:0", "GRAPH")),
    ],
)
def test_the_walk_of_a_number(number, walk):
    assert walk_of(number) == walk


PUBLISHED = {
    # three identities, and one network; a chain of two
    8_8881: {"valid_perf": 0.8, "perf": 0.7, "latency": 0.01, "para": 1.5},
    8_8810: {"valid_perf": 0.6, "perf": 0.75, "latency": 0.02, "para": 2.5},
}


def test_a_table_by_hand():
    table = as_table(PUBLISHED)
    assert table["networks"] == {
        "[GCN]": {
            "scores": [80],
            "expected": 70,
            "metrics": {"parameters": 1_500_000, "latency": 0.01},
        },
        "[GCN, GAT]": {
            "scores": [60],
            "expected": 75,
            "metrics": {"parameters": 2_500_000, "latency": 0.02},
        },
    }


def test_the_table_is_searched(tmp_path):
    """The wheel's file is turned and handed to a search, which is told validation accuracies."""
    wheel, table, run = tmp_path / "a.whl", tmp_path / "cora.json.gz", tmp_path / "results" / "r"
    with zipfile.ZipFile(wheel, "w") as package:
        package.writestr("nas_bench_graph/light/cora.bench", packed(PUBLISHED))
    result = CliRunner().invoke(main, [str(wheel), str(table)])
    assert result.exit_code == 0, result.output
    arguments = ["run", "--name", "r", "--results-dir", str(run.parent), "--agent", "random"]
    arguments += ["--budget", "2", "--space", "graph", "--evaluator", "table"]
    start = ["--start-from", "[GCN]", "--start-from", "[GCN, GAT]"]
    result = CliRunner().invoke(metaqnn, [*arguments, "--table", str(table), *start])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(metaqnn, ["top-k", str(run), "--format", "json"])
    rows = {row["network"]: row for row in json.loads(result.output)}
    assert rows["[GCN]"]["accuracy"] == pytest.approx(0.8)
    assert rows["[GCN, GAT]"]["accuracy"] == pytest.approx(0.6)


def test_how_far_the_best_validation_accuracy_is_behind():
    published = {n: {"valid_perf": n / 200, "perf": 0.5} for n in range(200)}
    published[7]["perf"] = 0.75
    # the highest validation accuracy is never that of network 7
    assert describe(published) == "200 | 25.00 | 25.00"
