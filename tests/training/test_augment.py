"""Augmentation: laws of mirroring, shifting and cutting out."""

import pytest
import torch
from torch.nn.functional import pad

from metaqnn.training.augment import augment, cutout, mirror, shift, shrink
from metaqnn.training.recipe import Recipe


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_mirroring_flips_about_half_of_the_images():
    images = torch.arange(1000 * 4, dtype=torch.float32).view(1000, 1, 1, 4)
    mirrored = mirror(images, generator())
    flipped = (mirrored != images).any(3).flatten()
    assert 400 < flipped.sum() < 600
    assert torch.equal(mirrored[flipped], images[flipped].flip(3))


def test_a_shifted_image_is_a_crop_of_the_padded_one():
    images = torch.rand(200, 3, 6, 5) + 1
    shifted = shift(images, 2, generator())
    padded = pad(images, (2, 2, 2, 2))
    for image, border in zip(shifted, padded, strict=True):
        crops = [border[:, y : y + 6, x : x + 5] for y in range(5) for x in range(5)]
        assert sum(torch.equal(image, crop) for crop in crops) == 1


def test_shifts_are_uniform_in_both_directions():
    images = torch.zeros(20_000, 1, 9, 9)
    images[:, :, 4, 4] = 1
    shifted = shift(images, 3, generator())
    assert (shifted.sum((1, 2, 3)) == 1).all()
    places = shifted.flatten(1).argmax(1)
    for displacement in (places // 9 - 4, places % 9 - 4):
        # a uniform whole number from -3 to 3 has the deviation 2; six sigma of the mean
        assert abs(displacement.double().mean()) < 6 * 2 / 20_000**0.5
        assert displacement.unique().tolist() == list(range(-3, 4))
    assert abs(torch.corrcoef(torch.stack((places // 9, places % 9)).double())[0, 1]) < 0.05


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_cutout_clears_one_square_clipped_at_the_border(side):
    images = torch.rand(500, 2, 7, 6) + 1
    cut = cutout(images, side, generator())
    cleared = cut == 0
    assert torch.equal(cleared[:, 0], cleared[:, 1])
    assert torch.equal(cut[~cleared], images[~cleared])
    whole = 0
    for mask in cleared[:, 0]:
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        assert mask.sum() == len(rows) * len(columns) > 0
        for places, size in ((rows, 7), (columns, 6)):
            assert (places.diff() == 1).all()
            at_border = places[0] == 0 or places[-1] == size - 1
            assert len(places) == side or (len(places) < side and at_border)
        whole += mask.sum() == side * side
    assert whole > 0


def test_all_together_keep_shape_and_type_and_leave_the_images_alone():
    images = torch.rand(8, 3, 6, 6)
    before = images.clone()
    recipe = Recipe(mirror=True, shift=1, cutout=2)
    first, same, other = (augment(images, recipe, generator(seed)) for seed in (1, 1, 2))
    assert first.shape == images.shape and first.dtype == images.dtype
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(images, before)
    assert augment(images, Recipe(), generator()) is images


def test_a_ramp_of_half_the_size_has_the_means_of_its_pairs():
    ramp = torch.arange(12.0).expand(2, 3, 12, 12)
    small = shrink(ramp, (6, 6))
    assert small.shape == (2, 3, 6, 6)
    # at the borders the window of four pixels is cut
    assert torch.allclose(small[..., 1:-1], torch.tensor([2.5, 4.5, 6.5, 8.5]))
    assert torch.allclose(shrink(torch.ones(2, 3, 12, 12), (9, 7)), torch.ones(2, 3, 9, 7))
