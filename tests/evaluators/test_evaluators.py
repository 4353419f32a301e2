"""The evaluators that do not train: table, bandit and surrogate."""

import csv
import gzip
import json
import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.bandit import BanditEvaluator
from metaqnn.evaluators.base import Job, attempt
from metaqnn.evaluators.surrogate import SurrogateEvaluator, average, features, read_log
from metaqnn.evaluators.table import TableEvaluator
from metaqnn.networks.cost import total_cost
from metaqnn.reports.columns import COLUMNS as TABLES
from metaqnn.runs.run import Run, make_folder
from metaqnn.spaces import read_space
from metaqnn.task import Score
from replay import Outcome
from replay.frame import COLUMNS
from state_space import Architecture, Node, random_walk
from state_space.architecture import chain
from tests.helpers.parts import evaluator_of, image_task
from tests.helpers.spaces import SHAPES, make_space

CIFAR = (3, 32, 32)
DIGITS = SHAPES["digits"]
LOG = "metaqnn_log/replay_database.csv.gz"
TABLE = "nas_bench_macro/nas-bench-macro_cifar10.json.gz"


def make_evaluator(name, space_name, **options):
    shape = SHAPES.get(space_name, CIFAR)
    options |= {"evaluator": name, "space": space_name}
    return evaluator_of(make_space(space_name), shape, **options)


def assert_one_line(caught):
    assert "\n" not in str(caught.value)


# table


ENTRIES = {
    "00000000": {"test_acc": [40.0, 50.0, 60.0], "mean_acc": 50.0, "params": 7, "flops": 11},
    "22222222": {"test_acc": [90.0, 80.0, 70.0], "mean_acc": 80.0},
}


def write_table(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def macro_job(digits, seed=0):
    space = make_space("macro")
    return Job(space.architecture(space.parse(digits)), seed)


@pytest.fixture
def table(tmp_path):
    return make_evaluator("table", "macro", table=write_table(tmp_path / "table.json", ENTRIES))


def test_a_table_draws_each_training_equally_often(table):
    drawn = Counter(table(macro_job("00000000", seed)).curve for seed in range(3000))
    assert set(drawn) == {(0.4,), (0.5,), (0.6,)}
    # binomial: 1,000 with a deviation of 26
    assert all(900 < count < 1100 for count in drawn.values())


def test_the_same_seed_draws_the_same_training(table):
    for seed in range(10):
        assert table(macro_job("00000000", seed)) == table(macro_job("00000000", seed))


def test_a_table_knows_costs_means_and_the_best(table):
    assert table(macro_job("00000000")).metrics == {
        "parameters": 7,
        "multiply_adds": 11,
        "nodes": 8,
        "edges": 8,
        "expected": 0.5,
    }
    assert table(macro_job("22222222")).metrics == {"nodes": 8, "edges": 8, "expected": 0.8}
    assert table.optimum == 0.8
    content = table.facts["content"]
    assert table.facts == {"networks": 2, "best mean accuracy": 0.8, "content": content}


def test_a_network_that_the_table_lacks_fails_and_is_named(table):
    job = macro_job("00000001")
    with pytest.raises(MetaqnnError, match=r"the table has no \[ID, .*, MB\(3,3\)\]") as caught:
        table(job)
    assert_one_line(caught)
    assert "the table has no" in attempt(table, job).error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "table.json cannot be read"),
        ("[]", "valid dictionary"),
        ("{}", "no networks"),
        ({"00000000": {"mean_acc": 50.0}}, "00000000 test_acc: Field required"),
        ({"00000000": {"test_acc": [], "mean_acc": 50.0}}, "00000000 test_acc: .*at least 1"),
        ({"00000000": {"test_acc": [1.0], "mean_acc": "x"}}, "00000000 mean_acc: .*number"),
        ({"00000003": ENTRIES["00000000"]}, "not a network of the space: '00000003'"),
        ({"0000": ENTRIES["00000000"]}, "not a network of the space: '0000'"),
        ({"[SM(10)]": ENTRIES["00000000"]}, "not a network of the space: position 1: SM"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_in_one_line(tmp_path, content, message):
    path = write_table(tmp_path / "table.json", content)
    with pytest.raises(MetaqnnError, match=message) as caught:
        make_evaluator("table", "macro", table=path)
    assert_one_line(caught)
    assert path in str(caught.value)


def test_a_table_that_is_not_there_or_broken_is_told_in_one_line(tmp_path):
    with pytest.raises(MetaqnnError, match="--table FILE"):
        make_evaluator("table", "macro")
    with pytest.raises(MetaqnnError, match="cannot be read") as caught:
        make_evaluator("table", "macro", table=str(tmp_path / "missing.json"))
    assert_one_line(caught)
    path = tmp_path / "table.json.gz"
    whole = gzip.compress(json.dumps(ENTRIES).encode())
    for broken in (whole[:-12], whole[:10] + b"\xff" * 20):
        path.write_bytes(broken)
        with pytest.raises(MetaqnnError, match="cannot be read") as caught:
            make_evaluator("table", "macro", table=str(path))
        assert_one_line(caught)


def test_a_gzipped_table_is_the_same(tmp_path, table):
    path = tmp_path / "table.json.gz"
    path.write_bytes(gzip.compress(json.dumps(ENTRIES).encode()))
    assert make_evaluator("table", "macro", table=str(path)) == table


def test_nas_bench_macro_is_what_was_published(real_data):
    table = make_evaluator("table", "macro", table=str(real_data(TABLE)))
    assert isinstance(table, TableEvaluator)
    assert table.facts["networks"] == 3**8
    assert table.optimum == pytest.approx(0.9312666, abs=1e-7)
    best = table(macro_job("22212220"))
    assert best.metrics["expected"] == table.optimum
    assert best.metrics["parameters"] == 1_985_514
    assert best.metrics["multiply_adds"] == 85_164_544
    scores = {table(macro_job("22212220", seed)).curve[0] for seed in range(50)}
    assert sorted(scores) == pytest.approx([0.9277, 0.9328, 0.9333], abs=1e-7)
    scores = {table(macro_job("00000000", seed)).curve[0] for seed in range(50)}
    assert sorted(scores) == pytest.approx([0.4532, 0.4533, 0.4544], abs=1e-7)


# bandit


def convolutions(*args):
    return chain([*(("CB", each) for each in args), ("SM", (10,))])


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (convolutions((16, 3, 3, 1, 1)), 0.9),
        (convolutions((16, 5, 7, 1, 1)), (0.9 + 0.925 + 0.95) / 3),
        (convolutions((128, 3, 3, 1, 1)), (0.95 + 0.9 + 0.9) / 3),
        (convolutions((64, 5, 5, 1, 1), (16, 3, 3, 1, 1)), (0.925 + 0.9) / 2),
        (convolutions((128, 7, 7, 1, 1), (128, 7, 7, 1, 1)), 0.95),
    ],
)
def test_a_bandit_pays_its_expectation_on_average(architecture, expected):
    bandit = make_evaluator("bandit", "digits")
    outcomes = [bandit(Job(architecture, seed)) for seed in range(3000)]
    for outcome in outcomes:
        assert outcome.metrics == {"expected": pytest.approx(expected)}
    scores = np.array([score for outcome in outcomes for score in outcome.curve])
    # a deviation of 0.03 or less a score, so of 0.0006 or less for the mean
    assert scores.mean() == pytest.approx(expected, abs=0.0025)
    assert 0.9 * expected <= scores.min() < scores.max() <= 1.1 * expected


def test_every_decision_draws_a_factor_of_its_own():
    bandit = BanditEvaluator()
    architecture = convolutions((16, 3, 3, 1, 1))
    scores = [bandit(Job(architecture, seed)).curve[0] for seed in range(3000)]
    # u uniform in 0.9 to 1.1 has a deviation of 0.2 / sqrt(12); the mean of three draws follows
    assert np.std(scores) == pytest.approx(0.9 * 0.2 / np.sqrt(12) / np.sqrt(3), rel=0.05)


def test_the_optimum_of_the_bandit_is_the_largest_of_everything():
    bandit = BanditEvaluator()
    best = convolutions((128, 7, 7, 1, 1), (128, 7, 7, 1, 1))
    assert bandit(Job(best, 0)).metrics["expected"] == pytest.approx(bandit.optimum)


def test_a_bandit_is_a_function_of_the_job():
    job = Job(convolutions((64, 5, 5, 1, 1)), 3)
    assert BanditEvaluator()(job) == BanditEvaluator()(job)
    assert BanditEvaluator()(job) != BanditEvaluator()(Job(job.architecture, 4))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((32, 3, 3, 1, 1), r"CB\(32,3,3,1,1\): the bandit knows no filters 32, only 16, 64, 128"),
        ((16, 1, 3, 1, 1), "no height 1, only 3, 5, 7"),
        ((16, 3, 9, 1, 1), "no width 9, only 3, 5, 7"),
    ],
)
def test_a_bandit_refuses_sizes_that_it_does_not_know(args, message):
    with pytest.raises(MetaqnnError, match=message):
        BanditEvaluator()(Job(convolutions(args), 0))


def test_a_bandit_refuses_a_network_without_convolutions():
    with pytest.raises(MetaqnnError, match=r"\[SM\(10\)\]: the bandit knows only convolutions CB"):
        BanditEvaluator()(Job(convolutions(), 0))


# surrogate


def digits_walks(count, seed=0):
    """Different walks of the space digits."""
    space, generator = make_space("digits"), np.random.default_rng(seed)
    walks = {}
    while len(walks) < count:
        walks[random_walk(space, generator)] = None
    return list(walks)


def by_depth(walk):
    """An accuracy that rises with the number of layers alone, from 0.2 to 0.7."""
    return 0.1 + 0.1 * len(walk)


def write_log(path, rows):
    """A replay database of the 2017 code, of (walk, accuracy)."""
    space = make_space("digits")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["net", "accuracy_best_val"])
        writer.writerows((space.architecture(walk).text, accuracy) for walk, accuracy in rows)
    return str(path)


def write_run(path, space_name, outcomes):
    """The folder of a run in which these (walk, outcome) were recorded."""
    config = RunConfig.from_flat({"space": space_name, "budget": len(outcomes)})
    task = image_task(SHAPES.get(space_name, CIFAR))
    run = Run(path, config, read_space(space_name), task)
    make_folder(run, ["metaqnn", "run"], {})
    memory = run.memory()
    space = run.space()
    with memory.transaction():
        for walk, outcome in outcomes:
            trial = memory.add(walk, 0, space.architecture(walk).digest, 0, {})
            if outcome is not None:
                memory.finish(trial, outcome, 0.1)
    memory.close()
    return str(path)


@pytest.fixture(scope="module")
def depth_log(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "replay_database.csv"
    return write_log(path, [(walk, by_depth(walk)) for walk in digits_walks(300)])


@pytest.fixture(scope="module")
def depth_surrogate(depth_log):
    return make_evaluator("surrogate", "digits", surrogate_from=depth_log)


def test_an_accuracy_that_depends_on_depth_is_learnt(depth_surrogate):
    facts = depth_surrogate.facts
    assert facts["networks"] == 300
    assert facts["rank correlation"] > 0.9
    space = make_space("digits")
    errors = [
        depth_surrogate(Job(space.architecture(walk), 0)).curve[0] - by_depth(walk)
        for walk in digits_walks(100, seed=1)
    ]
    # half a layer's worth on average, two at most, for the short networks, which are rare
    assert np.mean(np.abs(errors)) < 0.05
    assert np.max(np.abs(errors)) < 0.2


def test_shuffled_accuracies_cannot_be_learnt(tmp_path):
    walks = digits_walks(300)
    accuracies = np.random.default_rng(0).permutation([by_depth(walk) for walk in walks])
    path = write_log(tmp_path / "log.csv", zip(walks, accuracies, strict=True))
    surrogate = make_evaluator("surrogate", "digits", surrogate_from=path)
    # Spearman's of 300 unrelated pairs has a deviation of 0.058
    assert abs(surrogate.facts["rank correlation"]) < 0.2


def test_an_outcome_is_the_prediction_with_what_is_known_of_the_network(depth_surrogate):
    architecture = make_space("digits").architecture(("C(8,3,1)", "SM(10)"))
    outcome = depth_surrogate(Job(architecture, 0))
    (score,) = outcome.curve
    # 8 filters of 3x3 on one channel and their biases; 10 times 8x8x8 weights, and biases
    assert outcome.metrics == {
        "nodes": 2,
        "edges": 2,
        "expected": score,
        "parameters": 8 * 9 + 8 + 512 * 10 + 10,
        "multiply_adds": 8 * 9 * 64 + 512 * 10,
    }
    assert outcome.error is None
    assert depth_surrogate.optimum is None
    assert depth_surrogate(Job(architecture, 1)) == outcome


def test_the_same_file_gives_the_same_surrogate_also_pickled(depth_log, depth_surrogate):
    again = make_evaluator("surrogate", "digits", surrogate_from=depth_log)
    unpickled = pickle.loads(pickle.dumps(depth_surrogate))
    assert again.facts == unpickled.facts == depth_surrogate.facts
    space = make_space("digits")
    for walk in digits_walks(50, seed=2):
        job = Job(space.architecture(walk), 0)
        assert again(job) == unpickled(job) == depth_surrogate(job)


def test_predictions_are_accuracies(tmp_path):
    walks = digits_walks(300)
    rows = [(walk, float(len(walk) > 4)) for walk in walks]
    path = write_log(tmp_path / "log.csv", rows)
    surrogate = make_evaluator("surrogate", "digits", surrogate_from=path)
    space = make_space("digits")
    scores = [surrogate(Job(space.architecture(walk), 0)).curve[0] for walk in walks]
    assert 0 <= min(scores) < 0.1
    assert 0.9 < max(scores) <= 1


def test_rows_of_one_network_are_averaged():
    first, second = (Architecture((Node("SM", (n,), (-1,)),), (0,)) for n in (10, 2))
    assert average([(first, 0.5), (second, 0.125), (first, 1.0)]) == (
        [first, second],
        [0.75, 0.125],
    )


def test_features_of_a_chain_by_hand():
    architecture = chain([("C", (2, 1, 1)), ("C", (4, 1, 1)), ("C", (2, 1, 1)), ("SM", (10,))])
    assert features(architecture, None) == {
        "nodes": 4,
        "edges": 4,
        "op C": 3,
        "op SM": 1,
        "node C(2,1,1)": 2,
        "node C(4,1,1)": 1,
        "node SM(10)": 1,
        "0 is C(2,1,1)": 1,
        "1 is C(4,1,1)": 1,
        "2 is C(2,1,1)": 1,
        "3 is SM(10)": 1,
    }
    cost = total_cost(architecture, (1, 8, 8))
    costly = features(architecture, cost)
    assert costly["log parameters"] == pytest.approx(np.log(1 + cost.parameters))
    assert costly["log multiply-adds"] == pytest.approx(np.log(1 + cost.multiply_adds))


def test_features_tell_skips_and_settings_apart():
    nodes = (Node("ID", (), (-1,)), Node("ID", (), (0,)), Node("ADD", (), (1, -1)))
    found = features(Architecture(nodes, (2,), {"learning rate": 0.1}), None)
    assert found["learning rate"] == 0.1
    assert found["edges"] == 4
    assert found["2 reads -1"] == 1
    assert [name for name in found if "reads" in name] == ["2 reads -1"]


def test_a_run_is_learnt_from_as_a_log_is(tmp_path, depth_log, depth_surrogate):
    outcomes = [(walk, Outcome({}, (0.05, by_depth(walk), 0.1))) for walk in digits_walks(300)]
    folder = write_run(tmp_path / "run", "digits", outcomes)
    surrogate = make_evaluator("surrogate", "digits", surrogate_from=folder)
    assert surrogate.facts == depth_surrogate.facts
    job = Job(make_space("digits").architecture(("C(8,3,1)", "SM(10)")), 0)
    assert surrogate(job) == depth_surrogate(job)


def test_networks_that_failed_or_have_not_finished_are_left_out(tmp_path):
    outcomes = [(walk, Outcome({}, (by_depth(walk),))) for walk in digits_walks(40)]
    outcomes[7] = (outcomes[7][0], Outcome({}, (0.9,), error="out of memory"))
    outcomes[8] = (outcomes[8][0], None)
    outcomes.append(outcomes[9])
    folder = write_run(tmp_path / "run", "digits", outcomes)
    facts = make_evaluator("surrogate", "digits", surrogate_from=folder).facts
    assert facts["networks"] == 38


def test_a_space_that_cannot_be_trained_has_no_costs(tmp_path):
    space = make_space("macro")
    walks = [random_walk(space, np.random.default_rng(seed)) for seed in range(200)]
    outcomes = [(walk, Outcome({}, (walk.count("MB(6,5)") / 8,))) for walk in walks]
    folder = write_run(tmp_path / "run", "macro", outcomes)
    surrogate = make_evaluator("surrogate", "macro", surrogate_from=folder)
    assert surrogate.facts["rank correlation"] > 0.9
    outcome = surrogate(Job(space.architecture(walks[0]), 0))
    assert outcome.metrics == {"nodes": 8, "edges": 8, "expected": outcome.curve[0]}


def test_records_of_another_space_are_refused_in_one_line(tmp_path, depth_log):
    with pytest.raises(MetaqnnError, match=r"replay_database.csv, line \d+: ") as caught:
        make_evaluator("surrogate", "metaqnn-cifar10", surrogate_from=depth_log)
    assert_one_line(caught)
    outcomes = [(walk, Outcome({}, (by_depth(walk),))) for walk in digits_walks(40)]
    folder = write_run(tmp_path / "run", "digits", outcomes)
    with pytest.raises(MetaqnnError, match=r"run, network \d+: .* another space") as caught:
        make_evaluator("surrogate", "metaqnn-cifar10", surrogate_from=folder)
    assert_one_line(caught)


def test_too_few_or_equal_records_are_refused_in_one_line(tmp_path):
    path = tmp_path / "log.csv"
    few, same = ([(walk, 0.5) for walk in digits_walks(count)] for count in (4, 20))
    for rows, message in ((few, "has 4 trained networks"), (same, "and 1 different accuracies")):
        with pytest.raises(MetaqnnError, match=message) as caught:
            make_evaluator("surrogate", "digits", surrogate_from=write_log(path, rows))
        assert_one_line(caught)


def test_records_that_are_not_there_are_told_in_one_line(tmp_path):
    with pytest.raises(MetaqnnError, match="--surrogate-from"):
        make_evaluator("surrogate", "digits")
    with pytest.raises(MetaqnnError, match=r"nothing.csv cannot be read") as caught:
        make_evaluator("surrogate", "digits", surrogate_from=str(tmp_path / "nothing.csv"))
    assert_one_line(caught)
    with pytest.raises(MetaqnnError, match="is not the folder of a run") as caught:
        make_evaluator("surrogate", "digits", surrogate_from=str(tmp_path))
    assert_one_line(caught)
    empty = write_run(tmp_path / "run", "digits", [])
    with pytest.raises(MetaqnnError, match="has 0 trained networks") as caught:
        make_evaluator("surrogate", "digits", surrogate_from=empty)
    assert_one_line(caught)


@pytest.mark.slow
def test_the_real_log_can_be_learnt_from(real_data):
    path = real_data(LOG)
    surrogate = make_evaluator("surrogate", "metaqnn-svhn", surrogate_from=str(path))
    assert isinstance(surrogate, SurrogateEvaluator)
    assert surrogate.facts["networks"] == 1789
    architectures, accuracies = average(read_log(path, make_space("metaqnn-svhn")))
    layers = pd.Series([len(architecture.nodes) for architecture in architectures])
    by_layers = layers.rank().corr(pd.Series(accuracies).rank())
    # a correlation of 1,789 pairs has a deviation of about 0.02: better by five of them
    assert surrogate.facts["rank correlation"] > by_layers + 0.1
    assert surrogate.facts["rank correlation above chance"] > 0.1


def test_the_column_of_a_score_is_no_other_column():
    for column in (*COLUMNS, *TABLES, "first", "predicted", "metrics", "note"):
        if column in ("score", "latency"):  # that may be somebody's score
            continue
        with pytest.raises(MetaqnnError, match=f"the column of a score cannot be '{column}'"):
            Score("inference time", column, "negative", "s")
    assert Score("inference time", "seconds_an_image", "negative", "s").word == "seconds an image"
