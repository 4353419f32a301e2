"""What makes a training fast computes the same; cost figures."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.networks.build import Network
from metaqnn.networks.notation import read
from metaqnn.training import peak
from metaqnn.training.adam import fastest
from metaqnn.training.epochs import Tally, batches
from metaqnn.training.loop import train
from metaqnn.training.muon import orthogonal
from metaqnn.training.optimizers import OPTIMIZERS
from metaqnn.training.peak import peak_of, utilisation
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed
from tests.helpers.networks import DEEP

CPU = torch.device("cpu")
SEEDS = st.integers(0, 2**32 - 1)


REFERENCES = {
    "adam": lambda weights: torch.optim.Adam(weights, 1e-2, weight_decay=0.1, foreach=False),
    "adamw": lambda weights: torch.optim.AdamW(weights, 1e-2, weight_decay=0.1, foreach=False),
    "sgd": lambda weights: torch.optim.SGD(
        weights, 1e-2, 0.8, weight_decay=0.1, nesterov=True, foreach=False
    ),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_our_optimizers_update_as_torch_s_do(name):
    generator = torch.Generator().manual_seed(0)
    ours = [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,), (2,))]
    theirs = [value.clone() for value in ours]
    recipe = Recipe(learning_rate=1e-2, weight_decay=0.1, momentum=0.8, nesterov=True)
    optimizer = OPTIMIZERS.find(name).from_recipe(ours, recipe)
    reference = REFERENCES[name](theirs)
    for step in range(10):
        if step == 5:
            optimizer.rate.fill_(1e-3)
            reference.param_groups[0]["lr"] = 1e-3
        optimizer.clear()
        for mine, other in zip(ours[:2], theirs[:2], strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        optimizer.step()
        reference.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), size=st.floats(1e-3, 1e3), seed=SEEDS)
def test_a_matrix_made_orthogonal_has_its_directions_at_equal_length(rows, columns, size, seed):
    generator = torch.Generator().manual_seed(seed)
    left, right = (
        torch.linalg.qr(torch.randn(side, min(rows, columns), generator=generator))[0]
        for side in (rows, columns)
    )
    lengths = size * torch.linspace(0.5, 1, min(rows, columns))
    made = left.T @ orthogonal(left @ torch.diag(lengths) @ right.T) @ right
    found = made.diagonal()
    assert ((found > 0.3) & (found < 1.3)).all()
    assert torch.allclose(made, found.diag(), atol=1e-3)


def test_muon_moves_matrices_by_hand_and_all_else_by_adamw():
    """One step by hand, of a matrix of one row, whose singular value becomes a fixed number."""
    shapes = ((1, 2, 1, 2), (4, 1, 3, 3), (4,), (10, 4), (10,))
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=generator) for shape in shapes]
    before = [value.clone() for value in weights]
    recipe = Recipe(learning_rate=0.2, weight_decay=0.1, momentum=0.6)
    muon = OPTIMIZERS.find("muon").from_recipe(weights, recipe)
    beside = [value.clone() for value in before[1:]]
    adam = torch.optim.AdamW(beside, 0.2 * 0.05, weight_decay=0.1)
    for value, other in zip(weights, [None, *beside], strict=True):
        value.grad = torch.randn(value.shape, generator=generator)
        if other is not None:
            other.grad = value.grad
    gradient = weights[0].grad.clone()
    muon.step()
    adam.step()
    for value, other in zip(weights[1:], beside, strict=True):
        torch.testing.assert_close(value, other)
    length = 1.0
    for _ in range(3):
        length = 3.4445 * length - 4.7750 * length**3 + 2.0315 * length**5
    expected = before[0] * (1 - 0.1 * 0.2) - 0.2 * length * gradient / gradient.norm()
    torch.testing.assert_close(weights[0], expected)


def without(monkeypatch):
    monkeypatch.delattr(torch, "_fused_adam_")


def with_another_rate(monkeypatch):
    usual = torch._fused_adam_
    monkeypatch.setattr(
        torch, "_fused_adam_", lambda *args, lr, **more: usual(*args, lr=2 * lr, **more)
    )


def with_other_arguments(monkeypatch):
    monkeypatch.setattr(torch, "_fused_adam_", lambda parameters, gradients: None)


def in_torch_only(monkeypatch):
    """As if torch.optim.Adam called its kernel by another name."""
    usual, calls = torch._fused_adam_, []

    def once_wrong(*args, **more):
        calls.append(args)
        return None if len(calls) == 1 else usual(*args, **more)

    monkeypatch.setattr(torch, "_fused_adam_", once_wrong)


@pytest.fixture
def forgetful():
    """What was found out of torch's kernel is found out anew."""
    fastest.cache_clear()
    yield
    fastest.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "way"),
    [
        (without, "plain"),
        (with_another_rate, "plain"),
        (with_other_arguments, "plain"),
        (in_torch_only, "fused"),
    ],
)
def test_without_torch_s_private_kernel_adam_is_torch_s_own(monkeypatch, forgetful, change, way):
    data = load_split(DataOptions(train_limit=600))
    recipe = Recipe(epochs=2, batch_size=32, learning_rate=3e-3, weight_decay=1e-3)
    curve = train(DEEP, *data, recipe, seed=1).curve
    assert len(curve) == 2
    assert fastest(CPU, False) == "kernel"
    fastest.cache_clear()
    change(monkeypatch)
    assert train(DEEP, *data, recipe, seed=1).curve == pytest.approx(curve, abs=0.02)
    assert fastest(CPU, False) == way
    test_our_optimizers_update_as_torch_s_do("adam")


def test_without_torch_s_private_kernel_adamw_is_torch_s_own(monkeypatch, forgetful):
    assert fastest(CPU, True) == "kernel"
    fastest.cache_clear()
    # Adam's kernel in its place decays the weights in another way
    monkeypatch.setattr(torch, "_fused_adamw_", torch._fused_adam_)
    assert fastest(CPU, True) == "plain"
    assert fastest(CPU, False) == "kernel"
    test_our_optimizers_update_as_torch_s_do("adamw")


def test_adam_is_plain_where_a_device_has_no_fused_one(monkeypatch, forgetful):
    def unfused(*args, fused, **more):
        if fused:
            raise RuntimeError("`fused=True` requires another device")
        return usual(*args, fused=fused, **more)

    usual = torch.optim.Adam
    without(monkeypatch)
    monkeypatch.setattr(torch.optim, "Adam", unfused)
    assert fastest(CPU, False) == "plain"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_an_optimizer_is_all_that_its_step_goes_by(name):
    """Weights and state put back, the same gradients make the same steps."""
    weights = [torch.linspace(-1, 1, 6), torch.linspace(1, 2, 3)]
    optimizer = OPTIMIZERS.find(name).from_recipe(weights, Recipe(learning_rate=0.1))

    def step(size):
        optimizer.clear()
        for weight in weights:
            weight.grad = torch.full_like(weight, size)
        optimizer.step()
        return [value.clone() for value in (*weights, *optimizer.state())]

    before = step(1.0)
    after = step(-0.5)
    assert len(after) > len(weights)
    for value, old in zip((*weights, *optimizer.state()), before, strict=True):
        value.copy_(old)
    assert all(map(torch.equal, step(-0.5), after))


def test_pooling_before_relu_changes_neither_scores_nor_gradients(monkeypatch):
    network = read("[C(8,3,1), P(3,2), C(4,3,1), P(2,2), SM(10)]")
    pixels = torch.randn(16, 1, 12, 12, generator=torch.Generator().manual_seed(1))

    def results():
        built = Network(network, (1, 12, 12), torch.Generator().manual_seed(0))
        scores = built(pixels)
        scores.square().sum().backward()
        return [scores, *(parameter.grad for parameter in built.parameters())]

    swapped = results()
    monkeypatch.setattr(Network, "_pool_before_relu", lambda self: None)
    for one, other in zip(swapped, results(), strict=True):
        assert torch.equal(one, other)


def test_pooling_stays_behind_a_relu_that_another_layer_reads_too():
    network = read("[C(8,3,1), P(2,2)@0, C(4,3,2)@0, SM(10)@1,2]")
    built = Network(network, (1, 8, 8), torch.Generator())
    assert isinstance(built.layers[0][1], torch.nn.ReLU)


@pytest.mark.parametrize("has_amx", [True, False])
def test_a_cpu_rounds_where_it_may_and_is_faster_for_it(monkeypatch, has_amx):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    assert Speed.of(CPU, bfloat16=True).bfloat16 is has_amx
    assert not Speed.of(CPU).bfloat16


@pytest.mark.slow
@pytest.mark.parametrize(
    "speed", [Speed(channels_last=False), Speed(late=False), Speed(bfloat16=True)]
)
def test_without_a_step_the_training_is_as_good(speed):
    data = load_split(DataOptions())
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=3e-3, dropout=False)
    curve = train(DEEP, *data, recipe, seed=1).curve
    assert train(DEEP, *data, recipe, seed=1, speed=speed).curve == pytest.approx(curve, abs=0.02)


def test_outcomes_say_what_they_cost():
    data = load_split(DataOptions())
    metrics = train(DEEP, *data, Recipe(epochs=2), seed=1).metrics
    assert metrics["images_per_second"] > 2 * len(data[0]) / metrics["seconds"]
    assert "utilisation" not in metrics


def test_images_per_second_by_hand():
    assert Tally(300, 1.5).metrics(10, CPU) == {"images_per_second": 200}
    assert Tally().metrics(10, CPU) == {}


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989.4),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("Tesla V100-SXM2-16GB", 125),
        ("Tesla T4", 65),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362.05),
        ("NVIDIA GeForce RTX 4090", 165.2),
    ],
)
def test_peaks_of_data_sheets(name, teraflops):
    assert peak_of(name) == teraflops * 1e12


@pytest.mark.parametrize("name", ["NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA T400", "Radeon"])
def test_unknown_gpus_have_no_peak(name):
    assert peak_of(name) is None


def test_utilisation_by_hand(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    # 3 x 2 x 10^9 operations an image, 6,500 images a second: 39 of 65 TFLOP/s
    assert utilisation(10**9, 6500, torch.device("cuda")) == pytest.approx(0.6)
    assert utilisation(10**9, 6500, CPU) is None
    monkeypatch.setattr(peak, "PEAKS", {})
    assert utilisation(10**9, 6500, torch.device("cuda")) is None


@pytest.mark.parametrize(
    ("images", "size", "sizes"),
    [
        (300, 128, [128, 128, 44]),
        (257, 128, [128, 129]),
        (129, 128, [129]),
        (128, 128, [128]),
        (1, 128, [1]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_batches_have_all_indices_and_no_single_image_at_the_end(images, size, sizes):
    order = torch.randperm(images, generator=torch.Generator().manual_seed(0))
    found = batches(order, size)
    assert [len(batch) for batch in found] == sizes
    assert torch.equal(torch.cat(found), order)
