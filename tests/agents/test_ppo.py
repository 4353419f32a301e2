"""The agents ppo and actor-critic: their updates, computed by hand, and late answers."""

import math

import numpy as np
import pytest
import torch

from metaqnn.agents.actor_critic import ActorCritic, ActorCriticOptions, generalised_advantages
from metaqnn.agents.controller import Sample
from metaqnn.agents.ppo import Ppo, PpoOptions, clipped_gains, stale_weights
from metaqnn.agents.reinforce import Reinforce, ReinforceOptions
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from replay import Trial
from tests.helpers.parts import agent_of
from tests.helpers.spaces import Layers

PLAIN = {"entropy": 0.0, "controller_decay": 0.0, "logit_bound": 0.0, "baseline_decay": 0.95}
"""Nothing but rewards."""

MADE = [(Ppo, PpoOptions), (ActorCritic, ActorCriticOptions)]


def trial(number, walk, note=None):
    return Trial(number, walk, 0, " ".join(walk), 0, note or {})


def tell(agent, *told):
    """Tell walks with their rewards and, where there is one, their notes."""
    for number, (walk, reward, *note) in enumerate(told):
        agent.tell(trial(number, walk, *note), reward)


def zeroed(agent):
    """The agent, whose policy is uniform until it learns: all weights are 0."""
    with torch.no_grad():
        for weight in agent._weights:
            weight.zero_()
    return agent


def gradient(agent, weight):
    """What the first step of Adam ascended: its moment is a tenth of the loss's gradient."""
    return (-10 * agent._adam.state[weight]["exp_avg"]).tolist()


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "slope"),
    [
        (1.1, 2.0, 0.2, 2.2),  # within the range: (r - 1) A, whose slope in log r is r A
        (0.9, -2.0, 0.2, -1.8),
        (1.5, 2.0, 0.4, 0.0),  # beyond it nothing more is gained
        (0.5, -2.0, 0.4, 0.0),
        (1.5, -2.0, -1.0, -3.0),  # and nothing is forgiven
        (0.5, 2.0, -1.0, 1.0),
        (1.0, 0.0, 0.0, 0.0),
    ],
)
def test_the_gain_of_a_decision_is_clipped_above_alone(ratio, advantage, gain, slope):
    move = torch.tensor([[math.log(ratio)]], dtype=torch.float64, requires_grad=True)
    found = clipped_gains(move, torch.tensor([[advantage]]), 0.2)
    assert found.item() == pytest.approx(gain, abs=1e-12)
    assert torch.autograd.grad(found.sum(), move)[0].item() == pytest.approx(slope, abs=1e-12)


def test_advantages_are_those_computed_by_hand():
    # gamma 0.9, lambda 0.5; deltas 0.9 * 0.3 - 0.1, 0.9 * 0.2 - 0.3, 1 - 0.2; -0.5 - 0.5
    values = torch.tensor([[0.1, 0.3, 0.2], [0.5, 0.0, 0.0]], dtype=torch.float64)
    rewards, lengths = torch.tensor([1.0, -0.5], dtype=torch.float64), torch.tensor([3, 1])
    found = generalised_advantages(values, rewards, lengths, 0.9, 0.5)
    last, middle, first = 0.8, -0.12 + 0.45 * 0.8, 0.17 + 0.45 * (-0.12 + 0.45 * 0.8)
    assert found.flatten().tolist() == pytest.approx([first, middle, last, -1.0, 0, 0])


@pytest.mark.parametrize(
    ("trace", "expected"), [(1.0, [0.9, 0.7, 0.8]), (0.0, [0.3 - 0.1, 0.2 - 0.3, 1 - 0.2])]
)
def test_lambda_goes_from_what_came_of_it_to_what_is_expected_next(trace, expected):
    values = torch.tensor([[0.1, 0.3, 0.2]], dtype=torch.float64)
    found = generalised_advantages(values, torch.tensor([1.0]), torch.tensor([3]), 1.0, trace)
    assert found[0].tolist() == pytest.approx(expected)


def test_a_late_answer_counts_as_much_as_the_policy_would_still_propose_it():
    old = torch.tensor([[0.5, 0.5], [0.5, 0.8], [0.5, 1.0]], dtype=torch.float64).log()
    notes = [{"log_probability": math.log(0.75)}, {"log_probability": math.log(0.1)}, {}]
    samples = [Sample((("small",), 0), 0.0, note) for note in notes]
    assert stale_weights(old, samples).tolist() == pytest.approx([0.25 / 0.75, 1.0, 1.0])


def test_an_update_of_ppo_is_that_computed_by_hand():
    """One decision between two tokens, of probability 1/2, that pay 1 and 0: advantages +-1/2.

    In the first step each sample adds 1/2 * 1/2 to the gradient of the first token's logit; the
    mean is 1/4. A step of Adam moves the logits to +-0.5, so probabilities are sigmoid(+-1), and
    the ratios 1.46 and 0.54 are beyond the range: in the second step the gradient is 0, and Adam
    goes on by its moments alone.
    """
    options = PpoOptions(**PLAIN, controller_batch=2, controller_rate=0.5, controller_epochs=2)
    agent = zeroed(Ppo(Layers(1), 0, options))
    tell(agent, (("small",), 1.0), (("large",), 0.0))
    first, second = 0.9 * 0.1 / (1 - 0.9**2), 0.999 * 0.001 / (1 - 0.999**2)  # of g and of g^2
    logit = 0.5 * (1 + first / math.sqrt(second))
    bias = agent.policy.head_bias
    assert bias.tolist()[:2] == pytest.approx([logit, -logit], abs=1e-5)
    moments = agent._adam.state[bias]["exp_avg"] / 0.9
    assert moments.tolist()[:2] == pytest.approx([-0.1 * 0.25, 0.1 * 0.25], abs=1e-7)
    assert agent.baseline == pytest.approx(0.5)
    tell(agent, (("small",), 1.0), (("small",), 0.8))
    assert agent.baseline == pytest.approx(0.95 * 0.5 + 0.05 * 0.9)


def test_an_old_answer_moves_the_policy_less():
    """As above; the first walk, now of probability 1/2, had 0.8 when proposed, the second 0.25."""
    options = PpoOptions(**PLAIN, controller_batch=2, controller_epochs=1)
    agent = zeroed(Ppo(Layers(1), 0, options))
    notes = [{"log_probability": math.log(0.8)}, {"log_probability": math.log(0.25)}]
    tell(agent, (("small",), 1.0, notes[0]), (("large",), 0.0, notes[1]))
    expected = (0.25 * 0.5 / 0.8 + 0.25) / 2
    assert gradient(agent, agent.policy.head_bias)[:2] == pytest.approx([expected, -expected])


def test_an_update_of_actor_critic_is_that_computed_by_hand():
    """Two walks of two decisions, the second between three tokens; the critic expects 0.1.

    Their rewards are 0.5 above and below the baseline. With gamma 0.9 and lambda 0.5 the errors
    delta are -0.01 and 0.4, -0.01 and -0.6; the advantages 0.17 and 0.4, -0.28 and -0.6.
    """
    options = ActorCriticOptions(
        **PLAIN, controller_batch=2, controller_epochs=1, discount=0.9, gae_lambda=0.5
    )
    agent = zeroed(ActorCritic(Layers(2), 0, options))
    with torch.no_grad():
        agent.critic_bias.fill_(0.1)
    tell(agent, (("small", "stop"), 1.0), (("large", "stop"), 0.0))
    small = (0.17 / 2 + 0.28 / 2 - 0.4 / 3 + 0.6 / 3) / 2
    large = (-0.17 / 2 - 0.28 / 2 - 0.4 / 3 + 0.6 / 3) / 2
    stop = (0.4 * 2 / 3 - 0.6 * 2 / 3) / 2
    found = gradient(agent, agent.policy.head_bias)
    assert found[:3] == pytest.approx([small, large, stop])
    # errors of the critic are the advantages; 2 * value_weight * their mean sum
    critic = 2 * 0.5 * ((0.17 + 0.4) + (-0.28 - 0.6)) / 2
    assert gradient(agent, agent.critic_bias) == pytest.approx(critic)


WALKS = [
    (("small", "large", "skip:1", "stop"), 0.9),
    (("large", "stop"), 0.1),
    (("small", "small", "skip:0", "stop"), 0.4),
    (("large", "large", "skip:1", "stop"), 0.7),
]


def weights_after(agent):
    tell(agent, *WALKS)
    return torch.cat([weight.detach().flatten() for weight in agent.policy.parameters()])


def test_the_first_step_of_ppo_is_that_of_reinforce():
    same = {"entropy": 0.1, "lstm_units": 8, "controller_rate": 0.02}
    ppo = Ppo(Layers(), 0, PpoOptions(**same, controller_epochs=1))
    reinforce = Reinforce(Layers(), 0, ReinforceOptions(**same))
    torch.testing.assert_close(weights_after(ppo), weights_after(reinforce), rtol=0, atol=1e-5)


def test_a_critic_that_knows_nothing_leaves_ppo():
    same = {"entropy": 0.1, "lstm_units": 8}
    ppo = Ppo(Layers(), 0, PpoOptions(**same))
    blind = ActorCriticOptions(**same, gae_lambda=1.0, value_weight=0.0)
    critic = ActorCritic(Layers(), 0, blind)
    torch.testing.assert_close(weights_after(ppo), weights_after(critic), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_the_critic_learns_what_a_decision_is_worth():
    """Where the first token decides all, it expects the reward behind it, and not before."""
    options = ActorCriticOptions(controller_batch=8, lstm_units=8, baseline_decay=1.0, entropy=1.0)
    agent = ActorCritic(Layers(2), 0, options)
    pays = {"small": 1.0, "large": 0.0}
    for number in range(1000):
        walk = agent.ask().walk
        agent.tell(trial(number, walk), pays[walk[0]])
    batch = agent.policy.encode([(("small", "stop"), 0), (("large", "stop"), 0)])
    with torch.no_grad():
        found = agent.expect(agent.policy.score(batch).hidden) + agent.baseline
    before, small, _, large = found.tolist()
    assert small == pytest.approx(1, abs=0.2) and large == pytest.approx(0, abs=0.2)
    assert before == pytest.approx(agent.policy.probabilities(("small", "stop"))[0], abs=0.15)


@pytest.mark.parametrize(("made", "options"), MADE)
def test_answers_that_come_an_update_late_are_learnt_from(made, options):
    """Twelve proposals at once: the second and third batch are from before the first update."""
    agent = made(Layers(), 0, options(controller_batch=4, controller_rate=0.05))
    proposals = [agent.ask() for _ in range(12)]
    for number, proposal in enumerate(proposals):
        tokens = proposal.walk
        agent.tell(trial(number, tokens, dict(proposal.note)), tokens.count("skip:1") / 3)
    assert agent.updates == 3
    assert {proposal.note["update"] for proposal in proposals} == {0}
    assert all(weight.isfinite().all() for weight in agent._weights)


@pytest.mark.parametrize(("made", "options"), MADE)
@pytest.mark.parametrize("told", [3, 4, 6])
def test_an_unfinished_batch_survives_with_its_notes(made, options, told):
    space = Layers()
    agent, restored = (made(space, seed, options(controller_batch=4)) for seed in (0, 1))
    asked = [agent.ask() for _ in range(8)]
    trials = [trial(n, each.walk, dict(each.note)) for n, each in enumerate(asked)]
    for each in trials[:told]:
        agent.tell(each, each.number / 8)
    restored.restore(agent.snapshot(), [])
    for each in trials[told:]:
        for one in (agent, restored):
            one.tell(each, each.number / 8)
    assert restored.ask() == agent.ask()
    assert restored.snapshot() == agent.snapshot()


@pytest.mark.parametrize("name", ["ppo", "actor-critic"])
def test_the_preset_nasnet_is_the_papers_controller(name):
    agent = agent_of(Layers(), agent=name, controller_preset="nasnet")
    options = agent.options
    assert (options.lstm_layers, options.lstm_units, options.controller_batch) == (1, 100, 20)
    assert (options.controller_rate, options.entropy) == (3.5e-4, 1e-5)
    assert (options.baseline_decay, options.logit_bound, options.controller_decay) == (0.95, 0, 0)
    drawn = torch.cat([weight.detach().flatten() for weight in agent.policy.parameters()])
    assert 0.099 < drawn.abs().max() <= 0.1
    assert drawn.std().item() == pytest.approx(0.1 / math.sqrt(3), rel=0.02)
    given = RunConfig.from_flat({"agent": name, "controller-preset": "nasnet", "lstm-units": 9})
    assert given.parts["agent"].lstm_units == 9
    assert given.parts["agent"].controller_batch == 20


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("controller-preset", "nasnett", "there is no controller-preset 'nasnett'; did you mean"),
        ("ratio-clip", 0.0, "ratio-clip is 0.0: input should be greater than 0"),
        ("controller-epochs", 0, "controller-epochs is 0: input should be greater than 0"),
        ("gae-lambda", 1.5, "gae-lambda is 1.5: input should be less than or equal to 1"),
        ("discount", -0.1, "discount is -0.1: input should be greater than or equal to 0"),
        ("value-weight", -1.0, "value-weight is -1.0: input should be greater than or equal"),
    ],
)
def test_impossible_options_are_refused(option, value, problem):
    with pytest.raises(MetaqnnError) as error:
        RunConfig.from_flat({"agent": "actor-critic", option: value})
    assert problem in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ppo", "actor-critic"])
def test_they_learn_which_layers_to_connect(name):
    agent = agent_of(Layers(), agent=name)
    for number in range(600):
        walk = agent.ask().walk
        agent.tell(trial(number, walk), walk.count("skip:1") / 3)
    walk = ("small", "small", "skip:1", "small", "skip:1", "skip:1")
    connections = [agent.policy.probabilities(walk)[position] for position in (2, 4, 5)]
    assert np.min(connections) > 0.85
