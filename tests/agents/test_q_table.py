"""Q-values by hand, against a plain reference, and through CSV."""

import gzip
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as save_arrays

from metaqnn.agents.legacy_table import load_q_table, read_q_table, to_legacy
from metaqnn.agents.q_frame import load_frame, table_frame
from metaqnn.agents.q_table import QTable
from metaqnn.errors import MetaqnnError
from metaqnn.testing import make_trial, sample_walks
from state_space import enumerate_rows, legal_walk, random_walk
from tests.helpers.agents import LONG, q_learning, q_of
from tests.helpers.spaces import make_space


def test_updates_by_hand():
    # alpha 0.1, gamma 1, everything 0.5: the reward 1.0 moves the last value to 0.55, which is
    # then the best of its row, so the one before moves to 0.505, and so on to 0.5005 and 0.50005
    table = QTable(make_space("tiny"), 0.5)
    table.sweep(table.trajectory(LONG), 1.0, alpha=0.1, gamma=1.0)
    expected = [0.50005, 0.5005, 0.505, 0.55]
    values = [q_of(table, *LONG[: n + 1]) for n in range(4)]
    assert values == pytest.approx(expected, abs=1e-15)


def test_a_value_that_falls_hands_the_best_of_its_row_to_another():
    # rewards 1, 0: the last value goes 0.5, 0.55, 0.495; the best of its row is then another's 0.5
    walk = ("C(2,3,1)", "P(2,2)", "SM(10)")
    table = QTable(make_space("tiny"), 0.5)
    table.sweep(table.trajectory(walk), 1.0, alpha=0.1, gamma=1.0)
    table.sweep(table.trajectory(walk), 0.0, alpha=0.1, gamma=1.0)
    assert q_of(table, *walk) == pytest.approx(0.495)
    assert q_of(table, *walk[:2]) == pytest.approx(0.505 + 0.1 * (0.5 - 0.505))


def test_gamma_discounts_later_values():
    table = QTable(make_space("tiny"), 0.5)
    table.sweep(table.trajectory(LONG), 1.0, alpha=0.1, gamma=0.9)
    assert q_of(table, *LONG[:3]) == pytest.approx(0.5 + 0.1 * (0.9 * 0.55 - 0.5))


def test_shaped_rewards_by_hand():
    # four moves have a quarter of the reward 1 each; alpha .1, gamma 1, everything 0.5. The last is
    # the only one of its row and falls to 0.475, so the one before goes towards 0.25 + 0.475, to
    # 0.5225, which is its row's best: towards 0.7725, to 0.52725; and towards 0.77725, to 0.527725
    expected = [0.527725, 0.52725, 0.5225, 0.475]
    for sweep in (QTable.sweep, partial(QTable.sweep_with_traces, trace=0.0, credit=0.0)):
        table = QTable(make_space("tiny"), 0.5)
        sweep(table, table.trajectory(LONG), 1.0, 0.1, 1.0, shaped=True)
        values = [q_of(table, *LONG[: n + 1]) for n in range(4)]
        assert values == pytest.approx(expected, abs=1e-15)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 100), st.booleans())
def test_shares_add_up_to_the_reward(seed, reward, traced):
    # with alpha 1 and nothing else known, the first Q-value is the reward, and the last its share
    space = make_space("tiny")
    walk = random_walk(space, np.random.default_rng(seed))
    table = QTable(space, -1e9)
    trajectory = table.trajectory(walk)
    if traced:
        table.sweep_with_traces(trajectory, reward, 1.0, 1.0, 1.0, 0.0, shaped=True)
    else:
        table.sweep(trajectory, reward, 1.0, 1.0, shaped=True)
    assert q_of(table, *walk[:1]) == pytest.approx(reward)
    assert q_of(table, *walk) == pytest.approx(reward / len(walk))


def reference_sweeps(space, experiences, alpha, gamma):
    """The update as the paper writes it: a dictionary, and the maximum searched each time."""
    q = {}
    for walk, reward in experiences:
        moves = [
            (space.observation(state), decision.options, token)
            for state, decision, token in legal_walk(space, walk)
        ]
        target = reward
        for observation, options, token in reversed(moves):
            row = q.setdefault(observation, dict.fromkeys(options, 0.5))
            row[token] += alpha * (target - row[token])
            target = gamma * max(row.values())
    return q


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), min_size=1, max_size=80),
    st.floats(0.001, 1),
    st.sampled_from([1.0, 0.9]),
)
def test_sweeps_equal_the_plain_reference_to_the_last_bit(draws, alpha, gamma):
    space = make_space("tiny")
    experiences = [
        (random_walk(space, np.random.default_rng(seed)), reward) for seed, reward in draws
    ]
    table, traced = QTable(space, 0.5), QTable(space, 0.5)
    for walk, reward in experiences:
        table.sweep(table.trajectory(walk), reward, alpha, gamma)
        traced.sweep_with_traces(traced.trajectory(walk), reward, alpha, gamma, 0.0, 0.0)
    np.testing.assert_allclose(traced.q, table.q, rtol=1e-12)  # without traces it is the same
    expected = reference_sweeps(space, experiences, alpha, gamma)
    assert set(table.rows) == set(expected)
    for observation, row in table.rows.items():
        values = table.q[table.first[row] : table.first[row + 1]]
        assert values.tolist() == list(expected[observation].values())


def learnt_table(name="tiny", walks=60):
    space = make_space(name)
    table = QTable(space, 0.5)
    generator = np.random.default_rng(0)
    for _ in range(walks):
        trajectory = table.trajectory(random_walk(space, generator))
        table.visit(trajectory)
        table.sweep(trajectory, generator.random(), 0.1, 1.0)
    return table


@pytest.mark.parametrize("name", ["tiny", "digits", "metaqnn-cifar10"])
def test_a_table_goes_through_csv_without_loss(name, tmp_path):
    table = learnt_table(name)
    frame = table_frame(table)
    text = frame.to_csv(index=False)
    (tmp_path / "q.csv").write_text(text)
    back = read_q_table(tmp_path / "q.csv")
    pd.testing.assert_frame_equal(back, frame, check_exact=True)
    again = QTable(table.space, 0.5)
    load_frame(again, back)
    pd.testing.assert_frame_equal(
        table_frame(again).drop(columns="visits"), frame.drop(columns="visits"), check_exact=True
    )


def test_the_order_of_the_rows_does_not_matter_to_a_load():
    table = learnt_table()
    again = QTable(table.space, 0.5)
    load_frame(again, table_frame(table).sample(frac=1, random_state=1))
    observation = next(iter(table.rows))
    for loaded, known in [(again, table)]:
        for observation in known.rows:
            a, b = loaded.rows[observation], known.rows[observation]
            assert (
                loaded.q[loaded.first[a] : loaded.first[a + 1]].tolist()
                == known.q[known.first[b] : known.first[b + 1]].tolist()
            )
            assert loaded._best[a] == known._best[b]


def test_the_frame_has_the_fields_of_state_and_action_and_counts_visits():
    table = QTable(make_space("tiny"), 0.5)
    for _ in range(3):
        table.visit(table.trajectory(LONG))
    frame = table_frame(table)
    row = frame[(frame["layer"] == "start") & (frame["action"] == "C(2,3,1)")].iloc[0]
    fields = ["depth", "size", "action_layer", "action_filters", "action_field"]
    assert row[fields].tolist() == [0, 8, "C", 2, 3]
    assert row["visits"] == 3
    assert frame["visits"].sum() == 12


def test_rows_of_another_space_are_refused_with_their_line():
    frame = table_frame(learnt_table())
    with pytest.raises(MetaqnnError, match=r"line \d+ of the Q-table: .* is not in this space"):
        load_frame(QTable(make_space("metaqnn-svhn"), 0.5), frame)
    with pytest.raises(MetaqnnError, match="no column q"):
        load_frame(QTable(make_space("tiny"), 0.5), frame.drop(columns="q"))
    frame.loc[3, "q"] = np.nan
    with pytest.raises(MetaqnnError, match="line 5 of the Q-table: q is nan"):
        load_frame(QTable(make_space("tiny"), 0.5), frame)


def test_values_of_another_number_are_refused():
    table = learnt_table()
    with pytest.raises(ValueError, match="3 Q-values for a table of"):
        table.set_values(np.zeros(3))


def test_the_layout_of_2017_comes_back():
    table = learnt_table("metaqnn-svhn", 300)
    legacy = to_legacy(table_frame(table))
    again = QTable(table.space, 0.5)
    load_q_table(again, legacy)
    assert again.rows.keys() == table.rows.keys()
    for observation, row in table.rows.items():
        other = again.rows[observation]
        assert (
            again.q[again.first[other] : again.first[other + 1]].tolist()
            == table.q[table.first[row] : table.first[row + 1]].tolist()
        )


def test_the_real_table_of_2017(real_data):
    file = real_data("metaqnn_log/q_values.csv.gz")
    with gzip.open(file, "rt") as lines:
        written = pd.read_csv(lines)
    space = make_space("metaqnn-svhn")
    table = QTable(space, 0.5)
    load_q_table(table, written)
    start = table_frame(table).query("layer == 'start'").set_index("action")["q"]
    # two values read off the file by eye
    assert start["GAP(10)"] == pytest.approx(0.100012307153)
    assert start["SM(10)"] == pytest.approx(0.100006919222)
    # the file has every row of the space, but for the convolutions that only the paper allows: the
    # code wants a field to be smaller than the size that stands for the bin, so none at size 1
    missing = enumerate_rows(space).keys() - table.rows.keys()
    assert missing == {
        row for row in enumerate_rows(space) if (row.layer, row.field, row.size) == ("C", 1, 1)
    }
    # every learnt value of the file is in the table, in the columns of the file
    columns = [name for name in written if "split" not in name]
    assert columns == list(to_legacy(table_frame(table)).columns)
    keys = [name for name in columns if name != "utility"]
    merged = written.merge(to_legacy(table_frame(table)), on=keys, suffixes=("_file", "_table"))
    assert (merged["utility_file"] == merged["utility_table"]).all()
    learnt = written[written["utility"] != 0.5]
    assert len(merged[merged["utility_file"] != 0.5]) == len(learnt)


def visit_blocks(networks):
    """A table of blocks of up to 23 layers, of which there are 2.5 million pairs."""
    space = make_space("block-qnn-cifar")
    agent = q_learning(space)
    for number, walk in enumerate(sample_walks(space, networks)):
        agent.tell(make_trial(number, walk, space), 0.5 + number / 100)
    return agent


def test_files_and_snapshots_hold_what_was_visited():
    agent = visit_blocks(5)
    pairs = set()
    for walk in sample_walks(agent.space, 5):
        pairs |= {(state, token) for state, _, token in legal_walk(agent.space, walk)}
    frame = table_frame(agent.table)
    assert len(frame) == len(pairs) <= 5 * 24
    assert len(agent.snapshot()) < 30_000
    again = QTable(agent.space, 0.5)
    load_frame(again, frame)
    pd.testing.assert_frame_equal(table_frame(again), frame, check_exact=True)


def test_older_snapshots_hold_all_options_of_the_rows_that_were_met():
    agent = visit_blocks(3)
    others = np.frombuffer(agent.known.snapshot(agent.generator), dtype=np.uint8)
    older = save_arrays({"q": agent.table.q, "others": others})
    history = [
        (make_trial(number, walk, agent.space), 0.5 + number / 100)
        for number, walk in enumerate(sample_walks(agent.space, 3))
    ]
    for snapshot in (older, agent.snapshot()):
        restored = q_learning(agent.space)
        restored.restore(snapshot, history)
        assert restored.table.q.tolist() == agent.table.q.tolist()
        assert restored.ask() == visit_blocks(3).ask()
