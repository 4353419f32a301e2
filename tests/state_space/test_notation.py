"""The notation of 2017: round trips, and errors that name the character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaqnn.networks.notation import read
from state_space import notation
from state_space.architecture import Architecture, Node, chain
from state_space.notation import NotationError, read_layers, read_token

numbers = st.integers(1, 999)
layers = st.one_of(
    st.tuples(st.just("C"), st.tuples(numbers, numbers, numbers)),
    st.tuples(st.just("P"), st.tuples(numbers, numbers)),
    st.tuples(st.sampled_from(["FC", "GAP"]), st.tuples(numbers)),
    st.tuples(st.just("D"), st.tuples(numbers, numbers).map(lambda pair: tuple(sorted(pair)))),
    st.just(("BN", ())),
)
networks = st.builds(
    lambda body, classes: [*body, ("SM", (classes,))], st.lists(layers, max_size=8), numbers
)


@given(networks)
def test_a_network_comes_back_from_its_text(network):
    assert list(read_layers(chain(network).text)) == network
    assert read(chain(network).text) == chain(network)


@given(networks, st.data())
def test_a_network_cut_short_is_refused(network, data):
    text = chain(network).text
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(NotationError, match="character"):
        read(text[:end])


@st.composite
def graphs(draw):
    body = draw(st.lists(layers, max_size=6))
    nodes = []
    for position, (op, args) in enumerate([*body, ("SM", (10,))]):
        earlier = st.lists(st.integers(-1, position - 1), min_size=1, unique=True)
        nodes.append(Node(op, args, tuple(draw(earlier))))
    outputs = draw(st.lists(st.integers(0, len(body)), min_size=1, unique=True))
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    names = st.sampled_from(["rate", "learning-rate", "x_1"])
    return Architecture(
        tuple(nodes), tuple(outputs), draw(st.dictionaries(names, numbers, max_size=3))
    )


@given(graphs())
def test_a_graph_comes_back_from_its_text(graph):
    assert read(graph.text) == graph
    assert read(graph.text).text == graph.text


def test_spaces_do_not_matter():
    assert read(" [ C( 64 , 3,1 ),P(2,2) ,SM(10) ] ").text == "[C(64,3,1), P(2,2), SM(10)]"
    graph = read("[C(8,3,1),FC(9)@ -1,SM(10) @0 , 1]->0,2  rate=1e-3 ")
    assert graph.text == "[C(8,3,1), FC(9)@-1, SM(10)@0,1] -> 0,2 rate=0.001"


def test_layers_are_read_of_chains_only():
    assert read_layers("[BN@-1, SM(10)@0] -> 1") == (("BN", ()), ("SM", (10,)))
    for text in ("[BN, SM(10)@-1]", "[BN, SM(10)] -> 0", "[BN, SM(10)] rate=1.0"):
        with pytest.raises(NotationError, match="a chain is expected"):
            read_layers(text)


@pytest.mark.parametrize(
    ("text", "character", "problem"),
    [
        ("", 1, "expected '['"),
        ("C(64,3,1)", 1, "expected '['"),
        ("[C(64,3,1), X(2), SM(10)]", 13, "unknown layer 'X'"),
        ("[C(64,3), SM(10)]", 3, "C takes (filters, field, stride), 3 numbers, not 2"),
        ("[C(64,0,1), SM(10)]", 7, "field of C must be 1 or more, not '0'"),
        ("[C(10,0,1), SM(10)]", 7, "field of C must be 1 or more, not '0'"),
        ("[C(64,-3,1), SM(10)]", 7, "field of C must be 1 or more, not '-3'"),
        ("[C(64,,1), SM(10)]", 7, "field of C must be 1 or more, not ''"),
        ("[C(64,3,1) P(2,2), SM(10)]", 12, "expected ','"),
        ("[2C(64,3,1)]", 2, "expected a layer, one of C, P, FC, "),
        ("[SM(10)] x", 9, "nothing may follow"),
        ("[D(3,2), SM(10)]", 2, "i is at most n"),
        ("[]", 2, "expected a layer"),
        ("[CB(8,3,1,1), SM(10)]", 4, "CB takes (filters, height, width, stride height, stride w"),
        ("[MP(3,3,0,1), SM(10)]", 9, "stride height of MP must be 1 or more, not '0'"),
        ("[BN, BN@, SM(10)]", 9, "expected positions of layers, such as 0,1"),
        ("[BN, BN@x, SM(10)]", 9, "expected positions of layers, such as 0,1"),
        ("[BN, BN@-2, SM(10)]", 9, "-2 is not from -1 to 0: layers count from 0, -1 is the ima"),
        ("[BN, BN@0,1, SM(10)]", 11, "1 is not from -1 to 0"),
        ("[BN, BN@0,0, SM(10)]", 11, "0 stands here twice"),
        ("[BN, SM(10)@0 1]", 15, "expected ','"),
        ("[BN, SM(10)] ->", 16, "expected positions of layers"),
        ("[BN, SM(10)] -> 2", 17, "2 is not from 0 to 1: layers count from 0"),
        ("[BN, SM(10)] -> -1", 17, "-1 is not from 0 to 1"),
        ("[BN, SM(10)] -> 1 1", 18, "nothing may follow ']' but -> outputs and name=value"),
        ("[BN, SM(10)] a=1 a=2", 18, "a is set twice"),
        ("[BN, SM(10)] a=x", 16, "a must be a number, not 'x'"),
        ("[BN, SM(10)] a=nan", 16, "a must be a number, not 'nan'"),
    ],
)
def test_errors_say_where_and_what(text, character, problem):
    with pytest.raises(NotationError) as error:
        read(text)
    assert f"character {character}: " in str(error.value)
    assert problem in str(error.value)


def test_a_token_is_one_layer():
    assert read_token("C(64,3,1)") == ("C", (64, 3, 1))
    with pytest.raises(NotationError, match="character 10"):
        read_token("C(64,3,1), P(2,2)")


def test_the_text_of_a_graph_says_what_each_node_reads():
    graph = Architecture(
        (Node("C", (8, 3, 1), (-1,)), Node("C", (8, 3, 1), (-1,)), Node("C", (4, 1, 1), (0, 1))),
        (1, 2),
        {"rate": 0.1},
    )
    assert graph.text == "[C(8,3,1), C(8,3,1)@-1, C(4,1,1)@0,1] -> 1,2 rate=0.1"


def test_the_digest_covers_nodes_outputs_and_settings():
    nodes = (Node("C", (8, 3, 1), (-1,)), Node("C", (8, 3, 1), (0,)))
    variants = [
        Architecture(nodes, (1,)),
        Architecture(nodes, (0,)),
        Architecture(nodes, (1,), {"rate": 0.1}),
        Architecture((nodes[0], Node("C", (8, 3, 1), (-1,))), (1,)),
        Architecture((nodes[0], Node("C", (8, 5, 1), (0,))), (1,)),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)


def test_without_known_layers_any_name_may_have_any_numbers():
    network = notation.read("[SEP3(8), sk_ip, X(1,2,3)@0,1]")
    assert [(node.op, node.args) for node in network.nodes] == [
        ("SEP3", (8,)),
        ("sk_ip", ()),
        ("X", (1, 2, 3)),
    ]
    with pytest.raises(NotationError, match="character 4: a number of X must be 1 or more"):
        notation.read("[X(0)]")
    with pytest.raises(NotationError, match="character 2: unknown layer 'X', known: Y, Z$"):
        notation.read("[X(1)]", {"Y": ("size",), "": (), "Z": ()})
