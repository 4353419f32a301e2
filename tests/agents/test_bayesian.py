"""The agent bayesian: its Gaussian process, its features, and what it proposes."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from metaqnn.agents.bayesian import (
    SEEN,
    Bayesian,
    BayesianOptions,
    expected_improvement,
    sample,
)
from metaqnn.agents.evolution import Evolution
from metaqnn.agents.gaussian_process import Hyperparameters, Posterior, fit, log_likelihood
from metaqnn.agents.walk_features import GROUPS, WalkFeatures
from metaqnn.agents.walk_model import normal_scores, representative
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from replay import Trial
from state_space import legal_walk, random_walk
from tests.helpers.parts import agent_of
from tests.helpers.spaces import make_space

MACRO = make_space("macro")
TINY = make_space("tiny")


def trial(number, walk, space, imported=False):
    return Trial(number, walk, 0, space.architecture(walk).digest, 0, {}, imported)


def enumerate_walks(space, walk=(), state=None):
    """Every complete walk."""
    state = space.initial_state() if state is None else state
    decision = space.decision(state)
    if decision is None:
        yield walk
    else:
        for token in decision.options:
            yield from enumerate_walks(space, (*walk, token), space.step(state, token))


def squared(ones, others):
    return ((ones[:, None] - others[None]) ** 2).sum(-1)


# the Gaussian process, against scikit-learn's with the same kernel


class Data:
    """Points of two groups of coordinates, and what was observed at some of them."""

    groups = (slice(0, 2), slice(2, 5))
    hyperparameters = Hyperparameters((0.7, 0.2), amplitude=1.3, noise=0.15)

    def __init__(self, seed, points=25, others=7):
        generator = np.random.default_rng(seed)
        self.points = generator.normal(size=(points, 5))
        self.others = generator.normal(size=(others, 5))
        self.targets = np.sin(self.points).sum(1) + generator.normal(0, 0.3, points)

    def distances(self, ones, others):
        return np.stack([squared(ones[:, group], others[:, group]) for group in self.groups])

    def covariances(self, ones, others):
        weighed = np.tensordot(self.hyperparameters.relevances, self.distances(ones, others), 1)
        return self.hyperparameters.covariances(weighed)

    @property
    def reference(self):
        known = self.hyperparameters
        lengths = np.repeat(1 / np.sqrt(known.relevances), [2, 3])
        kernel = ConstantKernel(known.amplitude) * RBF(lengths) + WhiteKernel(known.noise)
        return GaussianProcessRegressor(kernel, alpha=0, optimizer=None)


@pytest.mark.parametrize("seed", range(3))
def test_means_and_covariances_are_those_of_scikit_learn(seed):
    data = Data(seed)
    posterior = Posterior(
        data.covariances(data.points, data.points), data.targets, data.hyperparameters.noise
    )
    means, reduction = posterior.predict(data.covariances(data.points, data.others))
    covariances = data.covariances(data.others, data.others) - reduction.T @ reduction
    fitted = data.reference.fit(data.points, data.targets)
    expected, with_noise = fitted.predict(data.others, return_cov=True)
    np.testing.assert_allclose(means, expected, atol=1e-9)
    np.testing.assert_allclose(posterior.fitted, fitted.predict(data.points), atol=1e-9)
    noise = data.hyperparameters.noise * np.eye(len(data.others))
    np.testing.assert_allclose(covariances + noise, with_noise, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_is_that_of_scikit_learn_and_its_gradient_too(seed):
    data = Data(seed)
    known = data.hyperparameters
    logarithms = np.log([*known.relevances, known.amplitude, known.noise])
    value, gradient = log_likelihood(
        data.distances(data.points, data.points), data.targets, logarithms
    )
    fitted = data.reference.fit(data.points, data.targets)
    expected, slopes = fitted.log_marginal_likelihood(fitted.kernel_.theta, eval_gradient=True)
    assert value == pytest.approx(expected, abs=1e-9)
    # scikit-learn's are of the logarithms of amplitude, five lengths = relevance^(-1/2), and noise
    grouped = [-slopes[1:3].sum() / 2, -slopes[3:6].sum() / 2, slopes[0], slopes[6]]
    np.testing.assert_allclose(gradient, grouped, atol=1e-8)


def test_one_observation_by_hand():
    # k = 2 exp(-d/2); at the point itself the mean is y k / (k + noise) = 3 * 2 / 2.5
    hyperparameters = Hyperparameters((1.0,), amplitude=2.0, noise=0.5)
    posterior = Posterior(hyperparameters.covariances(np.zeros((1, 1))), np.array([3.0]), 0.5)
    distances = np.array([[0.0, 2 * math.log(2)]])  # there, and where k is half of that
    means, reduction = posterior.predict(hyperparameters.covariances(distances))
    assert means == pytest.approx([2.4, 1.2])
    # 2 - 2 * 2 / 2.5 and 2 - 1 * 1 / 2.5
    assert 2 - (reduction**2).sum(0) == pytest.approx([0.4, 1.6])


def test_what_is_pending_changes_no_mean_and_makes_its_neighbourhood_certain():
    data = Data(0)
    points = np.concatenate([data.points, data.others[:2]])
    noise = data.hyperparameters.noise
    told = Posterior(data.covariances(data.points, data.points), data.targets, noise)
    means, reduction = told.predict(data.covariances(data.points, data.others))
    # the believer: what is expected at the pending points, as if it had been observed
    believer = Posterior(
        data.covariances(points, points), np.r_[data.targets, means[:2]], noise
    ).predict(data.covariances(points, data.others))
    pending = Posterior(data.covariances(points, points), data.targets, noise).predict(
        data.covariances(points, data.others)
    )
    np.testing.assert_allclose(pending[0], means, atol=1e-9)
    np.testing.assert_allclose(pending[0], believer[0], atol=1e-9)
    np.testing.assert_allclose(pending[1], believer[1], atol=1e-9)
    assert ((pending[1] ** 2).sum(0) > (reduction**2).sum(0)).all()


def test_the_likelihood_tells_a_group_that_matters_from_one_that_does_not():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(80, 2))
    targets = norm.ppf((np.argsort(np.argsort(np.sin(2 * points[:, 0]))) + 0.5) / 80)
    distances = np.stack([squared(points[:, [at]], points[:, [at]]) / 2 for at in (0, 1)])
    found = fit(distances, targets)
    assert found.relevances[0] > 50 * found.relevances[1]
    assert found.noise < 0.05
    noise = fit(distances, generator.permutation(targets))
    assert noise.noise > 10 * found.noise


# features


def test_distances_of_a_walk_by_hand():
    features = WalkFeatures(MACRO)
    units = dict(zip(GROUPS, features._units, strict=True))
    one = ("ID", "ID", "MB(3,3)", "ID", "ID", "ID", "ID", "ID")
    other = ("ID", "ID", "MB(6,5)", "ID", "ID", "ID", "ID", "MB(6,5)")
    found = features.distances_by_group([one, other])[:, 0, 1]
    # two places differ, each in two columns; 7, 1, 0 against 6, 0, 2 tokens; of the pairs
    # II 5, IM 1, MI 1 against II 4, IN 2, NI 1
    assert found[0] * units["places"] == pytest.approx(4)
    assert found[1] * units["tokens"] == pytest.approx(1 + 1 + 4)
    assert found[2] * units["pairs"] == pytest.approx(1 + 1 + 1 + 4 + 1)


@pytest.mark.slow
def test_distances_are_those_of_the_counts_and_1_on_average(space):
    features = WalkFeatures(space)
    generator = np.random.default_rng(0)
    walks = [random_walk(space, generator) for _ in range(300)]
    found = features.distances_by_group(walks)
    assert (found >= 0).all()
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))
    assert np.diagonal(found, axis1=1, axis2=2).max() == 0
    for mean in found.mean((1, 2)):
        assert mean == pytest.approx(1, abs=1e-6) or mean == 0


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_distances_do_not_depend_on_what_was_seen_before(seed):
    generator = np.random.default_rng(seed)
    walks = [random_walk(TINY, generator) for _ in range(6)]
    first, second = WalkFeatures(TINY), WalkFeatures(TINY)
    relevances = generator.random(len(GROUPS))
    second.distances(walks[::-1], walks[3:], relevances)
    found = first.distances(walks, walks, relevances)
    assert (found == second.distances(walks, walks, relevances)).all()
    apart = np.tensordot(relevances, first.distances_by_group(walks), 1)
    np.testing.assert_allclose(found, apart, atol=1e-6)


# rewards, what is chosen, acquisitions


def test_normal_scores_by_hand():
    # Blom: quantiles of (rank - 3/8) / (n + 1/4); the two in the middle share rank 2.5
    found = normal_scores([0.5, 0.9, 0.5, 0.1])
    assert found == pytest.approx(norm.ppf([2.125 / 4.25, 3.625 / 4.25, 0.5, 0.625 / 4.25]))


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40))
def test_normal_scores_are_the_same_for_every_increasing_transformation(rewards):
    found = normal_scores(rewards)
    np.testing.assert_array_equal(found, normal_scores([math.exp(each / 9) for each in rewards]))
    assert (
        np.sign(np.subtract.outer(rewards, rewards)) == np.sign(np.subtract.outer(found, found))
    ).all()


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(4, 20))
def test_representative_observations_are_the_best_and_others_of_all_ranks(rewards, most):
    chosen = representative(rewards, most)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(most, len(rewards))
    if len(rewards) > most:
        found = sorted((rewards[at] for at in chosen), reverse=True)
        assert found[: most // 2] == sorted(rewards, reverse=True)[: most // 2]
        assert found[-1] == min(rewards)


def test_the_expected_improvement_is_that_of_many_draws():
    means, deviations = np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.5, 2.0])
    drawn = np.random.default_rng(0).normal(means, deviations, (1_000_000, 3))
    expected = np.maximum(drawn - 0.5, 0).mean(0)  # their standard errors are below 0.001
    assert expected_improvement(means, deviations, 0.5) == pytest.approx(expected, abs=0.005)


def test_a_sample_has_the_means_and_covariances():
    means, covariances = np.array([1.0, -1.0]), np.array([[1.0, 0.9], [0.9, 1.0]])
    generator = np.random.default_rng(0)
    drawn = np.array([sample(means, covariances, generator) for _ in range(20_000)])
    np.testing.assert_allclose(drawn.mean(0), means, atol=0.04)  # five standard errors
    np.testing.assert_allclose(np.cov(drawn.T), covariances, atol=0.06)


# the agent


def search(agent, space, score, networks, transform=lambda reward: reward):
    """Ask and tell; the walks."""
    walks = []
    for number in range(networks):
        walks.append(agent.ask().walk)
        agent.tell(trial(number, walks[-1], space), transform(score(walks[-1])))
    return walks


def additive(space, seed):
    """The sum of a fixed random number for every token at every place."""
    tokens = [token for kind in space.vocabulary.values() for token in kind]
    table = np.random.default_rng([seed, 1]).random((30, len(tokens)))
    return lambda walk: sum(table[at, tokens.index(token)] for at, token in enumerate(walk))


@pytest.mark.slow
@pytest.mark.parametrize("acquisition", ["ucb", "ei", "thompson"])
def test_increasing_transformations_of_the_reward_change_no_proposal(acquisition):
    options = BayesianOptions(acquisition=acquisition)
    plain = search(Bayesian(MACRO, 0, options), MACRO, additive(MACRO, 0), 25)
    for transform in (math.exp, lambda reward: reward**3 / 7 - 5):
        assert (
            search(Bayesian(MACRO, 0, options), MACRO, additive(MACRO, 0), 25, transform) == plain
        )


@pytest.mark.slow
@pytest.mark.parametrize("acquisition", ["ucb", "ei", "thompson"])
def test_what_is_pending_is_not_proposed_again_not_even_after_a_restart(acquisition):
    options = BayesianOptions(acquisition=acquisition)
    agent = Bayesian(MACRO, 0, options)
    history = []
    for number in range(15):
        walk = agent.ask().walk
        history.append((trial(number, walk, MACRO), additive(MACRO, 1)(walk)))
        agent.tell(*history[-1])
    running = [agent.ask().walk for _ in range(10)]
    restored = Bayesian(MACRO, 5, options)
    restored.restore(agent.snapshot(), history)
    proposals = [restored.ask().walk for _ in range(10)]
    assert proposals == [agent.ask().walk for _ in range(10)]
    known = [*running, *(told.walk for told, _ in history), *proposals]
    assert len(set(known)) == len(known)


def test_what_is_told_is_pending_no_more():
    agent = Bayesian(MACRO, 0)
    search(agent, MACRO, additive(MACRO, 0), 12)
    assert json.loads(agent.snapshot())["pending"] == []
    asked = agent.ask().walk
    assert json.loads(agent.snapshot())["pending"] == [[MACRO.architecture(asked).digest, *asked]]


def test_pending_networks_make_their_neighbours_less_attractive():
    # additive scores: without anything pending the best neighbours of the best would follow
    agents = [Bayesian(MACRO, 0, BayesianOptions(confidence=3.0)) for _ in range(2)]
    for agent in agents:
        search(agent, MACRO, additive(MACRO, 2), 20)
    first = [agents[0].ask().walk for _ in range(12)]
    # the same candidates would be ranked the same if pending networks did not count
    for walk in first:
        agents[1].known.told.add(MACRO.architecture(walk).digest)
    agents[1].generator = Bayesian(MACRO, 3).generator
    agents[0].generator = Bayesian(MACRO, 3).generator
    assert agents[0].ask().walk != agents[1].ask().walk


def test_imported_experiences_are_observations():
    score = additive(MACRO, 3)
    generator = np.random.default_rng(0)
    agent = Bayesian(MACRO, 0)
    rewards = []
    for number in range(60):
        walk = random_walk(MACRO, generator)
        rewards.append(score(walk))
        agent.tell(trial(number, walk, MACRO, imported=True), rewards[-1])
    # no random beginning: what it proposes at once is better than nearly all that it was told of
    assert min(score(agent.ask().walk) for _ in range(5)) > np.quantile(rewards, 0.9)


def test_imported_networks_may_be_proposed():
    agent = Bayesian(TINY, 0)
    walks = [walk for walk in enumerate_walks(TINY) if len(walk) < 4]
    for number, walk in enumerate(walks):
        agent.tell(trial(number, walk, TINY, imported=True), -len(walk))
    assert agent.ask().walk == min(walks, key=len)


def test_a_network_told_again_with_its_reward_is_one_observation_and_another_reward_is_another():
    agent = Bayesian(MACRO, 0)
    walk = random_walk(MACRO, np.random.default_rng(0))
    for number, reward in enumerate([0.5, 0.5, 0.7]):
        agent.tell(trial(number, walk, MACRO), reward)
    assert agent.model.rewards == [0.5, 0.7]


def test_refused_networks_do_not_come_again():
    # what is refused is never told of: it stays pending, and the search goes on around it
    agent = Bayesian(TINY, 0, BayesianOptions(model_after=3))
    search(agent, TINY, additive(TINY, 0), 5)
    asked = [agent.ask().walk for _ in range(30)]
    assert len(set(asked)) == 30


def test_it_lists_a_whole_space_and_then_proposes_known_networks():
    space = TINY
    walks = search(Bayesian(space, 0), space, lambda walk: 1 / len(walk), 60)
    assert len(set(walks)) == 60
    for walk in walks:
        assert list(legal_walk(space, walk))


def best_of(agent, space, score, networks):
    return max(map(score, search(agent, space, score, networks)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["macro", "digits", "nas-digits"])
def test_it_beats_evolution_where_the_reward_is_additive(name):
    """20 landscapes, 30 networks on each: it is better on average by three standard errors.

    Of two equal searches one would have such a lead with a probability of 4e-3 (Student's t with
    19 degrees of freedom).
    """
    space = make_space(name)
    leads = [
        best_of(Bayesian(space, seed), space, additive(space, seed), 30)
        - best_of(Evolution(space, seed), space, additive(space, seed), 30)
        for seed in range(20)
    ]
    assert np.mean(leads) > 3 * np.std(leads, ddof=1) / np.sqrt(len(leads))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["macro", "metaqnn-svhn"])
def test_ask_and_tell_take_less_than_50_ms_with_1000_networks_told(name):
    """Of processor time, one core; it takes 10 and 20 ms on one that has nothing else to do."""
    space = make_space(name)
    agent = Bayesian(space, 0)
    generator = np.random.default_rng(0)
    score = additive(space, 0)
    for number in range(1000):
        walk = random_walk(space, generator)
        agent.tell(trial(number, walk, space), score(walk))
    agent.ask()  # fits the hyperparameters, which the next hundred need not
    began = time.process_time()
    search(agent, space, score, 20)
    assert (time.process_time() - began) / 20 < 0.05


def test_options():
    agent = agent_of(MACRO, agent="bayesian", acquisition="ei", confidence=2.0)
    assert agent.options == BayesianOptions(acquisition="ei", confidence=2.0)
    with pytest.raises(MetaqnnError, match="no acquisition 'uct'.*ucb"):
        RunConfig.from_flat({"agent": "bayesian", "acquisition": "uct"})


# signals


def test_the_likelihood_with_a_linear_mean_is_that_of_the_normal_distribution():
    data = Data(0)
    known = data.hyperparameters
    signals = np.random.default_rng(7).normal(size=(len(data.points), 3))
    products = signals @ signals.T
    distances = data.distances(data.points, data.points)
    logarithms = np.log([*known.relevances, known.amplitude, known.noise, 0.4])
    value, gradient = log_likelihood(distances, data.targets, logarithms, products)
    covariances = data.covariances(data.points, data.points) + 0.4 * products
    covariances += known.noise * np.eye(len(data.points))
    zero = np.zeros(len(data.points))
    assert value == pytest.approx(multivariate_normal(zero, covariances).logpdf(data.targets))
    for at, step in enumerate(1e-6 * np.eye(len(logarithms))):
        upper, lower = (
            log_likelihood(distances, data.targets, logarithms + sign * step, products)[0]
            for sign in (1, -1)
        )
        assert gradient[at] == pytest.approx((upper - lower) / 2e-6, abs=1e-4)


def test_signals_are_trusted_as_far_as_they_tell_the_rewards():
    generator = np.random.default_rng(0)
    distances = np.zeros((1, 60, 60))
    signals = generator.normal(size=(60, 2))
    told = signals[:, 0] - 0.5 * signals[:, 1]
    products = signals @ signals.T
    trusted = fit(distances, told / told.std(), products)
    doubted = fit(distances, generator.permutation(told / told.std()), products)
    assert trusted.trust > 3 * doubted.trust
    assert trusted.noise < 0.1 * doubted.noise


def signalled(signals, seed=0, **options):
    """An agent to which the signals of walks are told."""
    agent = Bayesian(MACRO, seed, BayesianOptions(zero_cost=True, **options))
    walks = {MACRO.architecture(walk).digest: walk for walk in enumerate_walks(MACRO)}
    agent.signals = lambda architecture: signals(walks[architecture.digest])
    return agent


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_signals_that_tell_the_reward_save_trainings_whatever_their_sign(sign):
    """20 landscapes, 12 networks on each: better on average by three standard errors."""
    leads = []
    for seed in range(20):
        score, luck = additive(MACRO, seed), np.random.default_rng(seed)
        agent = signalled(lambda walk, score=score, luck=luck: (sign * score(walk), luck.normal()))
        found = best_of(agent, MACRO, score, 12)
        leads.append(found - best_of(Bayesian(MACRO, seed), MACRO, score, 12))
    assert np.mean(leads) > 3 * np.std(leads, ddof=1) / np.sqrt(len(leads))


@pytest.mark.slow
@pytest.mark.parametrize("acquisition", ["ucb", "ei", "thompson"])
def test_restored_with_signals_equals_uninterrupted(acquisition):
    score = additive(MACRO, 5)

    def make(seed):
        return signalled(
            lambda walk: (score(walk), float(len(set(walk)))), seed, acquisition=acquisition
        )

    agent, history = make(0), []
    for number in range(12):
        walk = agent.ask().walk
        history.append((trial(number, walk, MACRO), score(walk)))
        agent.tell(*history[-1])
    agent.ask()
    restored = make(5)
    restored.restore(agent.snapshot(), history)
    for number in range(12, 16):
        walk = agent.ask().walk
        assert restored.ask().walk == walk
        for each in (agent, restored):
            each.tell(trial(number, walk, MACRO), score(walk))


def test_signals_are_looked_at_once_a_network_and_of_few_candidates():
    looked = []
    agent = signalled(lambda walk: (looked.append(walk) or float(len(set(walk))),))
    search(agent, MACRO, additive(MACRO, 0), 5)
    assert looked == []  # the model proposes nothing yet
    note = agent.ask().note
    assert len(looked) == len(set(looked)) == 5 + 2 * SEEN
    assert note["zero_cost_seconds"] > 0


def test_nothing_is_noted_without_signals():
    agent = Bayesian(MACRO, 0)
    search(agent, MACRO, additive(MACRO, 0), 6)
    assert agent.ask().note == {}


def test_who_wants_signals_must_be_told_them():
    agent = Bayesian(MACRO, 0, BayesianOptions(zero_cost=True))
    with pytest.raises(MetaqnnError, match=r"zero-cost.*signals"):
        search(agent, MACRO, additive(MACRO, 0), 6)


@pytest.mark.slow
def test_a_run_tells_them_where_networks_are_trained_and_else_says_so(invoke):
    result = invoke(
        *("run", "--agent", "bayesian", "--zero-cost", "--budget", "7", "--epochs", "1"),
        *("--name", "seen", "--quiet"),
    )
    assert result.exit_code == 0, result.output
    table = invoke("trials", "results/seen").output
    assert "zero_cost_seconds" in table.splitlines()[0]
    result = invoke(
        *("run", "--agent", "bayesian", "--zero-cost", "--space", "lei-xiong"),
        *("--evaluator", "bandit", "--budget", "7"),
    )
    assert result.exit_code == 2 or result.exit_code == 1
    assert "zero-cost looks at networks before they are trained" in result.output
