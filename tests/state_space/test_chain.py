"""MetaQNN's chain: the paper's rules, exact counts, and the settings' errors."""

import copy
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.agents.experience import read_experiences
from metaqnn.spaces import bind_space
from state_space import IllegalMove, count_architectures, enumerate_rows
from state_space.chain import ChainSpace
from state_space.limits import Limits
from state_space.notation import NotationError
from state_space.settings import SettingsError
from tests.helpers.spaces import TINY, make_space


@pytest.fixture(scope="module")
def cifar():
    return make_space("metaqnn-cifar10")


def options_after(space, *tokens):
    state = space.initial_state()
    for token in tokens:
        assert token in space.decision(state).options
        state = space.step(state, token)
    return space.decision(state).options


def kinds(options):
    return {token.partition("(")[0] for token in options}


def test_the_images_may_go_to_convolution_gap_or_termination(cifar):
    assert kinds(options_after(cifar)) == {"C", "GAP", "SM"}
    assert len(options_after(cifar)) == 12 + 2


def test_no_pooling_after_pooling(cifar):
    assert "P" in kinds(options_after(cifar, "C(64,3,1)"))
    assert "P" not in kinds(options_after(cifar, "C(64,3,1)", "P(2,2)"))


def test_fields_are_at_most_the_size_that_stands_for_the_bin(cifar):
    # 32 -> 16 -> 8: the largest bin; -> 4: fields up to 4; -> 2: fields of 1 only, no pooling
    to_8 = ["C(64,3,1)", "P(2,2)", "C(64,3,1)", "P(2,2)", "C(64,3,1)"]
    assert {"C(64,5,1)", "P(5,3)"} <= set(options_after(cifar, *to_8))
    to_4 = [*to_8, "P(2,2)", "C(64,3,1)"]
    assert {"C(64,3,1)", "P(3,2)", "P(2,2)"} <= set(options_after(cifar, *to_4))
    assert not {"C(64,5,1)", "P(5,3)"} & set(options_after(cifar, *to_4))
    to_2 = [*to_4, "P(2,2)", "C(64,1,1)"]
    assert kinds(options_after(cifar, *to_2)) == {"C", "FC", "GAP", "SM"}
    assert {"C(64,1,1)"} == {t for t in options_after(cifar, *to_2) if t.startswith("C(64")}


def test_fully_connected_only_from_the_two_smaller_bins_and_not_increasing(cifar):
    to_8 = ["C(64,3,1)", "P(2,2)", "C(64,3,1)", "P(2,2)"]
    assert "FC" not in kinds(options_after(cifar, *to_8))
    to_4 = [*to_8, "C(64,3,1)", "P(2,2)"]
    assert "FC" in kinds(options_after(cifar, *to_4))
    assert options_after(cifar, *to_4, "FC(256)") == ("FC(256)", "FC(128)", "SM(10)")
    assert options_after(cifar, *to_4, "FC(256)", "FC(256)") == ("SM(10)",)


def test_gap_counts_in_depth_and_is_followed_by_termination_only(cifar):
    assert options_after(cifar, "GAP(10)") == ("SM(10)",)
    assert options_after(cifar, *["C(64,1,1)"] * 17, "GAP(10)") == ("SM(10)",)
    assert options_after(cifar, *["C(64,1,1)"] * 18) == ("SM(10)",)


@pytest.mark.parametrize(
    ("name", "depth"), [("metaqnn-cifar10", 18), ("metaqnn-svhn", 12), ("metaqnn-mnist", 12)]
)
def test_depth_of_the_presets(name, depth):
    assert max(observation.depth for observation in enumerate_rows(make_space(name))) == depth


def test_bins():
    space = make_space("metaqnn-cifar10")
    state = space.initial_state()
    rows = [space.observation(state._replace(size=size)) for size in (32, 8, 7, 4, 3, 2, 1)]
    assert [row.size for row in rows] == [8, 8, 4, 4, 1, 1, 1]


tiny_settings = st.fixed_dictionaries(
    {
        "max-depth": st.integers(1, 4),
        "size-bins": st.sampled_from([[8, 4, 1], [4, 1], [1], [6, 3, 2, 1]]),
        "field-may-equal-bin": st.booleans(),
        "global-average-pooling": st.booleans(),
        "convolution": st.fixed_dictionaries(
            {
                "filters": st.sampled_from([[2], [2, 4]]),
                "fields": st.sampled_from([[1], [1, 3], [5]]),
                "strides": st.sampled_from([[1], [1, 2]]),
            }
        ),
        "pooling": st.fixed_dictionaries(
            {
                "windows": st.sampled_from([[], [[2, 2]], [[2, 2], [3, 1]]]),
                "may-come-first": st.booleans(),
                "may-follow-pooling": st.booleans(),
            }
        ),
        "fully-connected": st.fixed_dictionaries(
            {
                "units": st.sampled_from([[4], [8, 4]]),
                "max-layers": st.integers(0, 2),
                "max-size": st.just(1),
            }
        ),
    }
)


def brute_force_count(space, depth):
    """All sequences of tokens up to the depth, tried one by one."""
    body = [token for token in space.vocabulary["layer"] if not token.startswith("SM")]
    count = 0
    for length in range(depth + 1):
        for layers in product(body, repeat=length):
            try:
                space.architecture([*layers, "SM(10)"])
                count += 1
            except IllegalMove:
                pass
    return count


@settings(max_examples=30, deadline=None)
@given(tiny_settings, st.integers(1, 12))
def test_the_count_is_that_of_brute_force(mapping, size):
    space = ChainSpace(Limits.from_mapping(mapping), size, 10)
    depth = min(mapping["max-depth"], 3)
    mapping["max-depth"] = depth
    space = ChainSpace(Limits.from_mapping(mapping), size, 10)
    assert count_architectures(space) == brute_force_count(space, depth)


@settings(max_examples=100, deadline=None)
@given(tiny_settings, st.integers(1, 40))
def test_sizes_never_vanish(mapping, size):
    space = ChainSpace(Limits.from_mapping(mapping), size, 10)
    states = {space.initial_state()}
    for _ in range(5):
        assert all(state.size >= 1 for state in states)
        states = {
            space.step(state, token)
            for state in states
            if (decision := space.decision(state)) is not None
            for token in decision.options
        }


def test_a_count_by_hand():
    # depth 1: SM; C SM twice; GAP SM
    mapping = copy.deepcopy(TINY)
    mapping |= {"max-depth": 1, "convolution": {"filters": [2], "fields": [1, 3]}}
    assert count_architectures(bind_space(mapping, (1, 8, 8), 10)) == 4


def test_all_networks_of_the_2017_log_are_legal(real_data):
    log = real_data("metaqnn_log/replay_database.csv.gz")
    experiences = read_experiences(log, make_space("metaqnn-svhn"))
    assert len(experiences) == 1910
    assert len({walk for walk, _ in experiences}) == 1789
    assert sum(outcome.curve[0] > 0.1 for _, outcome in experiences) == 1026
    assert max(outcome.curve[0] for _, outcome in experiences) == pytest.approx(0.9532)


def test_parse_drops_dropout_and_batch_norm():
    space = make_space("metaqnn-svhn")
    assert space.parse("[C(64,3,1), BN, P(2,2), D(1,1), SM(10)]") == (
        "C(64,3,1)",
        "P(2,2)",
        "SM(10)",
    )


def test_parse_says_what_is_wrong():
    space = make_space("metaqnn-svhn")
    with pytest.raises(IllegalMove, match=r"position 1: P\(2,2\) is not allowed"):
        space.parse("[P(2,2), SM(10)]")
    with pytest.raises(NotationError, match="SM.100. has 100 classes, the data set has 10"):
        space.parse("[SM(100)]")


def test_settings_are_checked_as_a_whole():
    mapping = copy.deepcopy(TINY)
    mapping["max-dept"] = 3
    mapping["max-depth"] = 0
    mapping["convolution"]["fields"] = [2, 3]
    del mapping["fully-connected"]["units"]
    with pytest.raises(SettingsError) as error:
        Limits.from_mapping(mapping)
    message = str(error.value)
    assert "unknown key max-dept; did you mean max-depth?" in message
    assert "max-depth must be a whole number from 1 to 100, not 0" in message
    assert "convolution.fields must be a list of distinct odd numbers" in message
    assert "fully-connected.units is missing" in message


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        (None, "size-bins", [4, 8, 1]),
        (None, "size-bins", [8, 4]),
        (None, "field-may-equal-bin", 1),
        (None, "max-depth", True),
        ("convolution", "filters", []),
        ("convolution", "filters", [8, 8]),
        ("pooling", "windows", [[2]]),
        ("fully-connected", "max-size", 5),
    ],
)
def test_impossible_values_are_refused_by_name(table, key, value):
    mapping = copy.deepcopy(TINY)
    (mapping[table] if table else mapping)[key] = value
    with pytest.raises(SettingsError, match=f"{table}.{key}" if table else key):
        Limits.from_mapping(mapping)
