"""Mutation, and the agents evolution and local-search that are built on it."""

import json
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.agents.evolution import Evolution, EvolutionOptions
from metaqnn.agents.local_search import LocalSearch, LocalSearchOptions
from metaqnn.agents.mutation import mutate, neighbours
from metaqnn.agents.random import RandomSearch
from metaqnn.config import RunConfig
from metaqnn.errors import MetaqnnError
from replay import Trial
from state_space import (
    Decision,
    IllegalMove,
    Space,
    count_architectures,
    legal_walk,
    random_walk,
)
from state_space.architecture import chain
from tests.helpers.parts import agent_of
from tests.helpers.spaces import SPACE_NAMES, make_space

SPACES = {name: make_space(name) for name in SPACE_NAMES}
TINY, MACRO = SPACES["tiny"], make_space("macro")
C1, C3, P, GAP, SM = "C(2,1,1)", "C(2,3,1)", "P(2,2)", "GAP(10)", "SM(10)"


class Ladder(Space):
    """One rung, and one more a stage; an "a" is thin or wide, a "b" is square."""

    def __init__(self, types=("a", "b")):
        self.vocabulary = {"type": types, "width": ("thin", "wide", "square")}

    def initial_state(self, stage=0):
        return (1 + stage,)

    def decision(self, state):
        rungs, *tokens = state
        if len(tokens) == 2 * rungs:
            return None
        if len(tokens) % 2 == 0:
            return Decision("type", self.vocabulary["type"])
        return Decision("width", ("thin", "wide") if tokens[-1] == "a" else ("square",))

    def step(self, state, token):
        return (*state, token)

    def observation(self, state):
        return state

    def action(self, token):
        return (token,)

    def architecture(self, walk):
        return chain((token, ()) for token in walk)

    def parse(self, text):
        raise NotImplementedError("no agent under test reads it")


def is_legal(space, walk, stage=0):
    try:
        return bool(list(legal_walk(space, walk, stage)))
    except IllegalMove:
        return False


def blocks(digits):
    """A walk of NAS-Bench-Macro by its digits."""
    return MACRO.parse(digits)


def distance(one, other):
    return sum(left != right for left, right in zip(one, other, strict=True))


def tell(agent, number, walk, reward):
    digest = agent.space.architecture(walk).digest
    agent.tell(Trial(number, walk, 0, digest, 0, {}), reward)


# mutation


@settings(deadline=None)
@given(st.sampled_from(SPACE_NAMES), st.integers(0, 2**32))
def test_a_mutation_is_legal_and_changes_one_decision_where_nothing_needs_repair(name, seed):
    space, generator = SPACES[name], np.random.default_rng(seed)
    walk = random_walk(space, generator)
    mutant = mutate(space, walk, generator)
    assert is_legal(space, mutant)
    assert mutant != walk
    place = next(
        place for place, pair in enumerate(zip(walk, mutant, strict=False)) if pair[0] != pair[1]
    )
    changed = (*walk[:place], mutant[place], *walk[place + 1 :])
    if is_legal(space, changed):
        assert mutant == changed


@pytest.mark.slow
@settings(deadline=None)
@given(st.sampled_from(SPACE_NAMES), st.integers(0, 2**32))
def test_neighbours_are_one_for_each_other_option_of_each_decision(name, seed):
    space = SPACES[name]
    walk = random_walk(space, np.random.default_rng(seed))
    found = list(neighbours(space, walk))
    others = sum(len(decision.options) - 1 for _, decision, _ in legal_walk(space, walk))
    assert len(found) == len(set(found)) == others
    assert walk not in found
    assert all(is_legal(space, each) for each in found)
    assert found == list(neighbours(space, walk))


@pytest.mark.parametrize("seed", range(5))
def test_mutations_reach_all_neighbours_and_nothing_else(seed):
    # at most 4 decisions of 7 options: the rarest neighbour is missed with (27/28)**2000 = 3e-32
    generator = np.random.default_rng(seed)
    walk = random_walk(TINY, generator)
    mutants = {mutate(TINY, walk, generator) for _ in range(2000)}
    assert mutants == set(neighbours(TINY, walk))


def test_places_and_then_options_are_drawn_uniformly():
    # five deviations of a count of n draws of probability p: 5 * sqrt(n * p * (1 - p))
    generator = np.random.default_rng(0)
    walk = (C1, SM)
    first = sum(mutate(TINY, walk, generator)[0] != C1 for _ in range(2000))
    assert first == pytest.approx(1000, abs=112)
    walk = blocks("01201201")
    counts = Counter(mutate(MACRO, walk, generator) for _ in range(3200))
    assert len(counts) == 16
    assert all(count == pytest.approx(200, abs=69) for count in counts.values())


def test_the_neighbours_of_a_fixed_number_of_free_choices_differ_in_one():
    walk = blocks("01201201")
    everything = product(MACRO.vocabulary["block"], repeat=8)
    near = {other for other in everything if distance(walk, other) == 1}
    assert set(neighbours(MACRO, walk)) == near
    assert len(near) == 16


def test_a_walk_that_goes_on_ends_as_soon_as_it_can():
    assert list(neighbours(TINY, (SM,))) == [
        (C1, SM),
        (C3, SM),
        ("C(4,1,1)", SM),
        ("C(4,3,1)", SM),
        (GAP, SM),
    ]


def test_a_token_that_is_no_longer_legal_is_left_out_and_the_next_ones_stay():
    found = set(neighbours(TINY, (C3, C1, P, SM)))
    assert (C3, P, SM) in found  # no pooling after pooling
    assert (C3, GAP, SM) in found  # nothing but SM after GAP
    assert (C1, C1, P, SM) in found  # nothing to repair


def test_a_forced_token_leaves_the_decisions_behind_it_alone():
    found = list(neighbours(Ladder(), ("a", "thin", "a", "wide"), stage=1))
    assert found == [
        ("b", "square", "a", "wide"),
        ("a", "wide", "a", "wide"),
        ("a", "thin", "b", "square"),
        ("a", "thin", "a", "thin"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_walk_of_an_earlier_stage_is_continued(seed):
    space, walk = Ladder(), ("a", "thin", "b", "square")
    mutant = mutate(space, walk, np.random.default_rng(seed), stage=3)
    assert is_legal(space, mutant, stage=3)
    # a changed type of an early rung changes its width too
    assert distance(walk, mutant[:4]) <= 2


def test_what_is_added_is_random_and_yet_the_same_for_the_same_walk():
    space, walk = Ladder(), ("a", "wide")
    mutants = [mutate(space, walk, np.random.default_rng(seed), stage=2) for seed in range(90)]
    # the first rung is changed, so the second one is as it was added
    added = {mutant[3] for mutant in mutants if mutant[:2] != walk}
    assert added == {"thin", "wide", "square"}
    assert list(neighbours(space, walk, 9)) == list(neighbours(space, walk, 9))


def test_a_walk_without_alternatives_stays_as_it_is():
    space = Ladder(types=("b",))
    assert mutate(space, ("b", "square"), np.random.default_rng(0)) == ("b", "square")
    assert list(neighbours(space, ("b", "square"))) == []


# evolution


def aged(seed=0, tournament=3):
    """A population of three, told in this order."""
    agent = Evolution(MACRO, seed, EvolutionOptions(population=3, tournament=tournament))
    for number, (digits, reward) in enumerate(
        [("00000000", 0.9), ("11111111", 0.5), ("22222222", 0.7)]
    ):
        tell(agent, number, blocks(digits), reward)
    return agent


def parent(agent, *digits):
    """Which of the walks is one decision away from what the agent proposes."""
    walk = agent.ask().walk
    return next((each for each in digits if distance(blocks(each), walk) == 1), None)


def test_the_best_member_is_the_parent_until_it_is_the_oldest_and_dies():
    agent = aged()
    members = ["00000000", "11111111", "22222222"]
    assert {parent(agent, *members) for _ in range(5)} == {"00000000"}
    tell(agent, 3, blocks("01201201"), 0.6)  # the first one dies, although it is the best
    members = ["00000000", "11111111", "22222222", "01201201"]
    assert {parent(agent, *members) for _ in range(5)} == {"22222222"}
    tell(agent, 4, blocks("10210210"), 0.8)  # the second one dies
    members.append("10210210")
    assert {parent(agent, *members) for _ in range(5)} == {"10210210"}
    tell(agent, 5, blocks("21021021"), 0.1)  # the third one dies
    tell(agent, 6, blocks("00112200"), 0.2)  # the fourth one dies
    tell(agent, 7, blocks("22110011"), 0.3)  # and the fifth one
    members += ["21021021", "00112200", "22110011"]
    assert {parent(agent, *members) for _ in range(5)} == {"22110011"}


def test_of_two_of_three_members_the_best_is_the_parent():
    # the pairs are equally likely: the best is in two of them, the worst in none without a better
    members = ("00000000", "11111111", "22222222")
    counts = Counter(parent(aged(seed, tournament=2), *members) for seed in range(300))
    assert counts["00000000"] == pytest.approx(200, abs=41)  # five deviations
    assert counts["22222222"] == 300 - counts["00000000"]


def test_walks_are_random_until_the_population_is_complete():
    # a random walk is at most one decision from the other with a probability of 17/6561
    near = 0
    for seed in range(50):
        agent = Evolution(MACRO, seed, EvolutionOptions(population=2, tournament=2))
        tell(agent, 0, blocks("00000000"), 0.5)
        near += distance(agent.ask().walk, blocks("00000000")) <= 1
    assert near <= 3


@pytest.mark.slow
def test_where_all_near_networks_are_known_it_goes_further():
    agent = aged()
    asked = [agent.ask().walk for _ in range(300)]
    assert len(set(asked)) == 300
    assert all(distance(walk, blocks("00000000")) == 1 for walk in asked[:10])


def test_without_deaths_the_best_stays_the_parent():
    options = EvolutionOptions(population=2, tournament_share=1.0, deaths=False)
    agent = Evolution(MACRO, 0, options)
    members = ["00000000", "11111111", "22222222", "01201201"]
    for number, digits in enumerate(members):
        tell(agent, number, blocks(digits), 0.9 - number / 10)
    assert {parent(agent, *members) for _ in range(8)} == {"00000000"}


def test_a_tournament_may_be_a_share_of_all_members():
    options = EvolutionOptions(tournament_share=0.05)
    assert [options.members(count) for count in (1, 20, 200, 7000)] == [1, 1, 10, 350]
    # of two of four members without a death the best is in half of the pairs, the worst in none
    members = ("00000000", "11111111", "22222222", "01201201")
    counts = Counter()
    for seed in range(300):
        shared = EvolutionOptions(population=2, tournament_share=0.5, deaths=False)
        agent = Evolution(MACRO, seed, shared)
        for number, digits in enumerate(members):
            tell(agent, number, blocks(digits), 0.9 - number / 10)
        counts[parent(agent, *members)] += 1
    assert counts["00000000"] == pytest.approx(150, abs=44)  # five deviations
    assert counts["01201201"] == 0


def test_the_first_population_is_mutants_of_networks_by_hand():
    space = SPACES["practical"]
    agent = Evolution(space, 0, EvolutionOptions(first_mutations=1))
    asked = [agent.ask().walk for _ in range(30)]
    near = [{start for start in space.starts() if distance(walk, start) <= 1} for walk in asked]
    assert all(near) and set().union(*near) == set(space.starts())
    # where nothing is known by hand it begins at random
    agent = Evolution(MACRO, 0, EvolutionOptions(first_mutations=1))
    assert agent.ask() == Evolution(MACRO, 0).ask()


@pytest.mark.slow
def test_many_mutations_leave_nothing_of_where_they_began():
    # each of 46 operations is one of seven: of 100 networks 657 edges are none on average
    space = SPACES["hierarchical-cifar10"]
    agent = Evolution(space, 0, EvolutionOptions(first_mutations=300, population=100))
    tokens = [token for _ in range(100) for token in agent.ask().walk]
    nothing = sum(token.endswith(":none") for token in tokens)
    assert nothing == pytest.approx(4600 / 7, abs=5 * (4600 * 6 / 49) ** 0.5)


def test_a_kind_may_be_drawn_before_a_decision():
    space = SPACES["hierarchical-cifar10"]
    walk = random_walk(space, np.random.default_rng(0))

    def mutants_of_the_cell(**options):
        generator = np.random.default_rng(1)
        mutants = [mutate(space, walk, generator, **options) for _ in range(1000)]
        return sum(mutant[:36] == walk[:36] for mutant in mutants)

    # the cell has 10 of the 46 edges, and is one of two levels; five deviations
    assert mutants_of_the_cell() == pytest.approx(1000 * 10 / 46, abs=66)
    assert mutants_of_the_cell(kind_first=True) == pytest.approx(500, abs=80)


# local search


@pytest.mark.parametrize("seed", range(5))
def test_every_proposal_is_a_new_neighbour_of_the_best_network_that_has_one(seed):
    agent = LocalSearch(MACRO, seed, LocalSearchOptions(random_first=2))
    rewards = np.random.default_rng(seed)
    told = {}
    for number in range(200):
        walk = agent.ask().walk
        assert walk not in told
        if number >= 2:
            for better in sorted(told, key=told.get, reverse=True):
                near = set(neighbours(MACRO, better)) - set(told)
                if near:
                    break
            assert walk in near
        told[walk] = rewards.random()
        tell(agent, number, walk, told[walk])


def test_networks_in_flight_count_as_tried_and_then_walks_are_random():
    agent = LocalSearch(MACRO, 0, LocalSearchOptions(random_first=1))
    start = blocks("00000000")
    tell(agent, 0, start, 0.5)
    assert {agent.ask().walk for _ in range(16)} == set(neighbours(MACRO, start))
    others = [agent.ask().walk for _ in range(20)]
    assert len(set(others)) == 20
    assert all(distance(walk, start) > 1 for walk in others)


def test_it_climbs_to_the_top_of_a_hill_without_a_second_one():
    # every network but the best has a better neighbour: eight steps of at most 16 tries each
    for seed in range(10):
        agent = LocalSearch(MACRO, seed, LocalSearchOptions(random_first=1))
        walks = []
        for number in range(1 + 8 * 16):
            walks.append(agent.ask().walk)
            tell(agent, number, walks[-1], walks[-1].count("MB(6,5)"))
        assert blocks("22222222") in walks


def test_it_lists_a_whole_space_and_then_proposes_known_networks():
    agent = LocalSearch(TINY, 0)
    size = count_architectures(TINY)
    walks = set()
    for number in range(size):
        walk = agent.ask().walk
        walks.add(walk)
        tell(agent, number, walk, 1 / len(walk))
    assert len(walks) == size
    assert agent.ask().walk in walks


def test_it_goes_on_from_the_best_network_of_an_earlier_stage():
    space, walk = Ladder(), ("a", "thin") * 4
    agent = LocalSearch(space, 0, LocalSearchOptions(random_first=1))
    agent.tell(Trial(0, walk, 3, space.architecture(walk).digest, 0, {}), 0.5)
    # each rung can become a "b" or wide
    assert len({agent.ask(3).walk for _ in range(8)} & set(neighbours(space, walk, 3))) == 8
    for _ in range(9):
        proposed = agent.ask(4).walk
        assert is_legal(space, proposed, 4)
        assert distance(walk, proposed[:8]) <= 2


# both


@pytest.fixture(params=[Evolution, LocalSearch])
def make(request):
    return request.param


def test_what_is_in_flight_is_not_proposed_again_after_a_restart(make):
    agent = make(MACRO, 0)
    history = []
    for number in range(25):
        walk = agent.ask().walk
        trial = Trial(number, walk, 0, MACRO.architecture(walk).digest, 0, {})
        history.append((trial, walk.count("ID") / 8))
        agent.tell(*history[-1])
    running = {agent.ask().walk for _ in range(8)}
    restored = make(MACRO, 1)
    restored.restore(agent.snapshot(), history)
    assert restored.snapshot() == agent.snapshot()
    proposals = [restored.ask().walk for _ in range(30)]
    assert proposals == [agent.ask().walk for _ in range(30)]
    assert not running & set(proposals)


def test_what_was_told_is_neither_proposed_nor_in_flight(make):
    agent = make(MACRO, 0)
    proposed = [agent.ask().walk for _ in range(4)]
    best = blocks("00000000")
    told = [*proposed, *neighbours(MACRO, best), best]
    for number, walk in enumerate(told):
        tell(agent, number, walk, 0.9 if walk == best else 0.1)
    assert json.loads(agent.snapshot())["in_flight"] == []
    assert not {agent.ask().walk for _ in range(20)} & set(told)


def test_it_goes_on_in_the_next_stage(make):
    space = Ladder()
    agent = make(space, 0)
    for number in range(30):
        stage = number // 10
        walk = agent.ask(stage).walk
        assert is_legal(space, walk, stage)
        digest = space.architecture(walk).digest
        agent.tell(Trial(number, walk, stage, digest, 0, {}), walk.count("wide"))


def best_of(agent, score, networks):
    """The best score among so many distinct networks."""
    scores = {}
    number = 0
    while len(scores) < networks:
        walk = agent.ask().walk
        scores[walk] = score(walk)
        tell(agent, number, walk, scores[walk])
        number += 1
    return max(scores.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["macro", "digits"])
def test_it_beats_random_search_where_the_reward_is_additive(make, name):
    """The sum of a random score for each (place, token); 30 landscapes, 150 networks on each.

    Its mean lead is more than four standard errors; of two equal searches one would have such a
    lead with a probability of 2e-4 (Student's t with 29 degrees of freedom).
    """
    space = SPACES[name]
    tokens = [token for kind in space.vocabulary.values() for token in kind]
    leads = []
    for seed in range(30):
        table = np.random.default_rng([seed, 1]).random((20, len(tokens))) - 0.5

        def score(walk, table=table):
            return sum(table[at, tokens.index(one)] for at, one in enumerate(walk))

        random = best_of(RandomSearch(space, seed), score, 150)
        leads.append(best_of(make(space, seed), score, 150) - random)
    assert np.mean(leads) > 4 * np.std(leads, ddof=1) / np.sqrt(len(leads))


# options


def test_a_tournament_larger_than_the_population_is_refused():
    with pytest.raises(MetaqnnError, match="tournament is 9: must be at most the population, 8"):
        RunConfig.from_flat({"agent": "evolution", "population": 8, "tournament": 9})
    for members, options in (
        (8, {"population": 8, "tournament": 8}),
        (8, {"population": 8}),
        (10, {}),
    ):
        agent = agent_of(MACRO, agent="evolution", **options)
        assert agent.options.members(agent.options.population) == members


def test_a_tournament_has_one_size():
    with pytest.raises(MetaqnnError, match=r"tournament-share is 0\.1: give it or tournament"):
        agent_of(MACRO, agent="evolution", tournament=3, tournament_share=0.1)


def test_the_agents_take_their_options():
    evolution = agent_of(MACRO, agent="evolution", population=7, tournament=4)
    assert (evolution.options.population, evolution.options.members(7)) == (7, 4)
    assert agent_of(MACRO, agent="local-search", random_first=3).random_first == 3
