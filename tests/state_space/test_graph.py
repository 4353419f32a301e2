"""Graph networks: counts, encodings and equal networks worked out by hand."""

from itertools import product

import pytest

from state_space import IllegalMove, legal_walk
from state_space.graph import NODES, OPERATIONS, SOURCES, GraphSpace
from state_space.notation import NotationError

SPACE = GraphSpace()


def walk_of(text):
    """A walk written as "GCN 0:GAT 1:FC 1:ID"."""
    first, *others = text.split()
    walk = [first]
    for other in others:
        source, operation = other.split(":")
        walk += [f"reads:{source}", operation]
    return tuple(walk)


def text_of(text):
    return SPACE.architecture(walk_of(text)).text


@pytest.mark.parametrize(
    ("walk", "text"),
    [
        ("GCN 1:GAT 2:GIN 3:FC", "[GCN, GAT, GIN, FC]"),
        ("GCN 1:GAT 1:FC 2:GIN", "[GCN, FC, GAT@0, GIN] -> 1,3"),
        # the order of nodes is none of the network
        ("GCN 1:FC 1:GAT 3:GIN", "[GCN, FC, GAT@0, GIN] -> 1,3"),
        ("GCN 0:FC 0:FC 0:ARMA", "[ARMA, FC@-1, FC@-1, GCN@-1] -> 0,1,2,3"),
        # identities before, between and after what computes
        ("ID 1:ID 2:GCN 3:GAT", "[GCN, GAT]"),
        ("GCN 1:ID 2:GAT 3:ID", "[GCN, GAT]"),
        ("GCN 1:ID 2:GAT 2:FC", "[GCN, FC, GAT@0] -> 1,2"),
        # the features are not handed on to the output
        ("GCN 0:ID 0:ID 0:ID", "[GCN]"),
        ("ID 1:ID 2:ID 0:FC", "[FC]"),
        # what a node has computed is, past another reader
        ("GCN 1:ID 1:GAT 3:FC", "[GCN, GAT, ID@0, FC@1] -> 2,3"),
        ("GCN 1:ID 1:ID 0:FC", "[FC, GCN@-1, ID, ID@1] -> 0,2,3"),
    ],
)
def test_networks_by_hand(walk, text):
    assert text_of(walk) == text
    parsed = SPACE.parse(text)
    assert len(parsed) == 2 * NODES - 1
    assert SPACE.architecture(parsed).text == text


def test_not_all_nodes_can_be_the_identity():
    # 1 * 2 * 3 * 4 ways to read, and nine operations four times but for one
    assert SPACE.size() == 24 * (9**4 - 1)
    with pytest.raises(IllegalMove, match="position 7: ID is not allowed here"):
        list(legal_walk(SPACE, walk_of("ID 0:ID 1:ID 0:ID")))


@pytest.mark.slow
def test_there_are_as_many_networks_as_were_published():
    walks = (
        (first, *(token for pair in zip(reads, others, strict=True) for token in pair))
        for reads in product(*(SOURCES[: node + 1] for node in range(1, NODES)))
        for first, *others in product(OPERATIONS, repeat=NODES)
        if {first, *others} != {"ID"}
    )
    assert len({SPACE.architecture(walk).text for walk in walks}) == 26_206


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[GCN, GAT] -> 0,1", "not a network of this space; these nodes make \\[GCN, GAT\\]"),
        ("[GCN, ID]", "not a network of this space; these nodes make \\[GCN\\]"),
        ("[GCN, GAT@-1, FC@0,1]", "FC must read one node, not \\(0, 1\\)"),
        ("[GCN, GAT, FC, GIN, SAGE]", "more than 4 nodes"),
        ("[GCM]", "unknown layer 'GCM'"),
        ("[GCN(3)]", "GCN takes"),
    ],
)
def test_other_texts_are_refused(text, problem):
    with pytest.raises(NotationError, match=problem):
        SPACE.parse(text)
