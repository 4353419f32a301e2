"""Rewards by name, by hand; refused networks, networks to start from, and growing spaces."""

from math import log, log10

import pytest

from metaqnn.agents.base import AGENTS
from metaqnn.config.run import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.networks.cost import total_cost
from metaqnn.search.rewards import OF_LIKELIHOODS, REWARDS, RewardOptions
from metaqnn.task import Score, Task
from replay import Outcome
from state_space import legal_walk
from tests.helpers.parts import image_task, rules_of
from tests.helpers.searches import hash_score, make_search, state
from tests.helpers.spaces import make_space

CURVE = (0.2, 0.9, 0.5, 0.6, 0.8, 0.7, 0.6)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "memory.sqlite"


def rules(**options):
    return rules_of(make_space("digits"), image_task(), **options)


def test_accuracy_is_the_best_of_all_epochs():
    assert rules().reward(Outcome(curve=CURVE)) == 0.9


def test_nas_is_the_best_of_the_last_five_epochs_cubed():
    assert rules(reward="nas").reward(Outcome(curve=CURVE)) == pytest.approx(0.8**3)
    assert rules(reward="nas").reward(Outcome(curve=(0.5, 0.4))) == pytest.approx(0.125)


def test_block_qnn_charges_for_operations_and_density():
    # 10^6 multiply-adds are 2 * 10^6 operations; 12 edges among 4 nodes are a density of 3
    outcome = Outcome({"multiply_adds": 10**6, "nodes": 4, "edges": 12}, (0.9,))
    options = {"reward": "block-qnn", "flops_weight": 0.02, "density_weight": 0.5}
    expected = 0.9 - 0.02 * (6 + log10(2)) - 0.5 * log10(3)
    assert rules(**options).reward(outcome) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reward", "mu", "rho"), [("block-qnn-v1", 0.5, 0.5), ("block-qnn-v3", 1.0, 8.0)]
)
def test_block_qnn_in_the_units_of_its_papers(reward, mu, rho):
    # accuracy in percent, natural logarithms, multiply-adds, density of the block
    metrics = {"multiply_adds": 10**8, "nodes": 40, "edges": 60, "density": 2.0}
    found = rules(reward=reward)
    expected = 90 - mu * 8 * log(10) - rho * log(2)
    assert found.reward(Outcome(metrics, (0.9,))) == pytest.approx(expected)
    # charges exceed chance, so a failure is worth the lowest reward so far
    assert found.failure_reward is None
    changed = RunConfig.from_flat({"reward": reward, "log-base": 2.0, "flops-weight": 3.0}).rewards
    assert (changed.log_base, changed.flops_weight, changed.density_weight) == (2.0, 3.0, rho)


@pytest.mark.parametrize(("reward", "chance"), [("score", 0.1), ("accuracy", 0.1), ("nas", 0.001)])
def test_a_failure_has_the_reward_of_chance(reward, chance):
    assert rules(reward=reward).failure_reward == pytest.approx(chance)


@pytest.mark.parametrize("scale", ["perplexity", "bits"])
def test_the_reward_of_texts_is_80_by_the_square_of_the_perplexity(scale):
    """Zoph & Le 2017, section 4.2; chance is as likely as any of ten tokens."""
    space = make_space("digits")
    task = Task((10,), ("next token",), Score(scale=scale, chance=-log(10)))
    found = rules_of(space, task, reward="nas-ptb")
    assert found.reward(Outcome(curve=(-log(200), -log(100), -log(120)))) == pytest.approx(80e-4)
    assert found.failure_reward == pytest.approx(0.8)


def test_the_reward_of_texts_is_none_of_pictures():
    with pytest.raises(MetaqnnError, match="nas-ptb is one of perplexities, and the score is"):
        rules(reward="nas-ptb")


@pytest.mark.parametrize("reward", sorted(set(REWARDS) - OF_LIKELIHOODS))
def test_no_reward_exceeds_the_best_accuracy(reward):
    """Of networks that are no faster than asked for."""
    metrics = {"multiply_adds": 500, "nodes": 3, "edges": 3, "latency": 0.005}
    options = RewardOptions(reward=reward, target_latency="5ms")
    assert REWARDS.find(reward)(Outcome(metrics, CURVE), options) <= max(CURVE)


def test_limits_count_parameters_and_operations():
    # [SM(10)] on 1x8x8: 640 weights and 10 biases, 640 multiply-adds
    space = make_space("digits")
    network = space.architecture(("SM(10)",))
    assert rules(max_parameters=650, max_flops=1280).refuse(network) is None
    assert rules(max_parameters=649).refuse(network) == "650 parameters, more than 649"
    assert rules(max_flops=1279).refuse(network) == "1,280 FLOPs, more than 1,279"


def refuses_half(architecture):
    return "too large" if int(architecture.digest[0], 16) % 2 else None


@pytest.mark.parametrize("agent", AGENTS)
def test_refused_networks_are_recorded_not_told_and_not_in_the_budget(path, agent):
    search = make_search(path, agent, budget=30, refuse=refuses_half)
    told = []
    tell = search.agent.tell
    search.agent.tell = lambda trial, reward: told.append(trial.digest) or tell(trial, reward)
    search.run()
    assert len(search.trained) == 30
    refused = {trial.digest for trial in search.memory.refused()}
    assert len(refused) > 5
    assert not refused & set(told)
    assert not refused & set(search.memory.frame()["digest"])
    assert search.memory.unfinished() == []


def test_a_search_with_refusals_resumes_to_the_same_end(tmp_path):
    ends = []
    for name, budgets in (("whole", [24]), ("halves", [11, 24])):
        for budget in budgets:
            search = make_search(tmp_path / name, "random", budget=budget, refuse=refuses_half)
            search.run()
        ends.append((state(search), [trial.walk for trial in search.memory.refused()]))
    assert ends[0] == ends[1]


@pytest.mark.slow
# a policy is drawn to what is larger, and is not told where that ends
@pytest.mark.parametrize("agent", sorted(set(AGENTS) - {"reinforce", "ppo", "actor-critic"}))
def test_a_limit_on_the_size_does_not_end_a_search_that_larger_networks_attract(path, agent):
    def larger_is_better(job):
        return Outcome(curve=(min(1.0, total_cost(job.architecture, (1, 8, 8)).parameters / 1e5),))

    refuse = rules(max_parameters=3000).refuse
    search = make_search(path, agent, budget=30, seed=1, refuse=refuse, evaluator=larger_is_better)
    assert search.run() == "the budget is spent"


def test_where_all_is_refused_the_search_ends(path, monkeypatch):
    monkeypatch.setattr("metaqnn.search.loop.PATIENCE", 30)
    search = make_search(path, budget=5, refuse=lambda architecture: "too large")
    assert search.run() == "nothing new came up in 30 proposals"
    assert make_search(path, budget=5, refuse=lambda architecture: "too large").run() == (
        "nothing new came up in 30 proposals"
    )


@pytest.mark.parametrize("stops", [[20], [1, 20], [2, 20], [3, 20]])
def test_designs_are_trained_first_each_once_and_told(path, stops):
    space = make_space("digits")
    designs = [space.parse(text) for text in ("[SM(10)]", "[GAP(10), SM(10)]", "[SM(10)]")]
    for budget in stops:
        search = make_search(path, "evolution", budget=budget, start_from=tuple(designs))
        search.run()
    frame = search.memory.frame()
    assert frame["walk"].tolist()[:3] == designs
    assert frame["first"].tolist()[:3] == [True, True, False]
    assert len(search.trained) == 20
    assert [trial.walk for trial, _ in search.memory.history()][:3] == designs


def test_a_space_grows_with_the_networks(path):
    search = make_search(
        path, "reinforce", budget=9, space_name="nas-cifar10", grow_every=4, evaluator=hash_score
    )
    search.run()
    frame = search.memory.frame().query("first")
    assert frame["stage"].tolist() == [0] * 4 + [1] * 4 + [2]
    for row in frame.itertuples():
        assert len(list(legal_walk(search.space, row.walk, row.stage))) == len(row.walk)


def test_a_design_has_the_stage_of_its_depth(path):
    space = make_space("nas-cifar10")
    deep = [f"CB(24,3,3,1,1)@{'-1' if layer == 0 else layer - 1}" for layer in range(10)]
    walk = space.parse(f"[{', '.join(deep)}, SM(10)]".replace("@-1", ""))
    search = make_search(
        path, "q-learning", budget=3, space_name="nas-cifar10", start_from=(walk,), grow_every=100
    )
    search.run()
    assert search.memory.frame()["stage"].tolist() == [2, 0, 0]


def test_a_design_of_another_space_is_refused():
    with pytest.raises(MetaqnnError, match="start-from .*C\\(7,3,1\\)"):
        rules(start_from=("[C(7,3,1), SM(10)]",))
