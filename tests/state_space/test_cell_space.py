"""Cells and networks of them: published counts, laws of their texts, every network built."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn import load, testing
from metaqnn.agents.progressive import Progressive, ProgressiveOptions
from metaqnn.cli import main
from metaqnn.data.images import Images
from metaqnn.errors import MetaqnnError
from metaqnn.models.formats import FORMATS, export, load_network
from metaqnn.networks.build import Network
from metaqnn.networks.cost import place_ops, total_cost
from metaqnn.networks.named import NAMED
from metaqnn.spaces import bind_space, read_space
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from state_space import IllegalMove, count_architectures, random_walk, scaled, stage_of
from state_space.cell_designs import NASNET_A, NASNET_A_FIGURE, PNASNET_5
from state_space.cell_genotype import Block, Half, genotype, read_cells, unread
from state_space.cell_network import LARGE, Skeleton, cell_network
from state_space.notation import NotationError
from tests.helpers.networks import CLASSES
from tests.helpers.spaces import make_space

PRESETS = ("nasnet-cifar10", "nasnet-small", "pnas-cifar10")

NORMS = {"RC": 1, "DC": 1, "PB": 1, "FR": 1, "LB": 1, "VB": 1, "SC": 2}
"""Batch norms of a layer, all of its output's size: published multiply-adds leave them out."""


def cells(**keys):
    made = {"space": "cell", "blocks": 2, "repeats": 2, "filters": 8, **keys}
    return bind_space(made, (3, 32, 32), 10)


def published_counts(architecture, shape):
    """Parameters, and multiply-adds without those of norms."""
    ops = place_ops(architecture, shape)
    normed = sum(
        NORMS.get(node.op, 0) * math.prod(op.cost.shape)
        for node, op in zip(architecture.expanded.nodes, ops, strict=True)
    )
    multiply_adds = sum(op.cost.multiply_adds for op in ops)
    return sum(op.cost.parameters for op in ops), multiply_adds - normed


@pytest.mark.parametrize(
    ("name", "shape", "width", "parameters", "multiply_adds"),
    [
        ("nasnet-a", (3, 32, 32), 768, 3_346_538, 544_333_312),
        ("nasnet-a-figure", (3, 32, 32), 640, 3_076_906, None),
        ("nasnet-a-mobile", (3, 224, 224), 1056, 5_289_978, 563.64e6),
        ("nasnet-a-large", (3, 331, 331), 4032, 88_753_150, 23.783e9),
        ("pnasnet-5", (3, 32, 32), 960, 3_189_082, 574.9e6),
        # 5,064,455 is also told, where 27 filters are made by two times 13: 32 weights are missing
        ("pnasnet-5-mobile", (3, 224, 224), 1080, 5_064_455 + 32, 587.3e6),
        ("pnasnet-5-large", (3, 331, 331), 4320, 86_057_668, 24.94e9),
    ],
)
def test_named_networks_have_the_published_counts(name, shape, width, parameters, multiply_adds):
    architecture = NAMED[name]()
    found = published_counts(architecture, shape)
    assert found[0] == parameters
    if isinstance(multiply_adds, int):
        assert found[1] == multiply_adds
    elif multiply_adds:  # published with four or five digits
        assert found[1] == pytest.approx(multiply_adds, rel=2e-4)
    assert place_ops(architecture, shape)[-2].cost.shape == (width,)


@pytest.mark.parametrize(
    ("design", "skeleton", "classes", "parameters"),
    [
        (NASNET_A, Skeleton(6, 32), 100, 3_415_748),
        (NASNET_A, Skeleton(2, 32), 10, 1_294_698),
        (NASNET_A, Skeleton(2, 24), 10, 757_906),
        (NASNET_A, Skeleton(2, 16), 10, 363_194),
        (PNASNET_5, Skeleton(2, 24, counts_reductions=True), 10, 559_090),
    ],
)
def test_other_sizes_have_the_published_counts(design, skeleton, classes, parameters):
    first, *_, last = [*design.values()] * 2 if len(design) == 1 else [*design.values()]
    architecture = cell_network(first, last, skeleton, classes)
    assert total_cost(architecture, (3, 32, 32)).parameters == parameters


@pytest.mark.parametrize("name", ["nasnet-a-mobile", "nasnet-a-large"])
def test_mobile_and_large_networks_take_1001_classes(name):
    counts = {"nasnet-a-mobile": 5_291_035, "nasnet-a-large": 88_757_183}
    network = NAMED[name]()
    width = {"nasnet-a-mobile": 1056, "nasnet-a-large": 4032}[name]
    parameters = total_cost(network, (3, 224, 224)).parameters
    assert parameters + width + 1 == counts[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "skeleton", "shape"),
    [
        (NASNET_A, Skeleton(2, 16), (3, 32, 32)),
        (PNASNET_5, Skeleton(2, 24, counts_reductions=True), (3, 32, 32)),
        (NASNET_A, Skeleton(1, 8, stem=LARGE, skips=True), (3, 75, 75)),
        (PNASNET_5, Skeleton(1, 11, stem=LARGE, counts_reductions=True), (1, 75, 75)),
    ],
)
def test_small_ones_run_forward_and_backward(design, skeleton, shape):
    first, *_, last = [*design.values()] * 2 if len(design) == 1 else [*design.values()]
    network = Network(
        cell_network(first, last, skeleton, 10), shape, torch.Generator().manual_seed(0)
    )
    network(torch.randn(4, *shape)).logsumexp(1).sum().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in network.parameters())


def test_the_large_one_is_made_and_counted_in_a_fifth_of_a_second():
    def seconds():
        start = time.perf_counter()
        total_cost(NAMED["nasnet-a-large"](), (3, 331, 331))
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.2


def test_cells_by_hand():
    text = "normal: 0 sep3 + 1 id | reduction: 0 max3 & 1 avg3, 2 conv3 + 0 id -> 1,2,3"
    designs = read_cells(text)
    network = cell_network(designs["normal"], designs["reduction"], Skeleton(1, 4, reductions=1), 7)
    # one state makes a normal cell as wide as F, so that the next one takes it as it is
    assert network.text == (
        "[LB(12,3,1), NormalRaw(4)@0,0, Reduction(8)@1,0, NormalLarger(8)@2,1, RELU, AVG, SM(7)] "
        "where NormalLarger(F) = [RC(F,1,1,1,1), RELU@-2, FR(F), SC(F,3,1)@0, ID@2, ADD@3,4] "
        "where NormalRaw(F) = [RC(F,1,1,1,1), ID@-2, SC(F,3,1)@0, RC(F,1,1,1,1)@1, ADD@2,3] "
        "where Reduction(F) = [RC(F,1,1,1,1), RC(F,1,1,1,1)@-2, MP(3,3,2,2)@0, AP(3,3,2,2)@1, "
        "CAT@2,3, RC(F,3,3,1,1), RC(F,1,1,2,2)@0, ADD@5,6, FR(F)@1, PB(F)@4] -> 8,9,7"
    )
    again = cell_network(designs["normal"], designs["reduction"], Skeleton(3, 4, reductions=1), 7)
    assert [node.text for node in again.nodes[1:4]] == [
        "NormalRaw(4)",
        "Normal(4)",
        "NormalEqual(4)",
    ]
    assert again.cells["NormalEqual"].nodes[1].text == "ID"


def previous(network):
    """What every cell reads first and second, by position; the stem is 0."""
    return [node.inputs for node in network.nodes if node.op in network.cells]


def test_which_outputs_cells_read():
    design = tuple(NASNET_A.values())
    # stem, cell, reduction, cell: behind the reduction of 1 stand 2 and 1
    assert previous(cell_network(*design, Skeleton(1, 4, reductions=1), 10)) == [
        (0, 0),
        (1, 0),
        (2, 1),
    ]
    # the large NASNet-A reads there what the reduction read second
    skipping = Skeleton(1, 4, reductions=1, skips=True)
    assert previous(cell_network(*design, skipping, 10)) == [(0, 0), (1, 0), (2, 0)]
    # PNASNet's reductions stand among the cells; the large stem has two more
    counting = Skeleton(2, 4, reductions=1, stem=LARGE, counts_reductions=True)
    network = cell_network(*design, counting, 10)
    assert [node.op for node in network.nodes[:-3]] == [
        "VB",
        "ReductionRaw",
        "ReductionLarger",
        "NormalLarger",
        "Normal",
        "Reduction",
        "NormalLarger",
    ]
    assert [node.args for node in network.nodes[1:-3]] == [(2,), (2,), (4,), (4,), (8,), (8,)]
    assert all(one[1] == before[0] for before, one in pairwise(previous(network)))


def test_published_cells_are_what_their_figures_show():
    # in all but the code's own lists of outputs
    for drawn, coded in zip(NASNET_A_FIGURE.values(), NASNET_A.values(), strict=True):
        assert drawn.blocks == coded.blocks
        assert drawn.outputs == unread(drawn.blocks) != coded.outputs
    assert NASNET_A_FIGURE["normal"].outputs == (2, 3, 4, 5, 6)
    assert NASNET_A_FIGURE["reduction"].outputs == (4, 5, 6)


def test_sizes_of_the_spaces_as_published():
    pnas = make_space("pnas-cifar10")
    # |B_b| of the paper, sec. 3: one cell has one of each
    assert [count_architectures(pnas, stage) for stage in range(5)] == [
        math.prod([256, 576, 1024, 1600, 2304][: stage + 1]) for stage in range(5)
    ]
    assert not pnas.grows(4)
    assert math.prod([256, 576, 1024, 1600, 2304]) == pytest.approx(5.6e14, rel=0.01)
    one_block = [
        (f"reads:{a}", f"reads:{b}", f"operation:{c}", f"operation:{d}")
        for a in range(2)
        for b in range(2)
        for c in pnas.settings.operations
        for d in pnas.settings.operations
    ]
    assert len({pnas.architecture(walk).digest for walk in one_block}) == 136
    nasnet = make_space("nasnet-cifar10")
    assert nasnet.size() == math.prod((b + 1) ** 2 * 13**2 * 2 for b in range(1, 6)) ** 2


@st.composite
def cell_blocks(draw):
    names = st.sampled_from(["id", "conv1", "sep3", "avg3"])
    return tuple(
        Block(
            *(Half(draw(st.integers(0, 1 + number)), draw(names)) for _ in range(2)),
            draw(st.sampled_from(["add", "concat"])),
        )
        for number in range(draw(st.integers(1, 5)))
    )


@settings(max_examples=150, deadline=None)
@given(cell_blocks(), st.booleans(), st.randoms(use_true_random=False))
def test_a_cell_is_the_same_in_any_order_of_blocks_and_halves(blocks, strided, random):
    found = genotype(blocks, strided=strided)
    assert genotype(found.blocks, strided=strided) == found
    assert read_cells(f"cell: {found.text}") == {"cell": found}
    # another topological order of the blocks
    order, left = [], list(range(len(blocks)))
    while left:
        ready = [
            one
            for one in left
            if all(half.reads < 2 or half.reads - 2 in order for half in blocks[one].halves)
        ]
        order.append(random.choice(ready))
        left.remove(order[-1])
    states = {0: 0, 1: 1} | {2 + old: 2 + new for new, old in enumerate(order)}
    other = []
    for old in order:
        halves = [half._replace(reads=states[half.reads]) for half in blocks[old].halves]
        random.shuffle(halves)
        other.append(Block(*halves, blocks[old].join))
    assert genotype(tuple(other), strided=strided) == found


def test_a_strided_identity_is_a_convolution_and_no_other_network():
    space = cells(blocks=1, joins=["add"])
    one, other = (
        space.parse(f"normal: 0 id + 1 sep3 | reduction: 0 {name} + 1 max3")
        for name in ("id", "conv1")
    )
    assert one != other
    assert space.architecture(one) == space.architecture(other)
    assert space.text(one) == space.text(other)
    assert space.architecture(
        space.parse("normal: 0 conv1 + 1 sep3 | reduction: 0 id + 1 max3")
    ) != (space.architecture(one))


@pytest.mark.parametrize("stage", [1, 4])
def test_the_laws_of_spaces_at_later_stages(stage):
    space = make_space("pnas-cifar10")
    walks = testing.sample_walks(space, 20, stage=stage)
    testing.check_texts(space, walks)
    testing.check_refusals(space, walks)
    testing.check_ops(space, walks)
    assert {stage_of(space, walk) for walk in walks} == {stage}


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"cells": 1, "counts-reductions": True, "repeats": 1},
        {"stem": "large", "blocks": 3, "skips-reductions": True, "filters": 5},
        {"blocks": 1, "joins": ["concat"], "reductions": 1},
        {"cells": 1, "growth": 2, "max-blocks": 4, "operations": ["id", "conv1"]},
    ],
)
def test_the_laws_of_spaces_hold_for_other_settings(keys):
    space = cells(**keys)
    walks = testing.sample_walks(space, 15)
    testing.check_refusals(space, walks)
    testing.check_rows(space, walks)
    for walk in walks:
        architecture = space.architecture(walk)
        for text in (space.text(walk), architecture.text):
            assert space.architecture(space.parse(text)) == architecture
    for walk in walks[:2]:
        architecture = space.architecture(walk)
        shape = (3, 20, 17) if "stem" in keys else (3, 9, 7)
        network = Network(architecture, shape, torch.Generator().manual_seed(0))
        network(torch.randn(2, *shape)).square().sum().backward()
        assert all(weights.grad is not None for weights in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed", "stage"),
    [("nasnet-cifar10", 0, 0), ("nasnet-small", 1, 0), ("pnas-cifar10", 2, 3)],
)
def test_networks_train_and_export_to_every_format(name, seed, stage, tmp_path):
    space = scaled(make_space(name), {"repeats": 1, "filters": 4})
    shape = (1, 8, 8)
    architecture = space.architecture(random_walk(space, np.random.default_rng(seed), stage))
    drawn = np.random.default_rng(seed)
    pixels = torch.from_numpy(drawn.integers(0, 256, (40, *shape), np.uint8))
    images = Images(pixels, torch.arange(40) % 10, CLASSES)
    recipe = Recipe(epochs=1, batch_size=40, restart_below=0)
    outcome = train(architecture, images, images, recipe, 0, keep_above=-1.0)
    (tmp_path / "trained.safetensors").write_bytes(outcome.weights)
    trained, facts = load_network(tmp_path / "trained.safetensors")
    scores = []
    for suffix in FORMATS:
        export(trained, facts, tmp_path / f"net{suffix}")
        exported = load(tmp_path / f"net{suffix}", trust=True)
        scores.append(exported.scores(pixels.numpy()))
        assert np.abs(scores[-1] - scores[0]).max() < 1e-5, suffix


def test_the_scale_is_repeats_and_filters():
    space = make_space("nasnet-small")
    walk = random_walk(space, np.random.default_rng(0))
    larger = scaled(space, {"repeats": 3, "filters": 12})
    network = larger.architecture(walk)
    assert network == space.architecture(walk, {"repeats": 3, "filters": 12})
    assert sum(node.op.startswith("Normal") for node in network.nodes) == 9
    assert [node.args for node in network.nodes if node.op.startswith("Reduction")] == [
        (24,),
        (48,),
    ]
    assert larger.parse(network.text) == space.parse(space.architecture(walk).text)
    # a factorised reduction needs two filters, so that there is no narrower network
    assert space.architecture(walk, {"filters": 1}) == space.architecture(walk, {"filters": 2})


@pytest.mark.parametrize("name", PRESETS)
def test_starts_are_published_cells(name):
    space = make_space(name)
    (start,) = space.starts()
    design = PNASNET_5 if name.startswith("pnas") else NASNET_A_FIGURE
    made = read_cells(space.text(start))
    assert made.keys() == design.keys()
    for cell in design:
        blocks = design[cell].blocks[: space.settings.blocks]
        assert made[cell] == genotype(blocks, strided=cell == "reduction")
    assert space.architecture(space.parse(space.text(start))) == space.architecture(start)
    # none where an operation is missing
    assert cells(operations=["id", "sep3"]).starts() == ()


def stages_of(space, beam, networks):
    """Those of the networks that progressive proposes."""
    agent = Progressive(space, 0, ProgressiveOptions(beam=beam))
    stages = []
    for number in range(networks):
        proposal = agent.ask()
        stages.append(proposal.stage)
        trial = testing.make_trial(number, proposal.walk, space, stage=proposal.stage)
        agent.tell(trial, proposal.walk.count("operation:sep3") / len(proposal.walk))
        assert stage_of(space, proposal.walk) == proposal.stage
    return stages


def test_progressive_grows_cells_from_one_block_to_five():
    stages = stages_of(make_space("pnas-cifar10"), 3, 16)
    assert stages == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 4


def test_progressive_goes_on_behind_a_stage_with_fewer_networks_than_the_beam():
    keys = {"cells": 1, "blocks": 1, "growth": 1, "max-blocks": 2, "joins": ["add"]}
    # two inputs and two operations make four halves, and those ten pairs
    space = cells(operations=["id", "sep3"], **keys)
    assert stages_of(space, 12, 15) == [0] * 10 + [1] * 5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("normal: 0 sep3 + 1 id", "the cells of this space are normal | reduction, not normal"),
        ("normal 0 sep3", "'normal 0 sep3' is no cell, such as normal: 0 sep3 + 1 id"),
        ("normal: 0 sep3 - 1 id | reduction: 0 id + 0 id", "'0 sep3 - 1 id' is no block"),
        ("normal: 0 sep4 + 1 id | reduction: 0 id + 0 id", "there is no operation 'sep4', only id"),
        (
            "normal: 0 id + 2 id | reduction: 0 id + 0 id",
            "block 2 reads 2, and not an earlier state",
        ),
        (
            "normal: 0 id + 1 id, 0 id + 0 id -> 2 | reduction: 0 id + 0 id, 0 id + 0 id",
            "the output of a cell are the states that no block reads; of normal 2,3, and no others",
        ),
        (
            "normal: 0 id + 1 id -> 2,2 | reduction: 0 id + 0 id",
            "must be distinct states from 0 to 2",
        ),
        ("normal: 0 id + 1 id | reduction: 0 id + 0 id", "normal has 1 of the 2 blocks of a cell"),
        (
            "normal: 0 max7 + 1 id, 0 id + 0 id | reduction: 0 id + 0 id, 0 id + 0 id",
            "max7 is not al",
        ),
        ("[C(8,3,1), SM(10)]", "is not a network of this space: there is no cell Normal"),
        ("[N(8), SM(10)] where N(F) = [PB(F)]", "there is no cell Normal, only N"),
        (
            "[Normal(8)@-1,-1, SM(10)] where Normal(F) = [PB(F), PB(F)@-2, SE(2)@0, ADD@2,1]",
            "is not a network of this space",
        ),
    ],
)
def test_texts_that_are_no_networks_are_refused(text, problem):
    space = cells(operations=["id", "sep3", "conv1"])
    with pytest.raises((NotationError, IllegalMove)) as error:
        space.parse(text)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"blocks": 0}, "blocks must be a whole number from 1 to 20, not 0"),
        ({"operations": ["sep3"]}, "operations must be a list of two or more of id, conv1x3,"),
        ({"operations": ["sep3", "sep9"]}, "operations must be a list of two or more of id,"),
        ({"joins": ["sum"]}, "joins must be a list of add or concat, not ['sum']"),
        ({"growth": 1}, "growth must be 0 where cells is 2"),
        (
            {"cells": 1, "growth": 1, "max-blocks": 1},
            "max-blocks must be at least blocks, 2, not 1",
        ),
        ({"stem": "huge"}, "stem must be small or large, not 'huge'"),
        ({"filter": 3}, "unknown key filter; did you mean filters?"),
    ],
)
def test_impossible_files_are_refused(keys, problem):
    with pytest.raises(MetaqnnError) as error:
        cells(**keys)
    assert problem in str(error.value)


def test_networks_are_shown_and_refused_by_name():
    done = CliRunner().invoke(main, ["show", "nasnet-a", "--input", "3x32x32"])
    assert done.exit_code == 0, done.output
    assert "3,346,538" in done.output
    done = CliRunner().invoke(main, ["show", "nasnet"])
    assert (done.exit_code, done.output) == (
        2,
        "Error: there is no network 'nasnet'; did you mean nasnet-a?\n",
    )


def test_presets_are_what_their_papers_say():
    nasnet, pnas = (bind_space(read_space(name), (3, 32, 32), 10).settings for name in PRESETS[::2])
    assert (nasnet.blocks, len(nasnet.operations), nasnet.joins) == (5, 13, ("add", "concat"))
    assert (pnas.max_blocks, len(pnas.operations), pnas.joins) == (5, 8, ("add",))
