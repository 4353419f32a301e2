"""The agent progressive: it grows the space by itself, from its best networks."""

import numpy as np
import pytest

from metaqnn.agents.progressive import Progressive, ProgressiveOptions
from metaqnn.agents.random import RandomSearch
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from metaqnn.spaces import bind_space
from replay import Trial
from state_space import legal_walk, stage_of
from tests.helpers.parts import agent_of

GROWING = bind_space(
    {
        "space": "skip",
        "depth": 1,
        "growth": 1,
        "max-depth": 4,
        "heights": [1, 3, 5],
        "widths": [1, 3, 5],
        "filters": [8, 16, 32],
        "strides": [1],
        "skip-connections": False,
    },
    (1, 8, 8),
    10,
)
DECISIONS = 3
"""Of every layer; the stages have 1 to 4 layers."""


def score(walk):
    """Large and many filters pay, in every layer the same."""
    decided = zip(kinds(walk), walk, strict=True)
    return sum(GROWING.vocabulary[kind].index(token) for kind, token in decided)


def kinds(walk):
    return [decision.kind for _, decision, _ in legal_walk(GROWING, walk, stage_of(GROWING, walk))]


def search(agent, networks, start=0):
    """Ask and tell; the proposals."""
    proposals = []
    for number in range(start, start + networks):
        proposals.append(agent.ask())
        walk, stage = proposals[-1].walk, proposals[-1].stage or 0
        digest = GROWING.architecture(walk).digest
        agent.tell(Trial(number, walk, stage, digest, 0, {}), score(walk))
    return proposals


def test_every_stage_has_as_many_networks_as_the_beam_and_the_last_one_the_rest():
    proposals = search(Progressive(GROWING, 0, ProgressiveOptions(beam=6)), 40)
    assert [proposal.stage for proposal in proposals] == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 22
    for proposal in proposals:
        assert len(list(legal_walk(GROWING, proposal.walk, proposal.stage))) == (
            DECISIONS * (proposal.stage + 1)
        )
    assert len({proposal.walk for proposal in proposals}) == 40


def test_networks_continue_those_of_the_stage_before():
    proposals = search(Progressive(GROWING, 1, ProgressiveOptions(beam=6)), 24)
    by_stage = [[each.walk for each in proposals if each.stage == at] for at in range(4)]
    for smaller, larger in zip(by_stage, by_stage[1:], strict=False):
        assert {walk[:-DECISIONS] for walk in larger} <= set(smaller)


def test_only_the_best_of_a_stage_grow():
    # two of each stage are kept; those told by others count, too, although it proposed none
    agent = Progressive(GROWING, 0, ProgressiveOptions(beam=2))
    walks = [(f"height:{size}", "width:1", "filters:8") for size in (1, 3, 5)]
    for number, walk in enumerate(walks):
        digest = GROWING.architecture(walk).digest
        agent.tell(Trial(number, walk, 0, digest, 0, {}), score(walk))
    grown = [agent.ask() for _ in range(2)]
    assert {proposal.stage for proposal in grown} == {1}
    assert {proposal.walk[:DECISIONS] for proposal in grown} <= set(walks[1:])


def test_with_many_workers_a_stage_is_complete_when_it_is_proposed():
    agent = Progressive(GROWING, 0, ProgressiveOptions(beam=5))
    assert [agent.ask().stage for _ in range(7)] == [0] * 5 + [1] * 2


@pytest.mark.slow
def test_the_model_of_small_networks_finds_good_large_ones():
    """The best of 45 is better than that of random search among the largest networks alone.

    10 seeds; it is on average by four standard errors, which of two equal searches happens with
    a probability of 2e-3 (Student's t with 9 degrees of freedom).
    """
    leads = []
    for seed in range(10):
        found = search(Progressive(GROWING, seed, ProgressiveOptions(beam=8)), 45)
        random = RandomSearch(GROWING, seed)
        chance = max(score(random.ask(3).walk) for _ in range(45))
        leads.append(max(score(proposal.walk) for proposal in found) - chance)
    assert np.mean(leads) > 4 * np.std(leads, ddof=1) / np.sqrt(len(leads))


def test_options():
    assert agent_of(GROWING, agent="progressive", beam=7).options.beam == 7
    with pytest.raises(MetaqnnError, match="beam is 0"):
        RunConfig.from_flat({"agent": "progressive", "beam": 0})
