"""Pictures are read from the cache only while they are what they were when they were kept."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image

from metaqnn.data import cache
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load
from tests.helpers.pictures import write_folder


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Files of pictures; everything is worth keeping, in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "WORTH", 0)
    return write_folder(tmp_path / "pictures")


@pytest.fixture
def read(pictures, monkeypatch):
    """Loads the training images, and says how many pictures were decoded for that."""
    decode, count = cache.read_all, [0]

    def counted(paths, *how):
        count[0] += len(paths)
        return decode(paths, *how)

    monkeypatch.setattr(cache, "read_all", counted)

    def read(**options):
        count[0] = 0
        images = load(DataOptions(dataset=f"folder:{pictures}", **options), "train")
        return images.images.numpy(), count[0]

    return read


def test_what_was_read_once_is_not_decoded_again(read):
    first, decoded = read()
    again, then = read()
    assert (decoded, then) == (60, 0)
    assert first.dtype == again.dtype and np.array_equal(first, again)


def test_a_picture_that_changed_is_seen_although_its_size_and_date_are_the_same(read, pictures):
    before, _ = read()
    path = sorted((pictures / "train" / "ant").iterdir())[0]
    known, size = path.stat(), len(path.read_bytes())
    Image.new("RGB", (12, 12), "red").save(path)
    path.write_bytes(path.read_bytes().ljust(size, b"\0")[:size])  # what is behind a PNG is no data
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert path.stat().st_size == known.st_size and path.stat().st_mtime_ns == known.st_mtime_ns
    now, decoded = read()
    assert decoded == 60
    assert now[0, 0].min() == 255 and np.array_equal(before[1:], now[1:])


def test_other_options_and_files_are_read_anew(read, pictures):
    read()
    small, decoded = read(image_size=6)
    assert decoded == 60 and small.shape == (60, 3, 6, 6)
    grey, decoded = read(colour="grey")
    assert decoded == 60 and grey.shape == (60, 1, 12, 12)
    next((pictures / "train" / "bee").iterdir()).unlink()
    less, decoded = read()
    assert decoded == 59 and len(less) == 59


@pytest.mark.parametrize("part", ["pixels", "end", "all"])
def test_what_is_damaged_is_not_believed(read, part):
    before, _ = read()
    (kept,) = cache.folder().iterdir()
    content = bytearray(kept.read_bytes())
    if part == "pixels":
        content[len(content) // 2] ^= 1
    kept.write_bytes({"pixels": content, "end": content[:-200], "all": b"pickle"}[part])
    again, decoded = read()
    assert decoded == 60 and np.array_equal(before, again)
    assert read()[1] == 0  # and it is mended


def test_broken_pictures_are_named_and_counted_as_the_first_time(read, pictures, capsys):
    path = sorted((pictures / "train" / "cow").iterdir())[0]
    path.write_bytes(path.read_bytes()[:-30])  # its header is whole
    told = []
    for _ in range(2):
        images = load(DataOptions(dataset=f"folder:{pictures}", skip_broken=True), "train")
        told.append((len(images), images.origin.left_out))
    assert told[0] == told[1] and told[0][0] == 59 and path.name in told[0][1][0]
    assert read(skip_broken=True)[1] == 0


def test_what_was_not_used_for_longest_goes_first(read, monkeypatch):
    made = []
    for size in (6, 7, 8):
        read(image_size=size)
        made += [path for path in cache.folder().iterdir() if path not in made]
        for age, path in enumerate(reversed(made)):
            os.utime(path, (1e9 - age, 1e9 - age))
    assert read(image_size=6)[1] == 0  # is used now
    sizes = sum(path.stat().st_size for path in made)
    monkeypatch.setattr(cache, "MOST", sizes)
    read(image_size=5)
    assert made[0].exists() and not made[1].exists() and made[2].exists()


def test_a_place_where_nothing_can_be_written_costs_time_only(read, tmp_path):
    (tmp_path / "cache").write_text("a file is no folder")
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read()[1] == 60


def test_what_is_read_fast_or_is_not_to_be_kept_is_not_kept(pictures, monkeypatch):
    load(DataOptions(dataset=f"folder:{pictures}", picture_cache=False), "train")
    monkeypatch.setattr(cache, "WORTH", 60)
    load(DataOptions(dataset=f"folder:{pictures}"), "train")
    assert not cache.folder().exists()


@pytest.mark.slow
def test_no_flipped_bit_makes_another_picture_or_an_error(read):
    """Of the head and the directory, where numpy and zipfile look for sizes and methods."""
    before, _ = read()
    (kept,) = cache.folder().iterdir()
    whole = kept.read_bytes()
    places = [*range(0, 300, 7), *range(len(whole) - 400, len(whole), 7)]
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        kept.write_bytes(content)
        again, _ = read()
        assert np.array_equal(before, again), place


def test_an_array_of_another_shape_is_not_believed(read):
    before, _ = read()
    (kept,) = cache.folder().iterdir()
    np.savez(kept, pixels=before[:, :, :3], broken=np.array("{}"))
    again, decoded = read()
    assert decoded == 60 and np.array_equal(before, again)
