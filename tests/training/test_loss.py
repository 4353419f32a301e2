"""The loss, and the weights of classes in it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import cross_entropy, log_softmax, one_hot

from metaqnn.errors import MetaqnnError
from metaqnn.options import make
from metaqnn.training.loss import Loss, balance
from metaqnn.training.recipe import Recipe
from tests.helpers.pictures import images

BALANCED = Recipe(class_weights="balanced")


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 8), min_size=1, max_size=60))
def test_weights_are_scikit_learn_s(labels):
    there = np.unique(labels)
    expected = np.zeros(9, np.float32)
    expected[there] = compute_class_weight("balanced", classes=there, y=np.array(labels))
    found = balance(torch.tensor(labels), 9)
    assert found.numpy() == pytest.approx(expected, rel=1e-6)
    # an image has 1 on average
    assert found[torch.tensor(labels)].mean().item() == pytest.approx(1, rel=1e-5)


@pytest.fixture
def unequal():
    """Scores and labels of 12 images, 9 of them of the first of three classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 9 + [1, 1, 2])
    scores = torch.randn(12, 3, generator=generator)
    return scores, labels


def loss_of(recipe, labels, scores, *parts):
    """The loss of a batch of all images, in parts."""
    known = images(len(labels), 3)
    loss = Loss.of(recipe, type(known)(known.images, labels, known.classes))
    batch = torch.arange(len(labels))
    if not parts:
        return loss(scores, batch)
    return sum(loss(scores[part], batch[part]) * loss.share(batch[part], batch) for part in parts)


def test_it_is_torch_s_with_the_same_weights(unequal):
    scores, labels = unequal
    weights = torch.tensor([12 / 27, 12 / 6, 12 / 3])
    expected = cross_entropy(scores, labels, weight=weights).item()
    assert loss_of(BALANCED, labels, scores).item() == pytest.approx(expected, rel=1e-6)
    assert loss_of(Recipe(), labels, scores).item() == cross_entropy(scores, labels).item()


def test_an_image_has_one_weight_for_all_of_its_smoothed_label(unequal):
    scores, labels = unequal
    recipe = Recipe(class_weights="balanced", label_smoothing=0.3)
    targets = 0.7 * one_hot(labels, 3) + 0.1
    losses = -(targets * log_softmax(scores, 1)).sum(1)
    weights = torch.tensor([12 / 27] * 9 + [12 / 6] * 2 + [12 / 3])
    expected = (weights * losses).sum() / weights.sum()
    assert loss_of(recipe, labels, scores).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_common_class_is_best_answered_by_itself():
    """Torch's way to weigh smoothed labels would have 72 % for the rare one.

    With 98 images and 2, weights 50/98 and 25, a smoothing of .1, its optimum for an image of the
    common class is the rare class with .05 * 25 / (.05 * 25 + .95 * 50/98).
    """
    labels = torch.tensor([0] * 98 + [1] * 2)
    known = images(100, 2)
    known = type(known)(known.images, labels, known.classes)
    recipe = Recipe(class_weights="balanced", label_smoothing=0.1)
    weights = balance(labels, 2).double()

    def gradient(loss):
        """Of an image of the common class, where it is answered with .05 for the rare one."""
        scores = torch.tensor([[0.95, 0.05]] * 100).double().log().requires_grad_()
        loss(scores).backward()
        return scores.grad[0]

    batch = torch.arange(100)
    ours = gradient(lambda scores: Loss.of(recipe, known)(scores, batch))
    assert ours.numpy() == pytest.approx([0, 0], abs=1e-9)
    torchs = gradient(
        lambda scores: cross_entropy(scores, labels, weight=weights, label_smoothing=0.1)
    )
    assert torchs[1] < -1e-3  # more of the rare class would be better


@pytest.mark.parametrize("recipe", [Recipe(), BALANCED])
def test_parts_of_a_batch_add_up(unequal, recipe):
    scores, labels = unequal
    parts = loss_of(recipe, labels, scores, slice(0, 3), slice(3, 10), slice(10, 12))
    assert parts.item() == pytest.approx(loss_of(recipe, labels, scores).item(), rel=1e-6)


def test_weights_of_equally_frequent_classes_change_nothing():
    assert balance(torch.arange(30) % 3, 3).tolist() == [1, 1, 1]


def test_other_weights_are_refused():
    with pytest.raises(MetaqnnError, match="class-weights is 'inverse'.*none, balanced"):
        make(Recipe, {"class_weights": "inverse"})
