"""Drop path and the auxiliary head: there while a network is trained, and nowhere else."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors
from torch.nn.functional import cross_entropy

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.errors import MetaqnnError
from metaqnn.networks.build import Network
from metaqnn.networks.cost import total_cost
from metaqnn.networks.notation import read
from metaqnn.training.auxiliary import AuxiliaryHead
from metaqnn.training.drop_path import DropPath
from metaqnn.training.epochs import Steps
from metaqnn.training.loop import train
from metaqnn.training.recipe import Recipe
from metaqnn.training.scaffold import NONE, Branch, Scaffold, drop_paths, find_branch
from metaqnn.training.speed import Speed
from state_space.cell_designs import NASNET_A
from state_space.cell_network import Skeleton, cell_network

CELLS = (
    # of the cell's nodes, 0 is a squeeze, which several read, 3 a sum, and 4 an identity
    "where N(F) = [CB(F,1,1,1,1), CB(F,3,3,1,1), AP(3,3,1,1)@0, ADD@1,2, ID@0, CB(F,1,1,1,1)@-2, "
    "ADD@4,5, ADD@3,6, CAT@3,7] "
    "where R(F) = [CB(F,3,3,2,2), MP(3,3,2,2)@-1, CB(F,1,1,1,1), ADD@0,2]"
)
NETWORK = f"[CB(4,3,3,1,1), N(4)@0,0, N(4)@1,0, R(8)@2,1, N(8)@3,3, R(16)@4,3, AVG, SM(10)] {CELLS}"

BRANCH = Branch(31, (16, 4, 4))


@pytest.fixture(scope="module")
def digits():
    return load_split(DataOptions(train_limit=300))


def built(text=NETWORK, seed=0):
    return Network(read(text), (1, 8, 8), torch.Generator().manual_seed(seed))


def test_paths_and_ratios_by_hand():
    expected = [
        *((place, 1 / 5) for place in (2, 3, 6)),
        *((place, 2 / 5) for place in (11, 12, 15)),
        *((place, 3 / 5) for place in (19, 21)),
        *((place, 4 / 5) for place in (24, 25, 28)),
        *((place, 5 / 5) for place in (32, 34)),
    ]
    assert drop_paths(read(NETWORK)) == tuple(expected)
    for text in (
        "[C(4,3,1), ADD@0, SM(10)]",  # in no cell
        "[A, SM(10)] where A = [C(4,3,1), C(4,3,1)]",  # no sum
        "[A, SM(10)] where A = [C(4,3,1), C(4,3,1), ID@0, ADD@1,2, CAT@1,3]",  # what others read
    ):
        assert drop_paths(read(text)) == ()
    nested = "[A(2), A(3)] where A(F) = [B(F), B(F)@-1, ADD] where B(F) = [C(F,3,1), C(F,1,1)@-1]"
    assert drop_paths(read(nested.replace("ADD", "ADD@0,1"))) == (
        (1, 0.5),
        (3, 0.5),
        (6, 1),
        (8, 1),
    )


def test_a_cell_that_drops_nothing_does_not_count():
    text = "[Q(4), A(4), Q(8), A(8)] where Q(F) = [C(F,1,1)] where A(F) = [ID, C(F,3,1), ADD@0,1]"
    assert drop_paths(read(text)) == ((2, 0.5), (6, 1.0))


def test_the_chance_by_hand():
    """1 - step/steps x ratio x (1 - keep): slim's two rules, one after the other."""
    network = built()
    paths = DropPath(network, [(2, 0.2), (32, 1.0)], 0.6, torch.Generator())
    chances = {}
    for progress in (0.0, 0.5, 1.0):
        paths.progress.fill_(progress)
        chances[progress] = paths.keeps().flatten().tolist()
    assert chances[0.0] == [1, 1]
    assert chances[0.5] == pytest.approx([0.96, 0.8])
    assert chances[1.0] == pytest.approx([0.92, 0.6])


def test_whole_images_are_dropped_and_the_mean_stays():
    network = built(
        "[A, SM(10)] where A = [ID, CB(4,3,3,1,1), ADD@0,1]".replace("ID", "CB(4,1,1,1,1)")
    )
    images = torch.randn(1, 1, 8, 8).expand(4000, -1, -1, -1)
    whole, dropped = [], []
    network.layers[1].register_forward_hook(lambda *call: whole.append(call[2].detach()))
    paths = DropPath(network, [(1, 1.0)], 0.6, torch.Generator().manual_seed(1))
    network.layers[1].register_forward_hook(lambda *call: dropped.append(call[2].detach()))
    for progress in (0.0, 0.5, 1.0):
        paths.progress.fill_(progress)
        network(images)
        keep = 1 - 0.4 * progress
        kept = dropped[-1].abs().sum((1, 2, 3)) > 0
        assert torch.equal(dropped[-1][~kept], torch.zeros_like(dropped[-1][~kept]))
        assert torch.allclose(dropped[-1][kept] * keep, whole[-1][kept])
        noise = math.sqrt(keep * (1 - keep) / len(images))
        assert abs(kept.float().mean() - keep) <= 4 * noise
    network.eval()
    network(images)
    assert torch.equal(dropped[-1], whole[-1])


def test_every_image_and_path_has_a_chance_of_its_own():
    network = built()
    paths = DropPath(
        network, drop_paths(network.architecture), 0.01, torch.Generator().manual_seed(1)
    )
    paths.progress.fill_(1.0)
    seen = {}
    for place in (32, 34):
        network.layers[place].register_forward_hook(
            lambda *call, place=place: seen.update({place: call[2].abs().sum((1, 2, 3)) > 0})
        )
    network(torch.randn(3000, 1, 8, 8))
    assert 0 < seen[32].sum() < 100 and 0 < seen[34].sum() < 100
    assert not torch.equal(seen[32], seen[34])


def test_the_steps_go_by(digits):
    recipe = Recipe(keep_path=0.6, epochs=3, batch_size=60)
    network = built()
    scaffold = Scaffold.of(network.architecture, network.architecture, recipe, (1, 8, 8))
    steps = Steps(network, digits[0], recipe, 1.0, torch.Generator(), Speed(), 1, scaffold)
    seen = []
    step = steps.step
    steps.step = lambda batch: (seen.append(float(steps.paths.progress)), step(batch))
    for epoch in range(3):
        steps.epoch(epoch, None)
    assert seen == pytest.approx([number / 12 for number in range(12)])


def test_dropout_moves_the_paths_along():
    network = read(
        NETWORK.replace("[CB(4,3,3,1,1), N", "[P(1,1), P(1,1), N").replace("@0,0", "@1,1")
    )
    recipe = Recipe(keep_path=0.5, auxiliary=0.4)
    dressed = recipe.dress(network)
    assert [node.op for node in dressed.nodes[:3]] == ["P", "P", "D"]
    scaffold = Scaffold.of(network, dressed, recipe, (1, 8, 8))
    bare = Scaffold.of(network, network, recipe, (1, 8, 8))
    assert scaffold.paths == tuple((place + 1, ratio) for place, ratio in bare.paths)
    assert scaffold.branch == Branch(bare.branch.position + 1, bare.branch.shape)


def test_the_branch_is_before_the_last_reduction():
    assert find_branch(read(NETWORK), (1, 8, 8)) == BRANCH
    chain = read("[C(4,3,2), C(6,3,1), P(2,2), C(4,3,1), SM(10)]")
    assert find_branch(chain, (3, 16, 16)) == Branch(1, (6, 8, 8))
    for text in ("[C(4,3,2), C(6,3,1), SM(10)]", "[C(4,3,2), AVG, SM(10)]"):
        with pytest.raises(MetaqnnError, match="has none behind its first layer"):
            find_branch(read(text), (3, 16, 16))


# 1x1 convolution and norm, full-size convolution and norm, fully connected layer
@pytest.mark.parametrize(
    ("shape", "classes", "parameters"),
    [
        # CIFAR-10 and mobile of Zoph et al. 2018: 16x16 and 14x14 pixels are pooled to 4x4
        ((384, 16, 16), 10, 384 * 128 + 256 + 128 * 16 * 768 + 1536 + 7690),
        ((528, 14, 14), 1000, 528 * 128 + 256 + 128 * 16 * 768 + 1536 + 769_000),
        ((16, 4, 4), 10, 16 * 128 + 256 + 128 * 768 + 1536 + 7690),
        ((16, 1, 7), 10, 16 * 128 + 256 + 128 * 768 + 1536 + 7690),
        ((16, 8, 5), 10, 16 * 128 + 256 + 128 * 2 * 768 + 1536 + 7690),
    ],
)
def test_the_head_by_hand(shape, classes, parameters):
    head = AuxiliaryHead(Branch(0, shape), classes, torch.Generator())
    assert sum(weights.numel() for weights in head.parameters()) == parameters
    assert head(torch.randn(3, *shape)).shape == (3, classes)


def test_its_loss_is_added(digits):
    training, _ = digits
    recipe = Recipe(auxiliary=0.4, dropout=False)
    network = built()
    steps = Steps(
        network, training, recipe, 1.0, torch.Generator(), Speed(), 1, Scaffold(branch=BRANCH)
    )
    before = [weights.detach().clone() for weights in steps.head.parameters()]
    batch = torch.arange(30)
    heard = []
    network.layers[BRANCH.position].register_forward_hook(lambda *call: heard.append(call[2]))
    with torch.no_grad():
        scores = network(training.normalise(training.images[batch]))
        others = steps.head.scores()
    expected = sum(
        share * cross_entropy(each, training.labels[batch])
        for share, each in ((1, scores), (0.4, others))
    )
    steps.step(batch)
    assert float(steps.losses) == pytest.approx(float(expected), rel=1e-5)
    assert all(
        not torch.equal(old, new) for old, new in zip(before, steps.head.parameters(), strict=True)
    )


def test_nothing_of_it_is_handed_over_and_nothing_drawn_without_it(digits):
    with_it = Recipe(keep_path=0.6, auxiliary=0.4, epochs=2, restart_below=0)
    outcomes = {}
    for name, recipe in {"with": with_it, "without": Recipe(epochs=2, restart_below=0)}.items():
        outcomes[name] = train(read(NETWORK), *digits, recipe, 1, keep_above=-1)
    with_it, without = (load_tensors(outcome.weights) for outcome in outcomes.values())
    assert with_it.keys() == without.keys() == built().state_dict().keys()
    assert not torch.equal(with_it["layers.0.0.weight"], without["layers.0.0.weight"])
    sizes = ("parameters", "multiply_adds", "nodes", "edges")
    one, other = (outcome.metrics for outcome in outcomes.values())
    assert [one[size] for size in sizes] == [other[size] for size in sizes]
    assert (
        Recipe().keep_path == 1
        and Scaffold.of(read(NETWORK), read(NETWORK), Recipe(), (1, 8, 8)) == NONE
    )


def test_the_first_weights_are_the_same_with_a_head(digits):
    first = []
    for scaffold in (NONE, Scaffold(branch=BRANCH)):
        generator = torch.Generator().manual_seed(3)
        network = Network(read(NETWORK), (1, 8, 8), generator)
        Steps(network, digits[0], Recipe(), 1.0, generator, Speed(), 1, scaffold)
        first.append(network.state_dict())
    assert all(torch.equal(value, first[1][name]) for name, value in first[0].items())


def test_images_stay_whole_for_a_head(digits):
    recipe = Recipe(first_size=0.5, auxiliary=0.4, epochs=3)
    pixels = torch.zeros(40, 1, 32, 32, dtype=torch.uint8)
    images = type(digits[0])(pixels, torch.arange(40) % 10, tuple("0123456789"))
    for scaffold, size in ((NONE, (16, 16)), (Scaffold(branch=Branch(31, (16, 16, 16))), (32, 32))):
        network = Network(read(NETWORK), (1, 32, 32), torch.Generator())
        steps = Steps(network, images, recipe, 1.0, torch.Generator(), Speed(), 1, scaffold)
        steps.resize(0)
        assert tuple(steps.size) == size


@pytest.mark.parametrize("clip", [1e-3, 0.1, 1e3])
def test_gradients_are_shortened_to_the_norm(digits, clip):
    lengths = []
    for norm in (None, clip):
        recipe = Recipe(clip_norm=norm, optimizer="sgd", momentum=0.0, learning_rate=1.0)
        steps = Steps(built(), digits[0], recipe, 1.0, torch.Generator(), Speed(), 1)
        before = [weights.detach().clone() for weights in steps.weights]
        steps.step(torch.arange(20))
        changes = [new.detach() - old for old, new in zip(before, steps.weights, strict=True)]
        lengths.append(math.sqrt(sum(float(change.double().square().sum()) for change in changes)))
    free, shortened = lengths
    assert shortened == pytest.approx(min(free, clip), rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(epochs=st.integers(1, 30), steps=st.integers(1, 20))
def test_the_cosine_is_torch_s(epochs, steps):
    recipe = Recipe(schedule="cosine", learning_rate=0.025, epochs=epochs)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.025)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    for step in range(epochs * steps):
        expected = optimizer.param_groups[0]["lr"]
        assert recipe.step_rate(step, steps) == pytest.approx(expected, rel=1e-6, abs=1e-12)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(
    ("skeleton", "classes", "size", "parameters"),
    [
        (Skeleton(6, 32), 10, 32, 4_978_036),
        (Skeleton(4, 44, stem="large"), 1000, 224, 7_701_218),
    ],
    ids=["cifar10", "mobile"],
)
def test_the_parameters_of_nasnet_a_with_its_head(skeleton, classes, size, parameters):
    """CIFAR-10 6@768 and mobile 4@1056 of Zoph et al. 2018, as published code counts them."""
    normal, reduction = NASNET_A.values()
    network = cell_network(normal, reduction, skeleton, classes)
    scaffold = Scaffold.of(network, network, Recipe(auxiliary=0.4, keep_path=0.6), (3, size, size))
    head = AuxiliaryHead(scaffold.branch, classes, torch.Generator())
    own = sum(weights.numel() for weights in head.parameters())
    assert total_cost(network, (3, size, size)).parameters + own == parameters
    # stems and reductions count as cells
    cells = [node.op for node in network.nodes if node.op in network.cells]
    ratios = [ratio for _, ratio in scaffold.paths]
    assert sorted({*ratios}) == pytest.approx([n / len(cells) for n in range(1, len(cells) + 1)])
    # of ten ops a normal cell has two identities, of which one widens the raw stem; a reduction one
    dropped = {"Normal": 8, "NormalLarger": 8, "NormalRaw": 9}
    for place, name in enumerate(cells):
        assert ratios.count((place + 1) / len(cells)) == dropped.get(name, 9), name
