"""What was read is said, what looks wrong too, and other data are known as such."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from metaqnn.cli import main
from metaqnn.data.files import READ
from metaqnn.data.fingerprint import differences, fingerprint, read_fingerprint
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load, load_split
from metaqnn.data.split import limited, split
from metaqnn.data.summary import summarise
from metaqnn.errors import MetaqnnError
from tests import ROOT
from tests.helpers.pictures import NAMES, bars, write_folder, write_npz

PIXELS, LABELS = bars(60)


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def warnings_of(dataset, **options):
    return "; ".join(load(DataOptions(dataset=dataset, **options), "train").origin.warnings)


def test_check_says_what_was_read(tmp_path):
    root = write_folder(tmp_path / "pets", parts=("train", "val", "test"))
    shutil.copytree(root / "train" / "ant", root / "train" / ".ipynb_checkpoints")
    shutil.rmtree(root / "test" / "bee")
    done = invoke("check", root)
    assert done.exit_code == 0, done.output
    for part in (
        f"folder:{root}: images of 12x12, colours, values 0 to 255",
        "images: 60 for training, 60 for validation of its own, 10 for test",
        "classes: 3, of 20 images",
        "left out: hidden folders: 1, such as .ipynb_checkpoints",
        "test has no image of the class 'bee'",
        "class      train    validation    test",
    ):
        assert part in done.output
    rows = [line.split() for line in done.output.splitlines() if line.startswith("bee")]
    assert rows == [["bee", "20", "20", "0"]]
    told = json.loads(invoke("check", root, "--format", "json").output)
    assert told["classes"]["test"] == {"ant": 5, "bee": 0, "cow": 5}
    assert told["shape"] == [3, 12, 12]


def test_check_of_a_test_that_is_refused_says_the_rest_first(tmp_path):
    root = write_folder(tmp_path / "pets")
    shutil.copytree(root / "test" / "bee", root / "test" / "aardvark")
    done = invoke("check", root)
    assert done.exit_code == 2
    assert "classes: 3" in done.stdout
    assert done.stderr.startswith("Error: ") and "aardvark" in done.stderr


def test_check_takes_the_options_of_a_run(tmp_path):
    root = write_folder(tmp_path / "pets", parts=("train",))
    (root / "train" / "ant" / "000.png").write_bytes(b"")
    done = invoke("check", root)
    assert done.exit_code == 2 and "--skip-broken" in done.stderr
    done = invoke("check", root, "--skip-broken", "--image-size", "6", "--train-limit", "30")
    assert "images of 6x6" in done.output and "27 for training, 3 for validation" in done.output
    done = invoke("check", root, "--transparency", "blue")
    assert (
        done.exit_code == 2 and "transparency is 'blue': one of white, black, keep" in done.stderr
    )
    done = invoke("check", "digits")
    assert "1,294 for training" in done.output or "1,150 for training" in done.output


def test_the_page_of_data_lists_what_is_read():
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    assert " ".join(READ) in " ".join(page.split())
    for option in ("--arrays", "--transparency", "--colour", "--skip-broken", "--image-size"):
        assert option in page


def test_test_images_that_were_trained_on_are_told(tmp_path):
    other = bars(15, seed=1)[0]
    x_test = np.concatenate([PIXELS[:4], other])
    arrays = {"x_train": PIXELS, "y_train": LABELS, "x_test": x_test, "y_test": LABELS[:19]}
    dataset = write_npz(tmp_path / "a.npz", **arrays)
    assert "4 of 19 test images are training images too" in invoke("check", dataset).output


def test_the_summary_is_ready_for_json(tmp_path):
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS / 255, y_train=LABELS)
    made = summarise(DataOptions(dataset=dataset))
    assert json.loads(json.dumps(asdict(made)))["images"] == {"training": 48, "validation": 12}
    assert "values 0 to 1, read as 0 to 255" in made.lines[0]
    assert "none for the test" in made.lines[1]


@pytest.mark.parametrize(("rare", "told"), [(10, False), (5, True)])
def test_options_for_rare_classes_are_named_where_there_are_some(tmp_path, rare, told):
    """Of the other class there are 30 images."""
    labels = np.repeat([0, 1], [30, rare])
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS[: len(labels)], y_train=labels)
    line = summarise(DataOptions(dataset=dataset)).lines[2]
    assert line.startswith(f"classes: 2, of {rare} to 30 images each in the training part")
    assert ("--metric and --class-weights" in line) == told


def clear(picture, place):
    """White on nothing: on white nothing is left."""
    pixels = np.full((*picture.size[::-1], 4), 255, np.uint8)
    pixels[..., 3] = (np.asarray(picture)[..., 0] > 100) * 255
    return Image.fromarray(pixels)


def test_what_nobody_thought_of_is_seen_in_the_pixels(tmp_path):
    dataset = f"folder:{write_folder(tmp_path / 'clear', convert=clear)}"
    told = warnings_of(dataset)
    assert "are all equal" in told and "--transparency black or keep" in told
    assert "ant/000.png" in told
    assert "are all equal" not in warnings_of(dataset, transparency="black")
    assert load(DataOptions(dataset=dataset, transparency="keep"), "train").shape == (4, 12, 12)
    for x, problem in (
        (PIXELS // 32, "few grey levels, 0 to 6 of 0 to 255"),
        (np.where(LABELS.reshape(-1, 1, 1, 1) == 1, 9, PIXELS), "20 of the training images"),
        (PIXELS[LABELS], "of which only 3 differ"),
        (
            np.where(np.arange(60).reshape(-1, 1, 1, 1) < 2, 7, PIXELS),
            "1 of 59 different pictures among",
        ),
        (np.where(np.arange(432).reshape(12, 12, 3) == 7, 1e6, PIXELS), "clip the others"),
    ):
        dataset = write_npz(tmp_path / "a.npz", x_train=x, y_train=LABELS)
        assert problem in warnings_of(dataset)
    assert warnings_of(write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS)) == ""


def test_the_majority_and_rare_classes_are_told(tmp_path):
    labels = np.where(np.arange(60) < 57, 0, 1)
    labels[-1] = 2
    told = warnings_of(write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=labels))
    assert "95.0% of the training images" in told and "of the class '0'" in told
    assert "few of some classes: '1' 2, '2' 1" in told


# rare classes


@given(
    counts=st.lists(st.integers(2, 60), min_size=2, max_size=6),
    share=st.floats(0, 1),
    seed=st.integers(0, 3),
)
def test_every_class_is_in_both_parts_of_every_split(counts, share, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    names = tuple(map(str, range(len(counts))))
    low, high = len(counts), len(labels) - len(counts)
    size = round(low + share * (high - low))
    first, second = split(np.arange(len(labels)), labels, names, size, seed)
    assert len(first) == size
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert np.array_equal(first, np.sort(first)) and np.array_equal(second, np.sort(second))
    for part in (first, second):
        assert set(labels[part]) == set(range(len(counts)))
    expected = np.array(counts) * size / len(labels)
    taken = np.bincount(labels[first], minlength=len(counts))
    inside = (taken > 1) & (taken < np.array(counts) - 1)
    if (np.abs(taken - expected) < 1).all() or not inside.all():
        return
    raise AssertionError((taken, expected))


def test_the_limit_leaves_every_class_enough(tmp_path):
    """Of 1,000 images 4 are of a class: it is trained on and validated, whatever the limit."""
    labels = np.zeros(1000, int)
    labels[:20], labels[20:24] = 1, 2
    labels = np.random.default_rng(0).permutation(labels)
    pixels = np.random.default_rng(0).integers(0, 230, (1000, 6, 6)).astype(np.uint8)
    dataset = write_npz(tmp_path / "a.npz", x_train=pixels, y_train=labels)
    for limit in (None, 500, 100, 40):
        config = DataOptions(dataset=dataset, train_limit=limit, validation=0.1)
        training, validation = load_split(config)
        assert len(training) + len(validation) == (limit or 1000)
        for part in (training, validation):
            assert min(part.counts.values()) >= 1, (limit, part.counts)
    with pytest.raises(MetaqnnError, match="train-limit is 5, but 3 classes need at least 6"):
        load_split(DataOptions(dataset=dataset, train_limit=5, validation=3.0))
    with pytest.raises(MetaqnnError, match="--validation 3 to 997"):
        load_split(DataOptions(dataset=dataset, validation=2.0))


def test_a_class_of_one_image_is_named(tmp_path):
    labels = LABELS.copy()
    labels[labels == 2] = 1
    labels[7] = 2
    names = np.array(["ant", "bee", "cow"])[labels]
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=names)
    with pytest.raises(MetaqnnError, match="the class 'cow' has but one image.*val/"):
        load_split(DataOptions(dataset=dataset))
    more = {"x_val": PIXELS[:6], "y_val": np.array(NAMES)[LABELS[:6]]}
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=names, **more)
    training, validation = load_split(DataOptions(dataset=dataset))
    assert training.counts["cow"] == 1 and validation.counts["cow"] == 2


def test_a_split_that_sklearn_can_make_is_sklearn_s():
    from sklearn.model_selection import train_test_split

    labels = np.random.default_rng(0).integers(0, 4, 200)
    first, second = split(np.arange(200), labels, tuple("abcd"), 30, 5)
    expected = train_test_split(np.arange(200), train_size=30, stratify=labels, random_state=5)
    assert np.array_equal(first, np.sort(expected[0]))
    assert np.array_equal(second, np.sort(expected[1]))
    used = limited(labels, tuple("abcd"), 100, 2, 5)
    expected = train_test_split(np.arange(200), train_size=100, stratify=labels, random_state=5)
    assert np.array_equal(used, np.sort(expected[0]))


# fingerprints


def print_of(x=PIXELS, y=LABELS, path=None, **options):
    dataset = write_npz(path / "a.npz", x_train=x, y_train=y)
    return fingerprint(load(DataOptions(dataset=dataset, **options), "train"))


def test_data_are_known_by_what_they_are_not_where(tmp_path):
    before = print_of(path=tmp_path)
    (tmp_path / "elsewhere").mkdir()
    again = print_of(path=tmp_path / "elsewhere")
    record = json.loads(json.dumps(again.model_dump(exclude_none=True)))
    assert again == before and differences(before, read_fingerprint(record)) == []
    noise = np.clip(PIXELS + np.random.default_rng(0).integers(-1, 2, PIXELS.shape), 0, 255)
    # another decoder's rounding is no other data
    assert differences(before, print_of(noise.astype(np.uint8), path=tmp_path)) == []


def test_what_differs_is_said(tmp_path):
    before = print_of(path=tmp_path)
    order = np.random.default_rng(0).permutation(60)
    for changes, problem in (
        ({"y": LABELS + 1}, "the class '0' is gone; the class '3' is new"),
        ({"x": PIXELS[:57], "y": LABELS[:57]}, "the class '0' has 19 images, not 20"),
        ({"x": PIXELS[..., :1]}, "the shape is (1, 12, 12), not (3, 12, 12)"),
        ({"x": PIXELS * 2.0 - 1}, "the scale is values, not bytes"),
        ({"y": LABELS[order]}, "other labels, or another order"),
        ({"x": PIXELS[..., ::-1]}, "images that were looked at are others"),
        ({"x": PIXELS[:, :, ::-1]}, "images that were looked at are others"),
        ({"x": PIXELS[::-1]}, "images that were looked at are others"),
        ({"x": 255 - PIXELS}, "images that were looked at are others"),
    ):
        told = "; ".join(differences(before, print_of(**changes, path=tmp_path)))
        assert problem in told


def test_one_image_among_few_that_changed_is_seen(tmp_path):
    before = print_of(path=tmp_path)
    changed = PIXELS.copy()
    changed[17] = 255 - changed[17]
    assert differences(before, print_of(changed, path=tmp_path)) == [
        "1 of 60 images that were looked at are others"
    ]


def test_the_fingerprint_of_a_run_s_images_does_not_depend_on_their_split(tmp_path):
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS)
    prints = []
    for options in ({}, {"split_seed": 3}, {"train_limit": 30}, {"validation": 0.3}):
        training, _ = load_split(DataOptions(dataset=dataset, **options))
        prints.append(training.origin.fingerprint)
    assert all(made == prints[0] for made in prints) and prints[0]


def test_validation_images_of_ones_own_are_data_too(tmp_path):
    """So that a run is not gone on with when they have changed, or are gone."""
    own = {"x_val": PIXELS[:12], "y_val": LABELS[:12]}

    def print_with(**arrays):
        dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS, **arrays)
        return load_split(DataOptions(dataset=dataset))[0].origin.fingerprint

    before = print_with(**own)
    assert differences(before, print_with(**own)) == []
    other = print_with(**(own | {"y_val": (LABELS[:12] + 1) % 3}))
    assert differences(before, other) == [
        "of the validation images, the images have other labels, or another order"
    ]
    assert "no more validation images of its own" in differences(before, print_with())[0]
    assert "now validation images of its own" in differences(print_with(), before)[0]


# without a test part


@pytest.mark.slow
def test_without_a_test_part_networks_are_trained_on_all_and_no_error_is_known(tmp_path):
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS)
    (tmp_path / "space.toml").write_text(
        'space = "chain"\nmade-for = "mnist"\nmax-depth = 1\nsize-bins = [8, 4, 1]\n'
        "[convolution]\nfilters = [4]\nfields = [3]\n[pooling]\nwindows = [[2, 2]]\n"
        "[fully-connected]\nunits = [16]\nmax-layers = 1\nmax-size = 8\n"
    )
    options = f"--space {tmp_path / 'space.toml'} --budget 1 --epochs 2 --batch-size 16 --quiet"
    where = f"--results-dir {tmp_path} --name r --device cpu --threads 1 --restart-below 0"
    done = invoke("run", "--dataset", dataset, *options.split(), *where.split())
    assert done.exit_code == 0, done.output
    done = invoke("finalize", tmp_path / "r", "-k", "1", "--epochs", "2")
    assert done.exit_code == 0, done.output
    assert "has no test images: no test error is known" in done.output
    weights = list((tmp_path / "r" / "final" / "short").glob("seed-0/*.safetensors"))
    assert len(weights) == 1
    target = tmp_path / "net.safetensors"
    done = invoke("export", tmp_path / "r", "--final", "short", "--to", target)
    assert done.exit_code == 0, done.output
    done = invoke(
        *("train", "[SM(3)]", "--final", "--dataset", dataset, "--epochs", "1"),
        *("--restart-below", "0", "--device", "cpu"),
    )
    assert "has no test images: no test error is known" in done.output


def test_images_keep_what_is_known_of_them_on_their_way_to_a_worker(tmp_path):
    from metaqnn.training.job import _unpack, pack_split

    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS * 3.0, y_train=LABELS)
    options = DataOptions(dataset=dataset)
    for sent, images in zip(pack_split(options), load_split(options), strict=True):
        made = _unpack(sent)
        assert made.preparation == images.preparation
        assert torch.equal(made.images, images.images)
        batch = made.images[:3].clone()
        made.normalise(made.images[:3])
        assert torch.equal(made.images[:3], batch)  # normalising leaves the images as they are


def test_names_that_could_move_the_cursor_are_told_as_text(tmp_path):
    root = write_folder(tmp_path / "a", names=("\x1b[2Jant\nall is well", "bee"), parts=("train",))
    done = invoke("check", root)
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output and r"\x1b[2Jant\nall is well" in done.output
