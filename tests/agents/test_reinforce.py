"""The controller of the agent reinforce: its probabilities, its gradient, and that it learns."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from metaqnn.agents import reinforce
from metaqnn.agents.policy import Policy
from metaqnn.agents.reinforce import Reinforce, ReinforceOptions, reinforce_objective
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from replay import Trial
from state_space import IllegalMove, legal_walk, random_walk
from tests.helpers.agents import Landscape
from tests.helpers.spaces import Layers, make_space

WALK = ("small", "large", "skip:1", "small", "skip:1", "skip:0", "stop")
"""Of four layers; the first connection is forced, the others are free."""


def all_walks(space):
    """Every complete walk."""
    found = []
    states = [space.initial_state()]
    while states:
        state = states.pop()
        decision = space.decision(state)
        if decision is None:
            found.append(state.walk)
        else:
            states += [space.step(state, token) for token in decision.options]
    return found


def make_policy(space=None, layers=2, units=3, scale=10, bound=0.0):
    """A policy in float64, whose weights are large enough to make differences."""
    policy = Policy(space or Layers(), layers, units, np.random.default_rng(7), bound).double()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter *= scale
    return policy


def trial(number, walk, stage=0):
    return Trial(number, walk, stage, " ".join(walk), 0, {})


def test_the_test_space_refers_to_anchors():
    decisions = [decision for _, decision, _ in legal_walk(Layers(4), WALK)]
    assert [decision.refers for decision in decisions] == [(), (), (0,), (), (0,), (2,), ()]
    assert decisions[2].options == ("skip:1",)
    assert len(all_walks(Layers())) == 44  # 2 * (1 + 3 * (1 + 4 + 2))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_probabilities_are_those_computed_by_hand():
    policy = make_policy(Layers(4), layers=1, units=1)
    w_ih, w_hh, b_ih, b_hh = (
        [0.5, -0.4, 0.9, 0.3],
        [0.2, 0.6, -0.7, 0.8],
        [0.1, 0.2, 0.3, 0.4],
        -0.1,
    )
    embedding = {"small": 0.5, "large": -0.3, "stop": 0.2, "skip:0": -0.4, "skip:1": 0.6}
    start = 0.1
    head = {"small": (0.9, 0.1), "large": (-1.1, 0.2), "stop": (2.0, -0.3)}
    w_prev, w_curr, v = 0.7, -1.4, 1.3
    weights = {
        "lstm.weight_ih_l0": [[w] for w in w_ih],
        "lstm.weight_hh_l0": [[w] for w in w_hh],
        "lstm.bias_ih_l0": b_ih,
        "lstm.bias_hh_l0": [b_hh] * 4,
        "embedding": [[value] for value in [*embedding.values(), start]],
        "head_weight": [[w] for w, _ in head.values()] + [[9.0], [9.0]],  # of skips: never read
        "head_bias": [b for _, b in head.values()] + [9.0, 9.0],
        "anchor_previous": [[w_prev]],
        "anchor_current": [[w_curr]],
        "anchor_score": [v],
    }
    policy.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})

    h, c, hidden = 0.0, 0.0, []
    inputs = [start, 0.5, -0.3, 0.6, 0.5, (0.6 - 0.4) / 2]  # the last one after two connections
    for x in inputs:
        take, keep, new, show = (
            wi * x + wh * h + b + b_hh for wi, wh, b in zip(w_ih, w_hh, b_ih, strict=True)
        )
        c = sigmoid(keep) * c + sigmoid(take) * math.tanh(new)
        h = sigmoid(show) * math.tanh(c)
        hidden.append(h)

    def softmax(h, *tokens):
        exponentials = [math.exp(head[token][0] * h + head[token][1]) for token in tokens]
        return [value / sum(exponentials) for value in exponentials]

    first = softmax(hidden[0], "small", "large")
    second = softmax(hidden[1], "small", "large", "stop")
    third = softmax(hidden[3], "small", "large", "stop")
    reads_0 = sigmoid(v * math.tanh(w_prev * hidden[0] + w_curr * hidden[4]))
    reads_1 = sigmoid(v * math.tanh(w_prev * hidden[2] + w_curr * hidden[4]))
    last = softmax(hidden[5], "small", "large", "stop")
    expected = [first[0], second[1], 1, third[0], reads_0, 1 - reads_1, last[2]]
    assert policy.probabilities(WALK) == pytest.approx(expected, rel=1e-6)

    distributions = [
        *(first, second, [1.0], third),
        *([reads_0, 1 - reads_0], [reads_1, 1 - reads_1], last),
    ]
    entropies = [-sum(p * math.log(p) for p in each) for each in distributions]
    assert policy([(WALK, 0)])[1][0].tolist() == pytest.approx(entropies, rel=1e-6)


def test_a_bound_of_the_logits_keeps_every_option_possible():
    # all weights 0 but these: the first token's logit is 40, the others' 0; v . tanh(...) is -60
    policy = make_policy(Layers(2), layers=1, units=1, scale=0, bound=1.5)
    with torch.no_grad():
        policy.head_bias[0] = 40.0
        policy.anchor_current[0, 0] = 1e9
        policy.anchor_score[0] = -60.0
        policy.lstm.bias_ih_l0 += 20.0  # so that the hidden state is positive
    most, least = math.exp(1.5), math.exp(-1.5)
    probabilities = policy.probabilities(("small", "small", "skip:0"))
    assert probabilities == pytest.approx(
        [most / (most + 1), most / (most + 2), most / (most + least)], abs=1e-9
    )
    # where logits are far below the bound, it changes nothing
    walk = ("small", "small", "skip:1", "stop")
    bounded, free = (make_policy(scale=1, bound=bound) for bound in (1e4, 0.0))
    assert bounded.probabilities(walk) == pytest.approx(free.probabilities(walk), abs=1e-9)


def test_the_probabilities_of_all_walks_sum_to_one():
    log_probabilities, _ = make_policy()([(walk, 0) for walk in all_walks(Layers())])
    assert log_probabilities.sum(1).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("bound", [0.0, 0.5])
def test_sampling_and_scoring_agree_on_the_log_probability(space, dtype, tolerance, bound):
    for each in (space, Layers(8)):
        policy = make_policy(each, units=35, bound=bound).to(dtype)
        generator = np.random.default_rng(0)
        for _ in range(5):
            walk, log_probability = policy.sample(generator)
            scored = policy([(walk, 0)])[0].sum().item()
            assert log_probability == pytest.approx(scored, rel=tolerance)
            assert list(legal_walk(each, walk))


@pytest.mark.slow
def test_sampling_frequencies_agree_with_the_probabilities():
    """A chi-square test that a right sampler fails for one seed in 10,000."""
    policy, generator = make_policy(units=8), np.random.default_rng(0)
    walks = all_walks(Layers())
    draws = 4000
    counts = dict.fromkeys(walks, 0)
    for _ in range(draws):
        counts[policy.sample(generator)[0]] += 1
    expected = {walk: draws * math.prod(policy.probabilities(walk)) for walk in walks}
    assert max(expected.values()) > 2 * draws / len(walks)  # far from uniform
    often = [walk for walk in walks if expected[walk] >= 5]  # below it chi-square does not hold
    observed = [counts[walk] for walk in often]
    wanted = [expected[walk] for walk in often]
    observed.append(draws - sum(observed))
    wanted.append(draws - sum(wanted))
    assert chisquare(observed, wanted).pvalue > 1e-4


def objective_gradient(policy, walks, advantages, entropy):
    objective = reinforce_objective(policy, walks, advantages, entropy)
    return torch.autograd.grad(objective, list(policy.parameters()), materialize_grads=True)


@pytest.mark.slow
@pytest.mark.parametrize("bound", [0.0, 0.5])
def test_the_gradient_agrees_with_finite_differences(bound):
    policy = make_policy(Layers(4), bound=bound)
    walks = [(WALK, 0), (("large", "stop"), 0), (("small", "large", "skip:1", "stop"), 1)]
    advantages = [0.7, -0.4, 0.2]
    step = 1e-5  # the error of the difference is of the order of its square
    found = objective_gradient(policy, walks, advantages, 0.3)
    with torch.no_grad():
        for weights, gradient in zip(policy.parameters(), found, strict=True):
            for place in np.ndindex(weights.shape):
                centre = weights[place].item()
                values = []
                for shifted in (centre + step, centre - step):
                    weights[place] = shifted
                    values.append(reinforce_objective(policy, walks, advantages, 0.3).item())
                weights[place] = centre
                difference = (values[0] - values[1]) / (2 * step)
                assert gradient[place].item() == pytest.approx(difference, abs=1e-8)
    assert all(gradient.abs().max() > 1e-4 for gradient in found)


def test_the_objective_is_the_mean_of_advantage_times_log_probability_and_of_entropy():
    policy = make_policy(Layers(4))
    walks = [(WALK, 0), (("large", "stop"), 0)]
    expected = 0.0
    for walk, advantage in zip(walks, [0.7, -0.4], strict=True):
        _, entropies = policy([walk])
        log_probability = math.log(math.prod(policy.probabilities(*walk)))
        expected += (advantage * log_probability + 0.3 * entropies.sum().item()) / 2
    objective = reinforce_objective(policy, walks, [0.7, -0.4], 0.3)
    assert objective.item() == pytest.approx(expected, abs=1e-12)


def test_a_batch_of_different_lengths_has_the_mean_of_the_single_gradients():
    policy = make_policy(Layers(4))
    walks = [(("large", "stop"), 0), (WALK, 0), (("small", "small", "skip:0", "stop"), 0)]
    advantages = [0.5, -1.0, 0.25]
    whole = objective_gradient(policy, walks, advantages, 0.1)
    single = [
        objective_gradient(policy, [walk], [advantage], 0.1)
        for walk, advantage in zip(walks, advantages, strict=True)
    ]
    for gradient, *parts in zip(whole, *single, strict=True):
        torch.testing.assert_close(gradient, sum(parts) / 3, rtol=0, atol=1e-14)


@pytest.mark.slow
def test_an_update_is_a_step_of_adam_up_the_objective():
    # Adam's first step is rate * g / (|g| + 1e-8)
    agent = Reinforce(
        Layers(),
        0,
        ReinforceOptions(
            controller_batch=2,
            controller_rate=0.01,
            controller_decay=0.0,
            entropy=0.1,
            logit_bound=0.0,
        ),
    )
    policy = Policy(Layers(), 2, 35, np.random.default_rng(0))
    walks = [("small", "stop"), ("large", "large", "skip:1", "stop")]
    gradients = objective_gradient(policy, [(walk, 0) for walk in walks], [-0.25, 0.25], 0.1)
    for number, (walk, reward) in enumerate(zip(walks, [0.25, 0.75], strict=True)):
        agent.tell(trial(number, walk), reward)
    for after, before, g in zip(agent._weights, policy.parameters(), gradients, strict=True):
        torch.testing.assert_close(after - before, 0.01 * g / (g.abs() + 1e-8))


def test_the_baseline_is_an_average_of_the_batches_before(monkeypatch):
    seen = []

    def objective(policy, walks, advantages, entropy):
        seen.append(advantages)
        return reinforce_objective(policy, walks, advantages, entropy)

    monkeypatch.setattr(reinforce, "reinforce_objective", objective)
    agent = Reinforce(Layers(), 0, ReinforceOptions(controller_batch=2, baseline_decay=0.75))
    baselines = []
    for number, reward in enumerate([0.2, 0.4, 0.6, 0.8, 0.0, 0.2]):
        baselines.append(agent.baseline)
        agent.tell(trial(number, ("small", "stop")), reward)
    baselines.append(agent.baseline)
    # the first batch has the mean 0.3, then 3/4 * 0.3 + 1/4 * 0.7 and 3/4 * 0.4 + 1/4 * 0.1
    assert baselines[:2] == [None, None]
    assert baselines[2:] == pytest.approx([0.3, 0.3, 0.4, 0.4, 0.325])
    assert np.ravel(seen) == pytest.approx([-0.1, 0.1, 0.3, 0.5, -0.4, -0.2])


def test_weights_start_within_the_range_and_no_generator_of_torch_is_touched():
    before = torch.get_rng_state()
    agent = Reinforce(Layers(), 0, ReinforceOptions(controller_batch=1))
    weights = torch.cat([weight.detach().flatten() for weight in agent._weights])
    assert weights.abs().max() <= 0.08
    # a uniform variable has a deviation of 0.08 / sqrt(3); of 20,000 it is known to 0.3 %
    assert weights.std().item() == pytest.approx(0.08 / math.sqrt(3), rel=0.02)
    agent.tell(trial(0, agent.ask().walk), 1.0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_proposal_says_its_log_probability_and_how_many_updates_came_before():
    agent = Reinforce(Layers(), 0, ReinforceOptions(controller_batch=2))
    for number in range(6):
        proposal = agent.ask()
        probability = math.prod(agent.policy.probabilities(proposal.walk))
        assert proposal.note == {
            "log_probability": pytest.approx(math.log(probability), abs=1e-5),
            "update": number // 2,
        }
        agent.tell(trial(number, proposal.walk), 0.5)


def test_an_update_leaves_the_number_of_threads_as_it_was():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        Reinforce(Layers(), 0, ReinforceOptions(controller_batch=1)).tell(
            trial(0, ("small", "stop")), 1.0
        )
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("told", range(8))
def test_an_unfinished_batch_survives(told):
    space, generator = Layers(), np.random.default_rng(0)
    trials = [trial(n, random_walk(space, generator, stage=n % 2), n % 2) for n in range(8)]
    agent, restored = (
        Reinforce(space, seed, ReinforceOptions(controller_batch=4)) for seed in (0, 1)
    )
    for each in trials[:told]:
        agent.tell(each, each.number / 8)
    restored.restore(agent.snapshot(), [])
    for each in trials[told:]:
        for one in (agent, restored):
            one.tell(each, each.number / 8)
    assert restored.updates == 2
    assert restored.ask() == agent.ask()
    assert restored.snapshot() == agent.snapshot()


def test_a_walk_is_scored_in_the_stage_of_its_trial():
    policy = Policy(Layers(1), 1, 4, np.random.default_rng(0))
    walk = ("small", "stop")
    assert len(policy.probabilities(walk, stage=1)) == 2
    with pytest.raises(IllegalMove, match="position 2: stop comes after"):
        policy.probabilities(walk)
    for seed in range(20):
        first, second = (policy.sample(np.random.default_rng(seed), stage)[0] for stage in (0, 1))
        assert len(first) == 1
        assert len(second) > 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_it_learns_where_the_reward_is_additive(seed):
    space = make_space("tiny")
    landscape = Landscape(space, seed)
    agent = Reinforce(
        space, seed, ReinforceOptions(controller_rate=0.02)
    )  # at the default it has learnt by the 50th already
    rewards = []
    for number in range(500):
        walk = agent.ask().walk
        rewards.append(landscape(walk))
        agent.tell(trial(number, walk), rewards[-1])
    first, last = rewards[:50], rewards[-50:]
    # five standard errors of the first mean: by chance once in three million
    assert np.mean(last) - np.mean(first) > 5 * np.std(first) / math.sqrt(50)


@pytest.mark.slow
def test_it_learns_which_layers_to_connect():
    space = Layers()
    agent = Reinforce(space, 0)
    for number in range(600):
        walk = agent.ask().walk
        agent.tell(trial(number, walk), walk.count("skip:1") / 3)
    walk = ("small", "small", "skip:1", "small", "skip:1", "skip:1")
    connections = [agent.policy.probabilities(walk)[position] for position in (2, 4, 5)]
    assert min(connections) > 0.9


@pytest.mark.parametrize(
    ("option", "value"),
    [("lstm-layers", 0), ("controller-batch", 0), ("controller-rate", 0.0), ("entropy", -1.0)]
    + [("logit-bound", -1.0), ("controller-decay", math.inf), ("baseline-decay", 1.5)],
)
def test_impossible_options_are_refused(option, value):
    with pytest.raises(MetaqnnError, match=f"{option} is {value}: input should be"):
        RunConfig.from_flat({"agent": "reinforce", option: value})
