"""The cell of NAS-Bench-201: its published sizes, its strings, its table."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Job, attempt
from metaqnn.networks.build import Network
from metaqnn.networks.cost import layer_costs, total_cost
from metaqnn.spaces import bind_space
from state_space import random_walk
from state_space.cell_201 import OPERATIONS
from tests.helpers.parts import evaluator_of

BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"


def cell_201(shape=(3, 32, 32), classes=10, **keys):
    return bind_space({"space": "cell-201", **keys}, shape, classes)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_parameters_are_those_of_the_benchmark(seed):
    space = cell_201()
    walk = random_walk(space, np.random.default_rng(seed))
    small, large = walk.count("nor_conv_1x1"), walk.count("nor_conv_3x3")
    parameters = total_cost(space.architecture(walk), (3, 32, 32)).parameters
    assert parameters == 73_306 + 28_000 * small + 243_040 * large


def test_multiply_adds_of_convolutions_by_hand():
    space = cell_201()
    walk = space.parse(BEST)
    costs = layer_costs(space.architecture(walk), (3, 32, 32))
    nodes = space.architecture(walk).expanded.nodes
    # a batch norm counts a multiply-add a value
    normalised = sum(
        cost.shape[0] * cost.shape[1] * cost.shape[2]
        for node, cost in zip(nodes, costs, strict=True)
        if node.op in ("LB", "RC", "BN")
    )
    stage = 9 * 16 * 16 * 32 * 32  # the same in all stages
    stem, shortcut = 27 * 16 * 32 * 32, 16 * 32 * 16 * 16
    reduction = stage // 2 + stage + shortcut
    total = stem + 2 * reduction + 15 * 3 * stage + 64 * 10
    assert sum(cost.multiply_adds for cost in costs) - normalised == total


def test_the_network_of_a_cell_by_hand():
    space = cell_201((1, 8, 8), 3, operations=["none", "nor_conv_1x1", "skip_connect"])
    text = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    architecture = space.architecture(space.parse(text), {"filters": 4, "repeats": 1})
    assert architecture.text == (
        "[LB(4,3,1), CELL(4), R(8), CELL(8), R(16), CELL(16), BN, RELU, AVG, SM(3)] "
        "where CELL(F) = [RC(F,1,1,1,1), Z@-1, ID@0, ADD@1,2, ID@-1, Z@0, RC(F,1,1,1,1)@3, "
        "ADD@4,5,6] "
        "where R(F) = [RC(F,3,3,2,2), RC(F,3,3,1,1), PA(2,2)@-1, LC(F,1,1), ADD@1,3]"
    )


def test_all_cells_of_the_benchmark_are_there_and_differ():
    space = cell_201()
    assert space.size() == 5**6 == 15_625
    walks = [random_walk(space, np.random.default_rng(seed)) for seed in range(200)]
    assert len({space.architecture(walk).digest for walk in walks}) == len(set(walks))
    for walk in walks:
        words = space.text(walk).replace("+", "").strip("|").replace("||", "|").split("|")
        assert [word.split("~")[0] for word in words] == list(walk)
        assert [int(word.split("~")[1]) for word in words] == [0, 0, 1, 0, 1, 2]


@pytest.mark.parametrize("size", [8, 9, 30, 32])
def test_a_cell_that_is_cut_off_gives_the_same_to_all_images_and_is_trained(size):
    space = cell_201((3, size, size))
    text = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|none~2|"
    network = Network(
        space.architecture(space.parse(text), {"filters": 2, "repeats": 1}),
        (3, size, size),
        torch.Generator().manual_seed(0),
    )
    scores = network(torch.randn(4, 3, size, size))
    assert torch.allclose(scores, scores[:1].expand(4, -1), atol=1e-6)
    scores.logsumexp(1).sum().backward()
    assert all(weights.grad is not None for weights in network.parameters())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BEST.replace("none", "dil_conv_3x3"), "'dil_conv_3x3' is none of none, skip_connect, nor"),
        (BEST.replace("+", ""), r"is not written like '\|none~0\|\+\|none~0\|none~1\|"),
        (BEST.replace("none~2", "none~1"), "is not written like"),
        (BEST[: BEST.rindex("none")], "is not written like"),
        ("[LB(16,3,1), AVG, SM(10)]", "is not a network of this space"),
    ],
)
def test_texts_that_are_no_cells_are_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        cell_201().parse(text)


def test_operations_that_are_not_known_are_refused():
    with pytest.raises(MetaqnnError, match="operations must be a list of distinct ones of none"):
        cell_201(operations=["conv"])


def test_a_table_in_the_benchmarks_own_strings_is_looked_up(tmp_path):
    table = {
        BEST: {"scores": [90.5, 91.5], "metrics": {"parameters": 802_426}},
        BEST.replace("none", "avg_pool_3x3"): {"scores": [92.25]},
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|": {"scores": [10.0]},
    }
    score = {"name": "accuracy", "column": "accuracy", "unit": "%", "digits": 2, "chance": 0.1}
    path = tmp_path / "cells.json"
    path.write_text(json.dumps({"score": score, "networks": table}))
    space = cell_201()
    evaluator = evaluator_of(space, (3, 32, 32), evaluator="table", table=str(path))
    assert evaluator.facts["networks"] == 3
    found = [
        attempt(evaluator, Job(space.architecture(space.parse(text)), seed))
        for seed, text in enumerate(table)
    ]
    assert [outcome.metrics["expected"] for outcome in found] == pytest.approx([0.91, 0.9225, 0.1])
    assert found[0].metrics["parameters"] == 802_426
    missing = space.architecture(("skip_connect",) * 6)
    assert "the table has no" in (attempt(evaluator, Job(missing, 0)).error or "")


def test_every_operation_is_known():
    assert tuple(OPERATIONS) == cell_201().vocabulary["operation"]
