"""Latency as a limit and in rewards: each network is measured once, and none that is slow trained.

What measures is injected: no test depends on how fast the machine is.
"""

import json
import pickle
import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaqnn import Search
from metaqnn.agents.base import AGENTS
from metaqnn.config.run import RunConfig
from metaqnn.errors import MetaqnnError, NoLatency
from metaqnn.models import latency
from metaqnn.networks.cost import total_cost
from metaqnn.objectives.names import LATENCY
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.gallery import draw_figure
from metaqnn.runs.run import open_run
from metaqnn.search.rewards import read_latency, show_latency
from metaqnn.search.rules import Timing
from replay import Outcome
from tests.helpers.commands import refused
from tests.helpers.parts import image_task, rules_of
from tests.helpers.searches import hash_score, make_search, state
from tests.helpers.spaces import make_space

LIMIT = 100_000.0
"""Of `Counted`, on networks for digits; about half of the random ones exceed it."""


class Counted:
    """A network takes as many seconds as it has multiply-adds; notes what was measured."""

    def __init__(self):
        self.digests = []

    def __call__(self, architecture):
        self.digests.append(architecture.digest)
        return float(total_cost(architecture, (1, 8, 8)).multiply_adds)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory.sqlite"


def rules(monkeypatch, milliseconds, **options):
    """Rules of digits, whose networks all take so long."""
    monkeypatch.setattr(latency, "network_latency", lambda *_: milliseconds / 1e3)
    return rules_of(make_space("digits"), image_task(), **options)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5ms", 0.005), ("800us", 0.0008), ("0.01s", 0.01), (" 1.5ms", 0.0015), ("1s", 1)],
)
def test_latencies_as_people_write_them(text, seconds):
    assert read_latency(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("text", ["", "5", "0ms", "-1ms", "5 ms", "5m", "ms", "1e3us", "nan"])
def test_what_is_no_latency_is_refused(text):
    with pytest.raises(MetaqnnError, match="max-latency is .*such as 5ms, 800us or 0.01s"):
        RunConfig.from_flat({"max_latency": text})
    with pytest.raises(MetaqnnError, match="target-latency is .*such as 5ms, 800us or 0.01s"):
        RunConfig.from_flat({"target_latency": text})


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.005, "5.00 ms"),
        (0.0123, "12.3 ms"),
        (1.5, "1,500 ms"),
        (0.00012345, "0.123 ms"),
        (0.0000061, "0.00610 ms"),
    ],
)
def test_people_read_milliseconds_in_three_digits(seconds, shown):
    assert show_latency(seconds) == shown


@given(st.floats(1e-6, 1e3))
def test_what_is_shown_is_what_it_is(seconds):
    shown = show_latency(seconds).removesuffix(" ms").replace(",", "")
    assert float(shown) == pytest.approx(1e3 * seconds, rel=0.0051)


def test_mnasnet_soft_by_hand():
    """Tan et al. 2019, section 3: acc (LAT / T)^w, alpha = beta = -0.07.

    Of twice the latency it is 2^-0.07 = 0.9526 times: 5 % more accuracy pays for it.
    """
    reward = rules_of_target(reward="mnasnet")
    assert reward({LATENCY: 0.005}) == pytest.approx(0.8)
    assert reward({LATENCY: 0.010}) == pytest.approx(0.8 * 0.952638, abs=1e-6)
    assert reward({LATENCY: 0.0025}) == pytest.approx(0.8 * 1.049717, abs=1e-6)
    assert reward({}) == pytest.approx(0.8)


def test_mnasnet_hard_by_hand():
    """Alpha = 0, beta = -1: nothing below the target, and above it T / LAT times."""
    reward = rules_of_target(reward="mnasnet-hard")
    assert reward({LATENCY: 0.001}) == pytest.approx(0.8)
    assert reward({LATENCY: 0.010}) == pytest.approx(0.4)


@pytest.mark.parametrize("reward", ["mnasnet", "mnasnet-hard", "tunas"])
@pytest.mark.parametrize("score", [-2.0, 0.0, 0.8])
def test_no_reward_is_higher_of_a_network_that_is_too_slow(reward, score):
    """Of scores below 0 too, such as the negative loss of an evaluator of one's own."""
    found = rules_of(make_space("digits"), image_task(), target_latency="5ms", reward=reward)
    rewards = [found.reward(Outcome({LATENCY: slow}, (score,))) for slow in (0.005, 0.01, 0.05)]
    assert rewards == sorted(rewards, reverse=True)
    assert rewards[0] == pytest.approx(score)
    assert len(set(rewards)) == (1 if score == 0 and reward != "tunas" else 3)


def test_tunas_by_hand():
    """Bender et al. 2020: acc + beta |LAT / T - 1|, here with beta = -0.1 and -0.5."""
    reward = rules_of_target(reward="tunas")
    assert reward({LATENCY: 0.005}) == pytest.approx(0.8)
    assert reward({LATENCY: 0.010}) == pytest.approx(0.7)
    assert reward({LATENCY: 0.0025}) == pytest.approx(0.75)
    assert reward({}) == pytest.approx(0.8)
    other = rules_of_target(reward="tunas", latency_weight=0.5)
    assert other({LATENCY: 0.0075}) == pytest.approx(0.55)


def rules_of_target(**options):
    """The reward of an accuracy of 0.8 where 5 ms are aimed at."""
    found = rules_of(make_space("digits"), image_task(), target_latency="5ms", **options)
    return lambda metrics: found.reward(Outcome(metrics, (0.5, 0.8)))


def test_exponents_may_be_others():
    options = {"latency_exponent": -0.5, "latency_exponent_below": -1.0}
    reward = rules_of_target(reward="mnasnet", **options)
    assert reward({LATENCY: 0.020}) == pytest.approx(0.4)
    assert reward({LATENCY: 0.010 / 4}) == pytest.approx(1.6)
    with pytest.raises(MetaqnnError, match="latency-exponent is 0.07"):
        RunConfig.from_flat({"reward": "mnasnet", "latency_exponent": 0.07})


@pytest.mark.parametrize("reward", ["mnasnet", "mnasnet-hard", "tunas"])
def test_the_target_is_the_limit_unless_it_is_given_and_one_of_them_must_be(reward):
    limited = rules_of(make_space("digits"), image_task(), reward=reward, max_latency="5ms")
    assert limited.reward(Outcome({LATENCY: 0.005}, (0.8,))) == pytest.approx(0.8)
    assert limited.timing.limit == 0.005
    both = {"max_latency": "9ms", "target_latency": "5ms"}
    aimed = rules_of(make_space("digits"), image_task(), reward=reward, **both)
    assert aimed.reward(Outcome({LATENCY: 0.005}, (0.8,))) == pytest.approx(0.8)
    assert rules_of(make_space("digits"), image_task(), objective="latency").timing.limit is None
    with pytest.raises(MetaqnnError, match=f"{reward} needs .* target-latency or max-latency"):
        rules_of(make_space("digits"), image_task(), reward=reward)


def test_a_failure_is_no_better_than_any_network_whatever_latency_costs():
    def failure(**options):
        return rules_of(make_space("digits"), image_task(), **options).failure_reward

    assert failure(max_latency="5ms") == 0.1
    # what is allowed is charged nothing, or gains: chance is the worst
    assert failure(reward="mnasnet", max_latency="5ms") == 0.1
    # a network may be so slow that chance would be more: it is the lowest so far
    assert failure(reward="mnasnet", target_latency="5ms") is None
    assert failure(reward="tunas", target_latency="5ms") is None
    assert failure(reward="tunas", target_latency="5ms", max_latency="9ms") is None


def test_networks_that_are_only_looked_up_have_no_limit():
    with pytest.raises(MetaqnnError, match="max-latency need networks that read images"):
        rules_of(make_space("macro"), image_task(), max_latency="5ms", evaluator="bandit")


def write_table(path, **metrics):
    """Ten networks of the space macro, one better and slower than the other."""
    networks = {
        f"{place}".zfill(8): {
            "scores": [0.5 + place / 100],
            "metrics": {name: value * 2**place for name, value in metrics.items()},
        }
        for place in range(3)
    }
    score = {"name": "share"}
    path.write_text(json.dumps({"score": score, "networks": networks}))


LOOKED_UP = ["run", "--space", "macro", "--evaluator", "table", "--table", "t.json", "--name", "r"]
AIMED = ["--reward", "tunas", "--target-latency", "4ms"]


@pytest.mark.parametrize("agent", ["random", "bayesian"])
@pytest.mark.parametrize("options", [["--objective", "latency"], AIMED])
def test_a_latency_that_a_table_tells_is_an_objective_and_rewarded(
    invoke, tmp_path, agent, options
):
    write_table(tmp_path / "t.json", latency=0.002)
    starts = [f"--start-from={place:08}" for place in range(3)]
    own = ["--agent", agent, "--budget", "3", *starts, "--quiet"]
    done = invoke(*LOOKED_UP, *own, *options)
    assert done.exit_code == 0, done.output
    trials = pd.read_csv(StringIO(invoke("trials", "results/r").stdout), dtype={"network": str})
    assert trials["latency"].tolist() == [0.002, 0.004, 0.008]
    if options is AIMED:
        assert trials["reward"].tolist() == pytest.approx([0.50 - 0.05, 0.51, 0.52 - 0.1])
    front = invoke("top-k", "results/r", "--pareto", "latency", "--format", "csv").stdout
    assert len(front.splitlines()) == 4  # each is faster or better than the others


@pytest.mark.parametrize("options", [["--objective", "latency"], AIMED])
@pytest.mark.parametrize("evaluator", ["table", "bandit", "language"])
def test_where_nothing_tells_a_latency_nothing_is_begun(invoke, tmp_path, evaluator, options):
    write_table(tmp_path / "t.json", parameters=5)
    (tmp_path / "text.txt").write_text("one word and another one\n" * 200)
    own = {
        "table": LOOKED_UP[1:],
        "bandit": ["--space", "macro", "--evaluator", "bandit"],
        "language": ["--dataset", "text:text.txt", "--budget", "1"],
    }
    told = invoke("run", *own[evaluator], *options)
    refused(told, "nothing tells the latency of the networks of this run")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("options", [{"objective": "latency"}, {"target_latency": "5ms"}])
def test_a_function_that_tells_no_latency_where_it_is_wanted_ends_the_search(tmp_path, options):
    calls = []

    def score(job):
        calls.append(job)
        return Outcome({LATENCY: 0.001} if len(calls) < 3 else {}, (0.5,))

    search = Search(results_dir=tmp_path, space="macro", evaluator=score, budget=5, **options)
    with pytest.raises(MetaqnnError, match="nothing tells the latency of the networks"):
        search.run(quiet=True)
    assert len(calls) == 3 and len(search.best()) == 2


def test_what_is_missing_is_told_with_what_installs_it(invoke, monkeypatch):
    monkeypatch.setattr("metaqnn.registry.find_spec", lambda name: None)
    told = invoke("run", "--budget", "1", "--max-latency", "5ms")
    refused(told, "latency needs onnx and onnxruntime", "pip install 'metaqnn[onnx]'")


def test_a_network_is_timed_as_it_will_be_exported(monkeypatch):
    told = []
    monkeypatch.setattr(latency, "network_latency", lambda network, facts: told.append(facts) or 1)
    space = make_space("digits")
    network = space.architecture(("SM(10)",))
    for contrast in (False, True):
        options = {"max_latency": "5ms", "contrast": contrast}
        found = rules_of(space, image_task(), **options)
        assert found.timing.measure(network) == 1
        assert told[-1].contrast is contrast
        assert told[-1].input_shape == (1, 8, 8) and len(told[-1].classes) == 10


def test_limits_of_size_and_time_are_told_alike(monkeypatch):
    found = rules(monkeypatch, 5.1, max_latency="5ms", max_parameters=600)
    network = make_space("digits").architecture(("SM(10)",))
    assert found.refuse(network) == "650 parameters, more than 600"
    assert found.timing.refuse(found.timing.measure(network)) == "5.10 ms, more than 5.00 ms"
    assert found.timing.refuse(0.005) is None


@pytest.mark.slow
@pytest.mark.parametrize("agent", AGENTS)
def test_nothing_that_is_slower_than_the_limit_is_trained_and_each_is_measured_once(path, agent):
    counted, trained = Counted(), []

    def evaluate(job):
        trained.append(job.architecture)
        return hash_score(job)

    timing = Timing(counted, LIMIT)
    search = make_search(path, agent, budget=15, timing=timing, evaluator=evaluate)
    search.run()
    assert len(trained) == 15
    assert max(total_cost(each, (1, 8, 8)).multiply_adds for each in trained) <= LIMIT
    proposed = [trial.digest for trial, *_ in search.memory.trained()] + [
        trial.digest for trial in search.memory.refused()
    ]
    assert sorted(counted.digests) == sorted(set(proposed))
    assert search.memory.refused()
    frame = search.memory.frame()
    for row in frame.itertuples():
        own = total_cost(search.space.architecture(row.walk), (1, 8, 8)).multiply_adds
        assert row.latency == own


def test_killed_and_resumed_equals_uninterrupted_and_nothing_is_measured_again(tmp_path):
    ends, counts = [], []
    for name, budgets in (("whole", [20]), ("parts", [1, 7, 8, 20])):
        measured = []
        for budget in budgets:
            counted = Counted()
            search = make_search(
                tmp_path / name, "evolution", budget=budget, timing=Timing(counted, LIMIT)
            )
            search.run()
            measured += counted.digests
        ends.append((state(search), [trial.walk for trial in search.memory.refused()]))
        counts.append(measured)
    assert ends[0] == ends[1]
    assert counts[0] == counts[1] and len(set(counts[1])) == len(counts[1])


def test_a_search_that_dies_while_it_measures_comes_to_the_same_end(tmp_path):
    def dies(architecture):
        calls.append(architecture)
        if len(calls) in (3, 8, 15, 24, 35):
            raise KeyboardInterrupt
        return Counted()(architecture)

    whole = make_search(tmp_path / "whole", budget=12, timing=Timing(Counted(), LIMIT))
    whole.run()
    calls, deaths = [], 0
    for _ in range(6):
        search = make_search(tmp_path / "parts", budget=12, timing=Timing(dies, LIMIT))
        try:
            search.run()
            break
        except KeyboardInterrupt:
            deaths += 1
            search.memory.close()
    assert deaths > 2
    assert state(search) == state(whole)


def test_the_agent_is_told_what_the_latency_makes_of_the_score(path):
    def reward(outcome):
        return max(outcome.curve) - outcome.metrics[LATENCY] / 1e6

    told = []
    search = make_search(path, budget=10, timing=Timing(Counted()))
    search.rules = search.latencies.rules = replace(search.rules, reward=reward)
    search._failures.rules = search.rules

    def evaluate(job):
        outcome = hash_score(job)
        # as a worker asks, which has the job alone, to see whether the weights are wanted
        told.append(pickle.loads(pickle.dumps(job.architecture)) and job.reward(outcome))
        assert LATENCY not in outcome.metrics
        return outcome

    search.evaluator = evaluate
    search.run()
    assert [reward for _, _, reward in search.memory.trained()] == told
    assert len(set(told)) == 10


def test_the_reward_of_a_job_can_be_sent_to_workers(monkeypatch, path):
    found = rules(monkeypatch, 10.0, reward="tunas", target_latency="5ms")
    search = make_search(path, budget=1, timing=Timing(Counted()))
    search.latencies.rules = replace(search.rules, reward=found.reward)
    search.memory.keep_measured(LATENCY, "a", 0.010)
    sent = pickle.loads(pickle.dumps(search.latencies.reward("a")))
    assert sent(Outcome(curve=(0.8,))) == pytest.approx(0.7)


@pytest.mark.parametrize("agent", ["evolution", "bayesian"])
def test_latency_may_be_an_objective(path, agent):
    told = []
    counted = Counted()
    search = make_search(path, agent, budget=8, timing=Timing(counted), objectives=(LATENCY,))
    tell = search.agent.tell
    search.agent.tell = lambda trial, gain: told.append((trial, gain)) or tell(trial, gain)
    search.run()
    assert len(counted.digests) == 8 and not search.memory.refused()
    front = []  # of what is told is how far a network is above all that are as fast
    for trial, gain in told:
        outcome = search.memory.outcome(trial.digest)
        reward, latency = max(outcome.curve), outcome.metrics[LATENCY]
        faster = [known for cost, known in front if cost <= latency]
        if faster:
            assert gain == pytest.approx(reward - max(faster))
        front.append((latency, reward))


def test_a_latency_that_the_evaluator_tells_counts(path):
    def on_the_phone(job):
        return Outcome({LATENCY: 7.0}, (0.5,))

    search = make_search(path, budget=3, timing=Timing(Counted()), evaluator=on_the_phone)
    search.run()
    assert search.memory.frame()["latency"].tolist() == [7.0] * 3


def test_a_network_that_cannot_be_run_is_refused_and_costs_nothing_else(path):
    def breaks(architecture):
        if len(architecture.nodes) > 4:
            raise NoLatency("NotImplemented: no kernel for it")
        return 1.0

    search = make_search(path, budget=6, timing=Timing(breaks, 2.0))
    search.run()
    assert len(search.trained) == 6
    reasons = set(search.memory.refusals().values())
    assert reasons == {"its latency cannot be measured: NotImplemented: no kernel for it"}


@pytest.mark.parametrize(
    "error", [OSError("the disk is full"), TypeError("number"), MetaqnnError("?")]
)
def test_whatever_else_keeps_a_network_from_being_measured_is_told_and_not_kept(tmp_path, error):
    calls = []

    def breaks_once(architecture):
        calls.append(architecture)
        if len(calls) == 4:
            raise error
        return Counted()(architecture)

    whole = make_search(tmp_path / "whole", budget=6, timing=Timing(Counted(), LIMIT))
    whole.run()
    search = make_search(tmp_path / "parts", budget=6, timing=Timing(breaks_once, LIMIT))
    with pytest.raises(type(error), match=re.escape(str(error))):
        search.run()
    search.memory.close()
    again = make_search(tmp_path / "parts", budget=6, timing=Timing(breaks_once, LIMIT))
    again.run()
    assert state(again) == state(whole)
    assert again.memory.refusals() == whole.memory.refusals()


def test_a_search_without_latencies_has_no_such_column(path):
    search = make_search(path, budget=3)
    search.run()
    assert "latency" not in search.memory.frame()


def test_a_search_whose_time_is_over_looks_for_no_network_that_is_fast_enough(path):
    """Each takes a second to be measured, and all are too slow."""
    search = make_search(path, budget=5, timing=Timing(lambda _: 1.0, 0.5), deadline=-np.inf)
    assert search.run() == "the time for the search is over"
    assert len(search.memory.refused()) == 1


@pytest.mark.slow
def test_tables_and_figures_show_latency_where_a_run_has_it(invoke, monkeypatch, tmp_path):
    def measure(architecture, facts):
        return total_cost(architecture, facts.input_shape).multiply_adds / 1e8

    monkeypatch.setattr(latency, "network_latency", measure)
    options = ["--budget", "6", "--epochs", "1", "--device", "cpu"]
    done = invoke("run", "--name", "a", "--max-latency", "2ms", *options)
    assert done.exit_code == 0, done.output
    assert "refused as too large or slow; the budget is spent" in done.output
    table = invoke("top-k", "results/a", "--format", "csv").stdout
    (tmp_path / "a.csv").write_text(table)
    found = pd.read_csv(tmp_path / "a.csv")
    assert (found["latency"] == found["multiply_adds"] / 1e8).all()
    assert found["latency"].max() <= 0.002
    front = invoke("top-k", "results/a", "--pareto", "latency", "--sort", "latency")
    assert front.exit_code == 0 and show_latency(found["latency"].min()) in front.stdout
    header = invoke("trials", "results/a").stdout.splitlines()[0]
    assert "latency" in header.split(",")
    assert invoke("plot", "results/a", "--to", "figures").exit_code == 0
    figure = draw_figure("pareto", Findings.of(open_run(tmp_path / "results" / "a")))
    assert "latency in seconds" in {axes.get_xlabel() for axes in figure.axes}
    page = invoke("report", "results/a", "--html", "a.html")
    assert page.exit_code == 0 and "latency" in (tmp_path / "a.html").read_text()
    # more networks of the same run; what was measured is not measured again
    monkeypatch.setattr(latency, "network_latency", lambda *_: pytest.fail("measured again"))
    assert invoke("resume", "results/a", "--budget", "6").exit_code == 0
    plain = invoke("run", "--name", "b", *options)
    assert plain.exit_code == 0 and "latency" not in plain.output
    assert "latency" not in invoke("top-k", "results/b", "--format", "csv").stdout
    refused(invoke("top-k", "results/b", "--pareto", "latency"), "have no latency")
