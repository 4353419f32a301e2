"""Motifs of motifs: the published cell, and what matters of a genotype."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.errors import MetaqnnError
from metaqnn.networks.build import Network
from metaqnn.networks.cost import layer_costs, total_cost
from metaqnn.spaces import bind_space, read_space
from state_space import random_walk, scaled
from state_space.hierarchical import PUBLISHED, HierarchicalSpace
from state_space.motifs import edges, nodes_of, simplified

CHAINS = "M1: id/none id/none none id; M1/none M1/none none M1/none none none M1"


def hierarchical(classes=10, **keys):
    space = bind_space({"space": "hierarchical", **keys}, (3, 32, 32), classes)
    assert isinstance(space, HierarchicalSpace)
    return space


def test_the_preset_is_the_papers_search():
    space = bind_space(read_space("hierarchical-cifar10"), (3, 32, 32), 10)
    assert space.scale == {"filters": 16, "repeats": 1, "groups": 3}
    # six motifs of six edges and a cell of ten, each with seven operations
    assert {kind: len(tokens) for kind, tokens in space.vocabulary.items()} == {
        "level-2": 7,
        "level-3": 7,
    }
    assert space.size() == 7**46


def test_the_published_cell_has_the_published_parameters():
    """15.7 million with 64 filters and two cells a group, for CIFAR-10."""
    space = hierarchical()
    walk = space.parse(PUBLISHED)
    large = space.architecture(walk, {"filters": 64, "repeats": 2})
    assert f"{total_cost(large, (3, 32, 32)).parameters / 1e6:.1f}" == "15.7"
    # two of its motifs are not used; the others are called in the order of their use
    assert space.text(walk) == (
        "M1: id/sep id/sep id sep; M2: sep/dw sep/sep id avg; M3: max/1x1 dw/sep 1x1 max; "
        "M4: avg/sep sep/id max avg; M1/M2 M2/M2 M3 M2/M4 M1 M1 M1"
    )
    assert space.starts()[0] == walk


def test_a_small_network_by_hand():
    space = scaled(
        hierarchical(4, motifs=[2, 1], nodes=[3, 3]), {"filters": 8, "repeats": 2, "groups": 2}
    )
    walk = space.parse("M1: 1x1/dw max; M2: sep/none avg; M1/M2 M1")
    architecture = space.architecture(walk)
    assert architecture.text == (
        "[CB(8,3,3,1,1), CELL(8), SB(8,3,1), CELL(8), SB(16,3,2), "
        "CELL(16), SB(16,3,1), CELL(16), SB(16,3,1), AVG, SM(4)] "
        "where CELL(F) = [M1(F), M2(F)@-1, M1(F)@0, CAT@1,2] "
        "where M1(F) = [CB(F,1,1,1,1), DB(3,1)@-1, MP(3,3,1,1)@0, CAT@1,2, CB(F,1,1,1,1)] "
        "where M2(F) = [SB(F,3,1), AP(3,3,1,1), CB(F,1,1,1,1)]"
    )
    assert space.text(walk) == "M1: 1x1/dw max; M2: sep/none avg; M1/M2 M1"

    def weights(f):
        one = (f * f + 2 * f) + (9 * f + 2 * f) + (2 * f * f + 2 * f)
        two = (9 * f + f * f + 2 * f) + (f * f + 2 * f)
        return 2 * one + two

    behind = [9 * 16 + 16 * 8 + 16, 9 * 16 + 16 * 16 + 32, 9 * 32 + 32 * 16 + 32]
    expected = (27 * 8 + 16) + 2 * weights(8) + behind[0] + behind[1]
    expected += 2 * weights(16) + 2 * behind[2] + 16 * 4 + 4
    assert total_cost(architecture, (3, 8, 8)).parameters == expected


def meaning(genotype, motif, level, value):
    """What a motif makes of a value, written as an expression; None where it makes nothing."""
    values = {0: value}
    for node in range(1, nodes_of(motif)):
        made = []
        for (source, target), edge in zip(edges(nodes_of(motif)), motif, strict=True):
            if target == node and edge and values[source] is not None:
                if level == 0:
                    made.append((edge, values[source]))
                else:
                    inner = genotype[level - 1][edge - 1]
                    made.append(meaning(genotype, inner, level - 1, values[source]))
        made = [each for each in made if each is not None]
        values[node] = ("side by side", *made) if made else None
    last = values[nodes_of(motif) - 1]
    return None if last is None else (level, last)


@st.composite
def genotypes(draw):
    """Of two or three levels, with many edges that are none."""
    levels = []
    below = draw(st.integers(1, 3))
    counts = [*draw(st.lists(st.integers(1, 3), max_size=2)), 1]
    for count in counts:
        size = draw(st.integers(2, 4))
        operation = st.one_of(st.just(0), st.integers(0, below))
        motif = st.tuples(*[operation] * (size * (size - 1) // 2))
        levels.append(tuple(draw(st.lists(motif, min_size=count, max_size=count))))
        below = count
    return tuple(levels)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(genotypes())
def test_what_is_simplified_means_the_same_and_has_nothing_needless(genotype):
    simple = simplified(genotype)
    top = len(genotype) - 1
    assert meaning(simple, simple[-1][0], top, "x") == meaning(genotype, genotype[-1][0], top, "x")
    assert simplified(simple) == simple
    for level in range(top):
        motifs = simple[level]
        assert len(set(motifs)) == len(motifs) <= len(genotype[level])
        used = [edge for motif in simple[level + 1] for edge in motif if edge]
        assert list(dict.fromkeys(used)) == list(range(1, len(motifs) + 1))


def test_the_names_of_motifs_are_no_part_of_the_network():
    space = hierarchical(motifs=[3, 1], nodes=[3, 3])
    motifs = ["1x1/dw max", "sep/none avg", "id/id 1x1"]
    digests = set()
    for order in permutations(range(3)):
        named = "; ".join(f"M{order[place] + 1}: {motif}" for place, motif in enumerate(motifs))
        cell = f"M{order[0] + 1}/M{order[2] + 1} M{order[1] + 1}"
        digests.add(space.architecture(space.parse(f"{named}; {cell}")).digest)
    assert len(digests) == 1
    # another order of what they are is another network
    changed = space.parse(f"M1: {motifs[0]}; M2: {motifs[1]}; M3: {motifs[2]}; M1/M2 M3")
    assert space.architecture(changed).digest not in digests


def test_what_nothing_leads_to_makes_nothing():
    space = hierarchical(motifs=[2, 1], nodes=[4, 3])
    # nothing leads to the second node, so that what it would be read for is not there
    walk = space.parse("M1: none/max sep/none dw id; none/M1 none")
    assert space.text(walk) == "M1: max/none none/none id none; none/M1 none"
    # and nothing to the last node of M2, which so makes nothing
    empty = "M2: max/none none/none none none"
    walk = space.parse(f"M1: max/id none/none dw none; {empty}; M1/M2 M1")
    assert space.text(walk) == "M1: max/none none/none dw none; M1/none M1"
    # where nothing leads to the last node of the cell, the rest of the network is left
    walk = space.parse(f"M1: max/none none/dw none none; {empty}; M1/M2 M2")
    assert space.text(walk) == "none/none none"
    cut = space.architecture(walk)
    assert cut.text == "[CB(16,3,3,1,1), SB(32,3,2), SB(64,3,2), SB(64,3,1), AVG, SM(10)]"
    assert space.architecture(space.parse(cut.text)) == cut


@pytest.mark.parametrize(
    "keys",
    [
        {"motifs": [1], "nodes": [11]},  # the paper's flat space
        {"motifs": [1, 1], "nodes": [3, 3]},
        {"motifs": [2, 3, 1], "nodes": [3, 4, 3]},
        {"motifs": [2, 2, 2, 1], "nodes": [3, 3, 3, 2], "primitives": ["sep", "id"]},
    ],
)
def test_any_number_of_levels(keys):
    space = scaled(hierarchical(**keys), {"filters": 2})
    below = [len(keys.get("primitives", "123456")), *keys["motifs"]]
    sizes = [len(tokens) for tokens in space.vocabulary.values()]
    assert sizes == [1 + count for count in below[:-1]]
    generator = np.random.default_rng(0)
    for walk in [*(random_walk(space, generator) for _ in range(10)), *space.starts()]:
        architecture = space.architecture(walk)
        for text in (space.text(walk), architecture.text):
            assert space.architecture(space.parse(text)) == architecture
        layer_costs(architecture, (3, 8, 8))


def test_chains_of_identities_are_a_start_of_every_space():
    space = hierarchical()
    assert space.text(space.starts()[1]) == CHAINS
    (only,) = hierarchical(motifs=[1], nodes=[3]).starts()
    assert hierarchical(motifs=[1], nodes=[3]).text(only) == "id/none id"


@pytest.mark.parametrize("scale", [{"filters": 4}, {"filters": 4, "repeats": 2, "groups": 2}])
def test_every_weight_of_the_starts_gets_a_gradient(scale):
    space = hierarchical()
    for walk in space.starts():
        architecture = space.architecture(walk, scale)
        network = Network(architecture, (3, 16, 16), torch.Generator().manual_seed(0))
        network(torch.randn(4, 3, 16, 16)).logsumexp(1).sum().backward()
        assert all(weights.grad.abs().sum() > 0 for weights in network.parameters())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("M1: max/dw dw/1x1 sep sep", "the cell|'' must have 1/2/3/4 operations"),
        ("M1: max/dw/1x1 sep sep; M1/M1 M1/none none none/none none none M1", "1/2/3 operations"),
        (f"{CHAINS}; M1/none", "the cell stands there twice"),
        (CHAINS.replace("M1:", "M7:"), "'M7' is no motif of this space"),
        (CHAINS.replace("id/none", "fc/none", 1), "'fc' is none of none, 1x1, dw, sep, max, avg"),
        (CHAINS.replace("; M1/", "; M9/"), "'M9' is none of none, M1, M2"),
        ("[CB(16,3,3,1,1), AVG, SM(10)]", "is not a network of this space"),
        ("[CB(16,3,3,1,1), CELL(16), AVG, SM(10)] where CELL(F) = [P(2,2)]", "not a network"),
    ],
)
def test_texts_that_are_no_networks_are_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        hierarchical().parse(text)


def test_impossible_files_are_refused():
    with pytest.raises(MetaqnnError, match=r"motifs must end in 1, the cell, not \[6, 2\]"):
        hierarchical(motifs=[6, 2])
    with pytest.raises(MetaqnnError, match="nodes must have a number for each of the 2 levels"):
        hierarchical(nodes=[4])
    with pytest.raises(MetaqnnError, match="primitives must be a list of distinct ones of 1x1"):
        hierarchical(primitives=["3x3"])
    with pytest.raises(MetaqnnError, match="motifs must be a list of 1 to 4 whole numbers"):
        hierarchical(motifs=[6, 6, 6, 6, 1])
