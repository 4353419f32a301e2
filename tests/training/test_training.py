"""The training loop and the recipe: each rule, on digits or on networks drawn by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load

import metaqnn
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.errors import MetaqnnError
from metaqnn.metrics.balanced_accuracy import BALANCED_ACCURACY
from metaqnn.metrics.base import METRICS
from metaqnn.metrics.macro_f1 import MACRO_F1
from metaqnn.networks.build import Network
from metaqnn.networks.notation import read
from metaqnn.training import loop, loss
from metaqnn.training.adam import FusedAdam
from metaqnn.training.chance import Chance
from metaqnn.training.loop import TrainingDiverged, train
from metaqnn.training.recipe import Recipe
from metaqnn.training.sgd import Sgd
from replay.legacy import read_replay
from state_space.architecture import chain
from state_space.notation import read_layers
from tests.helpers.networks import DEEP
from tests.helpers.pictures import images

SMALL = read("[C(8,3,1), P(2,2), FC(32), SM(10)]")


@pytest.fixture(scope="module")
def digits():
    return load_split(DataOptions())


def test_it_learns_digits(digits):
    outcome = train(SMALL, *digits, Recipe(epochs=8, learning_rate=3e-3), seed=1)
    assert max(outcome.curve) > 0.9
    assert len(outcome.curve) == 8
    assert outcome.metrics["parameters"] == 8 * 9 + 8 + 8 * 16 * 32 + 32 + 32 * 10 + 10


def test_it_overfits_64_images(digits):
    few = digits[0].take(torch.arange(64))
    recipe = Recipe(epochs=60, batch_size=16, decay=1.0, restart_below=0, dropout=False)
    outcome = train(SMALL, few, few, recipe, seed=1)
    assert outcome.curve[-1] == 1.0


def test_the_same_seed_gives_the_same_curve_and_another_another(digits):
    recipe = Recipe(epochs=3)
    first, same, other = (train(SMALL, *digits, recipe, seed).curve for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_training_leaves_the_global_generator_alone(digits):
    before = torch.get_rng_state()
    train(SMALL, *digits, Recipe(epochs=1, mirror=True), seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def scripted(monkeypatch, accuracies):
    """Replace the epochs by accuracies, a list an attempt; returns the factors of the rates."""
    factors = []
    attempts = iter(accuracies)

    def epochs(network, training, validation, recipe, factor, *_):
        factors.append(factor)
        yield from next(attempts)

    monkeypatch.setattr(loop, "_epochs", epochs)
    return factors


def test_at_chance_it_starts_again_at_a_lower_rate(monkeypatch, digits):
    factors = scripted(monkeypatch, [[0.15, 0.9], [0.1], [0.1501, 0.6, 0.4]])
    outcome = train(SMALL, *digits, Recipe(), seed=1)
    assert factors == pytest.approx([1, 0.4, 0.16])
    assert outcome.metrics["learning_rate"] == pytest.approx(1.6e-4)
    assert outcome.curve == (0.1501, 0.6, 0.4)
    assert outcome.metrics["restarts"] == 2


def test_five_restarts_in_vain_give_chance(monkeypatch, digits):
    factors = scripted(monkeypatch, [[0.12]] * 6)
    outcome = train(SMALL, *digits, Recipe(), seed=1, keep_above=0)
    assert outcome.weights is not None
    assert outcome.metrics["reached"] == 0.12
    assert len(factors) == 6
    assert factors[-1] == pytest.approx(0.4**5)
    assert outcome.curve == (0.1,)
    assert outcome.error is None


def test_weights_of_the_best_epoch_are_returned_if_they_are_good_enough(monkeypatch, digits):
    asked = []
    monkeypatch.setattr(loop, "_weights", lambda *_: asked.append(0) or bytes([len(asked)]))
    scripted(monkeypatch, [[0.5, 0.8, 0.7, 0.9, 0.9]])
    assert train(SMALL, *digits, Recipe(), seed=1, keep_above=0.6).weights == b"\2"
    scripted(monkeypatch, [[0.5, 0.6]])
    assert train(SMALL, *digits, Recipe(), seed=1, keep_above=0.6).weights is None


def test_returned_weights_carry_what_it_takes_to_use_them(digits, tmp_path):
    outcome = train(DEEP, *digits, Recipe(epochs=4), seed=1, keep_above=-1)
    (tmp_path / "w.safetensors").write_bytes(outcome.weights)
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        metadata = file.metadata()
    shape = tuple(json.loads(metadata["input_shape"]))
    network = Network(read(metadata["architecture"]), shape, torch.Generator())
    network.load_state_dict(load(outcome.weights))
    network.eval()
    mean, deviation = (torch.tensor(json.loads(metadata[key])) for key in ("mean", "deviation"))
    scores = network((digits[1].images - mean) / deviation)
    accuracy = (scores.argmax(1) == digits[1].labels).float().mean().item()
    assert accuracy == pytest.approx(max(outcome.curve))
    assert json.loads(metadata["classes"]) == [str(digit) for digit in range(10)]
    pixels = digits[0].images.float()
    assert mean.item() == pytest.approx(pixels.mean().item(), rel=1e-5)
    assert deviation.item() == pytest.approx(pixels.std().item(), rel=1e-4)


def test_weights_to_start_with_must_have_a_place(digits):
    start = {"layers.0.0.wieght": torch.zeros(8, 1, 3, 3)}
    with pytest.raises(MetaqnnError, match=r"'layers\.0\.0\.wieght'.* layers\.0\.0\.weight\?"):
        train(SMALL, *digits, Recipe(epochs=1), seed=1, start=start)


def test_a_loss_that_is_not_finite_is_an_error(digits):
    # five restarts, each at 0.4 of the rate
    with pytest.raises(TrainingDiverged, match="not finite in epoch 1, also at the rate 1e.28$"):
        train(SMALL, *digits, Recipe(learning_rate=1e30, restart_below=0), seed=1)


def test_a_loss_that_is_not_finite_at_first_starts_again_at_a_lower_rate(digits):
    recipe = {"learning_rate": 1e30, "restart_below": 0, "restart_factor": 1e-33}
    assert train(SMALL, *digits, Recipe(epochs=1, **recipe), seed=1).metrics["restarts"] == 1
    # the majority's share, far over chance, is not what a network of NaN is worth
    images, labels = digits[1].images, torch.zeros_like(digits[1].labels)
    same = replace(digits[1], images=images, labels=labels)
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        train(SMALL, same, same, Recipe(epochs=1, learning_rate=1e30, restarts=0), seed=1)


def test_the_rate_falls_every_five_epochs(monkeypatch, digits):
    seen = []
    step = FusedAdam.step

    def watch(self):
        seen.append(self.rate.item())
        step(self)

    monkeypatch.setattr(FusedAdam, "step", watch)
    few = digits[0].take(torch.arange(100))
    train(SMALL, few, few, Recipe(epochs=11, restart_below=0), seed=1)
    assert seen == pytest.approx([1e-3] * 5 + [2e-4] * 5 + [4e-5])


def test_rates_of_their_own_take_the_place_of_decay():
    recipe = Recipe(rates="0.5:2,0.25:1", learning_rate=7, decay=0.1, decay_every=1)
    assert [recipe.rate(epoch) for epoch in range(5)] == [0.5, 0.5, 0.25, 0.25, 0.25]


def test_momentum_learns_and_the_rates_are_those_of_the_recipe(monkeypatch, digits):
    seen = []
    step = Sgd.step

    def watch(self):
        seen.append(self.rate.item())
        step(self)

    monkeypatch.setattr(Sgd, "step", watch)
    few = digits[0].take(torch.arange(256))
    recipe = Recipe(epochs=12, optimizer="sgd", rates="0.05:10,0.01:2", restart_below=0)
    outcome = train(SMALL, few, few, recipe, seed=1)
    assert seen == pytest.approx([0.05] * 20 + [0.01] * 4)
    assert outcome.curve[-1] > 0.5
    assert outcome.metrics["learning_rate"] == 0.05


def test_contrast_brings_every_image_to_mean_0_and_deviation_1(digits):
    pixels = replace(digits[0], contrast=True).normalise(digits[0].images[:50])
    assert pixels.mean((1, 2, 3)).abs().max() < 1e-6
    assert pixels.std((1, 2, 3), correction=0).numpy() == pytest.approx(np.ones(50), rel=1e-5)
    one_colour = torch.full((1, 1, 8, 8), 200, dtype=torch.uint8)
    assert not replace(digits[0], contrast=True).normalise(one_colour).any()


@pytest.mark.parametrize("recipe", [{}, {"contrast": True}])
def test_the_last_weights_are_those_of_the_last_epoch(tmp_path, digits, recipe):
    outcome = train(
        SMALL, *digits, Recipe(epochs=2, restart_below=0, **recipe), seed=1, keep_last=True
    )
    (tmp_path / "net.safetensors").write_bytes(outcome.weights)
    scores = metaqnn.load(tmp_path / "net.safetensors").scores(digits[1].images)
    assert np.mean(scores.argmax(1) == digits[1].labels.numpy()) == outcome.curve[-1]


def test_batches_are_a_permutation_of_all_images(monkeypatch, digits):
    few = digits[0].take(torch.arange(300))
    batches = []
    monkeypatch.setattr(
        loss,
        "cross_entropy",
        lambda scores, labels, **_: batches.append(len(labels)) or scores.square().mean(),
    )
    train(SMALL, few, few, Recipe(epochs=1, restart_below=0), seed=1)
    assert batches == [128, 128, 44]


@pytest.mark.parametrize(
    ("recipe", "text", "dressed"),
    [
        (Recipe(), "[SM(10)]", "[SM(10)]"),
        (Recipe(), "[C(8,3,1), SM(10)]", "[C(8,3,1), SM(10)]"),
        (
            Recipe(),
            "[C(8,3,1), P(2,2), C(8,3,1), C(8,1,1), FC(4), SM(10)]",
            "[C(8,3,1), P(2,2), D(1,2), C(8,3,1), C(8,1,1), D(2,2), FC(4), SM(10)]",
        ),
        (Recipe(), "[C(8,3,1), GAP(10), SM(10)]", "[C(8,3,1), GAP(10), SM(10)]"),
        (
            Recipe(dropout_after_fc=True),
            "[C(8,3,1), P(2,2), C(8,3,1), FC(8), FC(4), SM(10)]",
            "[C(8,3,1), P(2,2), D(1,4), C(8,3,1), FC(8), D(2,4), FC(4), D(3,4), SM(10)]",
        ),
        (Recipe(dropout=False), "[C(8,3,1), C(8,3,1), SM(10)]", "[C(8,3,1), C(8,3,1), SM(10)]"),
        (Recipe(), "[C(8,3,1), C(8,3,1), D(1,4), SM(10)]", "[C(8,3,1), C(8,3,1), D(1,4), SM(10)]"),
        (
            Recipe(),
            "[C(8,3,1), C(8,3,1), C(4,1,1)@0,1, C(4,1,1)@1, SM(10)@2,3] a=1.0",
            "[C(8,3,1), C(8,3,1), D(1,2), C(4,1,1)@0,2, C(4,1,1)@2, D(2,2), SM(10)@3,5] a=1.0",
        ),
        (
            Recipe(),
            "[CB(8,3,3,1,1), MP(3,3,1,1)@-1, SM(10)@0,1]",
            "[CB(8,3,3,1,1), MP(3,3,1,1)@-1, SM(10)@0,1]",
        ),
    ],
)
def test_dropout_stands_where_the_recipe_says(recipe, text, dressed):
    assert recipe.dress(read(text)).text == dressed


def test_dropout_in_2017s_log_is_that_of_our_recipe(real_data):
    for row in read_replay(real_data("metaqnn_log/replay_database.csv.gz")):
        bare = chain(layer for layer in read_layers(row.network) if layer[0] != "D")
        assert Recipe(dropout_after_fc=True).dress(bare).text == row.network


def test_of_few_classes_chance_is_the_commonest_and_its_noise(monkeypatch):
    """Of 80 images, half of each class: 0.5 and twice sqrt(0.25 / 80), after 50 steps of 5."""
    two = images(80, 2)
    rule = Chance.of(Recipe(batch_size=16), two, two)
    assert (rule.epoch, rule.trains_on) == (10, True)
    assert rule.limit == pytest.approx(0.5 + 0.1118, abs=1e-4)


def test_what_fails_at_every_rate_is_trained_on_at_the_first(monkeypatch):
    two = images(80, 2)
    recipe = Recipe(batch_size=1, epochs=2)  # 80 steps an epoch
    factors = scripted(monkeypatch, [[0.61, 0.9]] * 6 + [[0.55, 0.56]])
    outcome = train(read("[SM(2)]"), two, two, recipe, seed=1, keep_above=0)
    assert factors == pytest.approx([1, 0.4, 0.16, 0.064, 0.0256, 0.01024, 1])
    assert outcome.curve == (0.55, 0.56)
    assert outcome.metrics["at_chance"] == 1
    assert outcome.weights is not None
    scripted(monkeypatch, [[0.61, 0.9]] * 6 + [[0.55, 0.99]])
    assert "at_chance" not in train(read("[SM(2)]"), two, two, recipe, seed=1).metrics


@pytest.mark.parametrize("majority", [0.97, 0.6])
def test_the_majority_s_answer_is_chance_where_classes_are_not_balanced(majority):
    ten = images(1000)
    labels = torch.where(torch.arange(1000) < 1000 * majority, 0, ten.labels)
    rule = Chance.of(Recipe(batch_size=10), ten, replace(ten, labels=labels))
    share = float((labels == 0).float().mean())
    assert rule.trains_on
    assert rule.limit == pytest.approx(share + 2 * (share * (1 - share) / 1000) ** 0.5)


def test_few_validation_images_do_not_make_every_answer_chance():
    """Of three, two of which are of one class, no accuracy is two deviations above 2/3."""
    rule = Chance.of(Recipe(batch_size=10), images(80, 2), images(3, 2))
    assert rule.stays([2 / 3]) and not rule.stays([1.0])


def test_chance_is_that_of_the_metric():
    """A constant answer has the balanced accuracy .5, whose noise is that of the rare class."""
    labels = (torch.arange(1000) < 20).long()
    two = replace(images(1000, 2), labels=labels)
    noise = 2 * (0.25 * (1 / 980 + 1 / 20) / 4) ** 0.5
    rule = Chance.of(Recipe(batch_size=10), two, two, BALANCED_ACCURACY)
    assert rule.limit == pytest.approx(0.5 + noise)
    ten = images(2560)
    assert Chance.of(Recipe(), ten, ten, BALANCED_ACCURACY).limit == pytest.approx(0.15)
    assert Chance.of(Recipe(), ten, ten, MACRO_F1).limit == pytest.approx(1.5 * 2 / 11 / 10)


@pytest.mark.parametrize("classes", [10, 11, 49, 93, 100, 1000])
def test_a_score_of_exactly_one_and_a_half_times_chance_is_chance(classes):
    """15 right of 100 are .15, and not less than 1.5 times .1 is in floating point."""
    many = images(20 * classes, classes)
    limit = Chance.of(Recipe(batch_size=16), many, many).limit
    assert limit == 3 / (2 * classes) == 30 / len(many)


def test_in_vain_is_the_metric_s_chance(monkeypatch, digits):
    scripted(monkeypatch, [[0.02]] * 6)
    outcome = train(SMALL, *digits, Recipe(), seed=1, metric=MACRO_F1)
    assert outcome.curve == (pytest.approx(2 / 11 / 10),)


@pytest.mark.parametrize("name", METRICS)
def test_the_weights_are_those_of_the_epoch_of_the_highest_metric(name, digits, tmp_path):
    metric = METRICS.find(name)
    recipe = Recipe(epochs=4, learning_rate=0.01, restart_below=0)
    outcome = train(SMALL, *digits, recipe, seed=1, keep_above=-1, metric=metric)
    (tmp_path / "net.safetensors").write_bytes(outcome.weights)
    answers = metaqnn.load(tmp_path / "net.safetensors").scores(digits[1].images).argmax(1)
    assert metric.measure(digits[1].labels.numpy(), answers) == max(outcome.curve)


def test_classes_with_weights_are_found_though_they_are_rare(digits):
    """Of eights there are twenty, one in fifty; six epochs."""
    training, validation = digits
    eights = torch.nonzero(training.labels == 8).flatten()
    others = torch.nonzero(training.labels != 8).flatten()
    few = training.take(torch.cat([others, eights[:20]]))
    only = validation.take(torch.nonzero(validation.labels == 8).flatten())
    recipe = {"epochs": 6, "learning_rate": 3e-3, "batch_size": 64, "restart_below": 0}
    found = {
        weights: train(SMALL, few, only, Recipe(**recipe, class_weights=weights), seed=1).curve
        for weights in ("none", "balanced")
    }
    assert found["none"][-1] < 0.3 and found["balanced"][-1] > 0.6


def test_trainings_of_a_few_steps_are_not_judged():
    few = images(40, 4)
    assert Chance.of(Recipe(epochs=20), few, few).epoch == 0  # 20 steps in all
    assert Chance.of(Recipe(epochs=200), few, few).epoch == 50
    assert Chance.of(Recipe(epochs=200, restart_below=0), few, few).epoch == 0


def test_the_paper_s_rule_holds_where_it_was_made():
    ten = images(2560)
    assert Chance.of(Recipe(), ten, ten) == Chance(1, pytest.approx(0.15), trains_on=False)
