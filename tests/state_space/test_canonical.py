"""The canonical order: equal for graphs that differ in the order of their nodes, and only then."""

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state_space import Architecture, Node
from state_space.canonical import canonical


def graph(labels, inputs):
    """Layers with their inputs, and SM that reads those that no layer reads."""
    nodes = [
        Node("CB", (label, 1, 1, 1, 1), tuple(sources) or (-1,))
        for label, sources in zip(labels, inputs, strict=True)
    ]
    used = {source for sources in inputs for source in sources}
    unread = tuple(position for position in range(len(nodes)) if position not in used)
    return Architecture((*nodes, Node("SM", (10,), unread)), (len(nodes),))


def reordered(architecture, order):
    """The same graph with its nodes in another order, a list of their positions."""
    places = {position: place for place, position in enumerate(order)}
    nodes = (architecture.nodes[position] for position in order)
    return Architecture(
        tuple(
            Node(node.op, node.args, tuple(places.get(source, source) for source in node.inputs))
            for node in nodes
        ),
        tuple(places[output] for output in architecture.outputs),
    )


def topological(architecture, priorities):
    """The positions in the order of their priorities, as far as the edges allow."""
    order = []
    while len(order) < len(architecture.nodes):
        ready = [
            position
            for position, node in enumerate(architecture.nodes)
            if position not in order and all(i < 0 or i in order for i in node.inputs)
        ]
        order.append(min(ready, key=priorities.__getitem__))
    return order


def brute_force(architecture):
    """The least of the graph's texts over all orders of its nodes."""
    texts = []
    for order in permutations(range(len(architecture.nodes))):
        nodes = reordered(architecture, order).nodes
        texts.append([(node.text, sorted(node.inputs)) for node in nodes])
    return str(min(texts))


@st.composite
def graphs(draw, most=9, labels=2):
    count = draw(st.integers(1, most))
    inputs = [
        [source for source in range(position) if draw(st.booleans())] for position in range(count)
    ]
    return graph([draw(st.integers(1, labels)) for _ in range(count)], inputs)


@settings(max_examples=300, deadline=None)
@given(graphs(), st.data())
def test_the_order_of_the_nodes_makes_no_difference(architecture, data):
    priorities = data.draw(st.permutations(range(len(architecture.nodes))))
    other = reordered(architecture, topological(architecture, priorities))
    assert canonical(other) == canonical(architecture)
    assert canonical(other).digest == canonical(architecture).digest


@settings(max_examples=100, deadline=None)
@given(graphs(most=4), graphs(most=4))
def test_digests_are_equal_exactly_for_isomorphic_graphs(first, second):
    isomorphic = brute_force(first) == brute_force(second)
    assert (canonical(first).digest == canonical(second).digest) == isomorphic


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_the_canonical_graph_is_the_same_graph_in_topological_order(architecture):
    ordered = canonical(architecture)
    assert canonical(ordered) == ordered
    for position, node in enumerate(ordered.nodes):
        assert all(source < position for source in node.inputs)
        assert list(node.inputs) == sorted(node.inputs)
    assert ordered.outputs == (len(architecture.nodes) - 1,)
    if len(architecture.nodes) <= 5:
        assert brute_force(ordered) == brute_force(architecture)


@pytest.mark.parametrize(("count", "published"), [(1, 1), (2, 2), (3, 6), (4, 31), (5, 302)])
def test_there_are_as_many_digests_as_unlabelled_acyclic_graphs(count, published):
    # https://oeis.org/A003087; edges from earlier to later nodes make every acyclic graph
    pairs = [(later, earlier) for later in range(count) for earlier in range(later)]
    digests = set()
    for bits in product((False, True), repeat=len(pairs)):
        inputs = [[] for _ in range(count)]
        for (later, earlier), edge in zip(pairs, bits, strict=True):
            if edge:
                inputs[later].append(earlier)
        digests.add(canonical(graph([1] * count, inputs)).digest)
    assert len(digests) == published


def rings(*sizes):
    """Layers below and above; each above reads two below, and together they make rings."""
    below = sum(sizes)
    inputs = [[] for _ in range(below)]
    first = 0
    for size in sizes:
        inputs += [[first + i, first + (i + 1) % size] for i in range(size)]
        first += size
    return graph([1] * len(inputs), inputs)


def test_graphs_that_no_refinement_tells_apart():
    # every layer has two neighbours that look alike, in one ring of 12 as in two of 6
    assert canonical(rings(6)).digest != canonical(rings(3, 3)).digest


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(15)), st.sampled_from([(7,), (3, 4)]))
def test_layers_that_look_alike_may_stand_in_any_order(priorities, sizes):
    architecture = rings(*sizes)
    other = reordered(architecture, topological(architecture, priorities))
    assert canonical(other) == canonical(architecture)


def test_many_branches_that_are_alike_take_no_factorial_time():
    # 15 branches of two layers each have 15! symmetries
    branches = graph([1] * 30, [[] for _ in range(15)] + [[i] for i in range(15)])
    shuffled = reordered(branches, topological(branches, [(7 * i) % 31 for i in range(31)]))
    assert canonical(shuffled) == canonical(branches)


def test_outputs_and_settings_are_part_of_the_graph():
    nodes = (Node("C", (8, 3, 1), (-1,)), Node("C", (8, 3, 1), (-1,)), Node("SM", (10,), (0,)))
    both = [canonical(Architecture(nodes, outputs, {"rate": 0.1})) for outputs in ((0, 2), (1, 2))]
    # in one the layer that SM reads is an output, in the other the layer that nothing reads
    assert both[0] != both[1]
    assert all(len(each.outputs) == 2 and each.settings == {"rate": 0.1} for each in both)
    twins = (Node("C", (8, 3, 1), (-1,)), Node("C", (8, 3, 1), (-1,)), Node("SM", (10,), (0, 1)))
    assert canonical(Architecture(twins, (0, 2))) == canonical(Architecture(twins, (2, 1)))
