"""Arrays in files: what their names, shapes, numbers and labels mean, and what is refused."""

import io
import os
import warnings
import zipfile

import numpy as np
import pytest
import torch

from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load, load_split
from metaqnn.data.summary import summarise
from metaqnn.errors import MetaqnnError
from tests.helpers.pictures import bars, learn, write_npz

PIXELS, LABELS = bars(60, channels=1)
TEST_PIXELS, TEST_LABELS = bars(15, channels=1, seed=1)


def loaded(dataset, part="train", **options):
    return load(DataOptions(dataset=dataset, **options), part)


def refusal(dataset, part="train", **options):
    """The one line with which arrays are refused."""
    with pytest.raises(MetaqnnError) as error:
        loaded(dataset, part, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


STRINGS = np.array(["cat", "dog", "hen"])
FORMS = {
    "from 1": (LABELS + 1, ("1", "2", "3")),
    "-1 and 1": (np.where(LABELS == 0, -1, 1), ("-1", "1")),
    "gaps": (np.array([0, 3, 7])[LABELS], ("0", "3", "7")),
    "beyond ten": (np.array([9, 10, 100])[LABELS], ("9", "10", "100")),
    "bool": (LABELS == 0, ("False", "True")),
    "whole floats": (LABELS.astype(np.float32), ("0", "1", "2")),
    "strings": (STRINGS[LABELS], ("cat", "dog", "hen")),
    "bytes": (STRINGS.astype("S")[LABELS], ("cat", "dog", "hen")),
    "padded": (np.array(["a", "b  ", "a "])[LABELS], ("a", "b")),
    "one-hot": (np.eye(3)[LABELS], ("0", "1", "2")),
    "one-hot, bool": (np.eye(3, dtype=bool)[LABELS], ("0", "1", "2")),
    "one-hot, -1 and 1": (2 * np.eye(3, dtype=np.int8)[LABELS] - 1, ("0", "1", "2")),
    "column": (LABELS[:, None], ("0", "1", "2")),
    "row": (LABELS[None], ("0", "1", "2")),
    "big-endian": (LABELS.astype(">i2"), ("0", "1", "2")),
}


@pytest.mark.parametrize(("labels", "classes"), FORMS.values(), ids=FORMS)
def test_labels_of_every_form(tmp_path, labels, classes):
    found = loaded(write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=labels))
    assert found.classes == classes
    flat = labels.argmax(1) if labels.ndim == 2 and 1 not in labels.shape else labels.ravel()
    flat = np.char.decode(flat) if flat.dtype.kind == "S" else flat
    names = [str(value.strip() if isinstance(value, str) else value) for value in flat.tolist()]
    names = [name.removesuffix(".0") for name in names]
    assert [classes[label] for label in found.labels] == names


def test_labels_of_the_test_are_matched_by_value(tmp_path):
    for train, test in (
        (LABELS + 1, TEST_LABELS + 1),
        (np.eye(3)[LABELS], TEST_LABELS),
        (LABELS.astype(float), TEST_LABELS.astype(np.uint8)),
        (STRINGS[LABELS], np.char.upper(STRINGS)[TEST_LABELS]),
        (LABELS == 0, (TEST_LABELS == 0).astype(int)),
    ):
        dataset = write_npz(
            tmp_path / "a.npz",
            x_train=PIXELS,
            y_train=train,
            x_test=TEST_PIXELS[::-1],
            y_test=test[::-1],
        )
        found = loaded(dataset, "test")
        expected = (TEST_LABELS == 0) if train.dtype == bool else TEST_LABELS
        assert found.labels.tolist() == expected[::-1].astype(int).tolist()
        assert found.classes == loaded(dataset).classes


def test_a_test_that_lacks_a_class_or_has_another(tmp_path):
    arrays = {"x_train": PIXELS, "y_train": LABELS + 5, "x_test": TEST_PIXELS}
    few = TEST_LABELS == 2
    dataset = write_npz(
        tmp_path / "a.npz", **{**arrays, "x_test": TEST_PIXELS[few]}, y_test=TEST_LABELS[few] + 5
    )
    assert loaded(dataset, "test").labels.tolist() == [2] * 5
    assert any(
        "y_test has no image of the class '5', '6'" in w for w in loaded(dataset).origin.warnings
    )
    dataset = write_npz(tmp_path / "a.npz", **arrays, y_test=TEST_LABELS)
    assert "y_test has the class '0', '1', '2', which" in refusal(dataset, "test")
    assert any("y_test has the class '0'" in w for w in loaded(dataset).origin.warnings)


X = PIXELS.astype(float)
SCALES = {
    "bytes": (PIXELS, "bytes"),
    "whole floats": (X, "bytes"),
    "64 bits": (PIXELS.astype(np.int64), "bytes"),
    "unit": ((X / 255).astype(np.float32), "unit"),
    "half precision": ((X / 255).astype(np.float16), "unit"),
    "bool": (PIXELS > 100, "unit"),
    "16 bits": (PIXELS.astype(np.uint16) * 257, "values"),
    "big-endian": (PIXELS.astype(">u2") * 257, "values"),
    "signed bytes": ((PIXELS.astype(int) - 128).astype(np.int8), "values"),
    "Hounsfield": (PIXELS.astype(np.int16) * 10 - 1000, "values"),
    "-1 to 1": (X / 127.5 - 1, "values"),
    "standardised": ((X - X.mean()) / X.std(), "values"),
    "Kelvin": (290 + X / 50, "values"),
    "floats to 255": (X * 0.9971, "values"),
    "dark": (((20 + X * 0.43) / 65535).astype(np.float32), "values"),
    "dark, with a hot pixel": (
        np.where(np.arange(144).reshape(12, 12, 1) == 7, 1.0, (20 + X) / 65535),
        "values",
    ),
    "low contrast": (0.5 + X / 65535, "values"),
    "tiny": (X * 1e-12, "values"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("x", "scale"), SCALES.values(), ids=SCALES)
def test_numbers_of_every_scale_are_learnt_and_predicted_as_they_are(tmp_path, x, scale):
    dataset = write_npz(
        tmp_path / "a.npz", x_train=x, y_train=LABELS, x_test=x[:15], y_test=LABELS[:15]
    )
    accuracy, model = learn(tmp_path, dataset=dataset)
    assert model.facts.preparation.scale == scale
    if x[0, 0, 7, 0] == 1.0:  # a hot pixel drowns the others, which is told
        assert any("clip the others" in w for w in loaded(dataset).origin.warnings)
    else:
        assert accuracy > 0.95
        assert np.mean(np.array(model.predict(x)).astype(int) == LABELS) > 0.95
    # what was trained on, what is tested and what is predicted are the same, in every layout
    test = loaded(dataset, "test")
    assert torch.equal(test.images, loaded(dataset).images[:15])
    first = model.scores(x[:15])
    for same in (x[:15, ..., 0], np.moveaxis(x[:15], 3, 1), x[:15].astype(np.float64)):
        assert np.allclose(model.scores(same), first, atol=1e-5)


def test_what_resizing_has_overshot_is_brought_to_the_ends_of_the_scale(tmp_path):
    for train, test in ((PIXELS / 255, PIXELS / 200), (PIXELS, PIXELS / 200)):
        dataset = write_npz(
            tmp_path / "a.npz", x_train=train, y_train=LABELS, x_test=test - 0.01, y_test=LABELS
        )
        made = loaded(dataset, "test").images.numpy()
        expected = np.clip(np.round((test - 0.01) * 255), 0, 255)
        assert np.array_equal(made, np.moveaxis(expected, 3, 1))


def test_a_test_of_another_scale_is_read_where_it_cannot_be_mistaken(tmp_path):
    for train, test, same in (
        (PIXELS, PIXELS / 255, True),
        (PIXELS / 255, PIXELS, True),
        (PIXELS, PIXELS.astype(np.float64), True),
        (PIXELS.astype(np.uint16) * 257, (PIXELS * 257.0) / 65535, False),
        (PIXELS, PIXELS.astype(np.uint16) * 257, False),
        (PIXELS.astype(np.uint16) * 257, PIXELS, False),
        ((PIXELS > 99).astype(np.uint8), PIXELS, False),
        (PIXELS / 127.5 - 1, PIXELS, False),
        (PIXELS, PIXELS / 127.5 - 1, False),
        (PIXELS / 255, PIXELS.astype(int) * 257, False),
        (PIXELS, PIXELS / 70, False),
        (PIXELS / 255, PIXELS / 70, False),
    ):
        dataset = write_npz(
            tmp_path / "a.npz", x_train=train, y_train=LABELS, x_test=test, y_test=LABELS
        )
        if same:
            assert torch.equal(loaded(dataset, "test").images, loaded(dataset).images)
        else:
            assert "both must have the same scale" in refusal(dataset, "test")


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ((6, 12, 12), (1, 12, 12)),
        ((6, 12, 12, 1), (1, 12, 12)),
        ((6, 12, 12, 3), (3, 12, 12)),
        ((6, 12, 12, 5), (5, 12, 12)),
        ((6, 1, 12, 12), (1, 12, 12)),
        ((6, 3, 12, 12), (3, 12, 12)),
        ((6, 4, 12, 12), (4, 12, 12)),
        ((6, 3, 3, 3), (3, 3, 3)),
    ],
)
def test_channels_first_or_last(tmp_path, shape, read):
    random = np.random.default_rng(0)
    x = random.integers(0, 256, shape).astype(np.uint8)
    dataset = write_npz(tmp_path / "a.npz", x_train=x, y_train=np.arange(6) % 2)
    found = loaded(dataset)
    assert found.shape == read
    first = shape[1:] == read and read != (3, 3, 3)  # the last axis is that of colours
    expected = x if first else np.moveaxis(x.reshape(*shape[:3], -1), 3, 1)
    assert np.array_equal(found.images.numpy(), expected)
    assert any("channels first" in w for w in found.origin.warnings) == (first and len(shape) == 4)


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ((6, 14, 14, 14), "looks like volumes"),
        ((6, 16, 28, 28), r"looks like channels or slices first: np.moveaxis\(x, 1, -1\)"),
        ((6, 8, 8, 8, 1), "of a volume one slice is a picture"),
        ((6, 784), r"x.reshape\(-1, 28, 28\)"),
        ((6, 3072), r"x.reshape\(-1, 32, 32, 3\)"),
        ((12, 12, 6), "its last axis counts the images"),
        ((12, 12, 3, 6), r"np.moveaxis\(x, -1, 0\)"),
        ((6,), "must have the shape"),
        ((6, 32, 3, 32), "nobody knows which axis the channels are"),
        ((6, 10, 32, 28), "nobody knows which axis the channels are"),
    ],
)
def test_shapes_that_are_refused_with_a_way_on(tmp_path, shape, problem):
    dataset = write_npz(
        tmp_path / "a.npz", x_train=np.zeros(shape, np.uint8), y_train=np.arange(6) % 2
    )
    with pytest.raises(MetaqnnError, match=problem):
        loaded(dataset)


REFUSED = {
    "objects": ({"y_train": STRINGS.astype(object)[LABELS]}, "y.astype(str)"),
    "ragged": (
        {"x_train": np.array([PIXELS[0], PIXELS[0, :5]], object)},
        "pictures of different sizes as files",
    ),
    "quantities": ({"y_train": LABELS + 0.5}, "np.digitize"),
    "missing": ({"y_train": np.where(LABELS == 2, np.nan, LABELS)}, "20 labels are NaN"),
    "multi-hot": ({"y_train": np.ones((60, 3))}, "several classes at once"),
    "soft": ({"y_train": np.eye(3)[LABELS] * 0.8 + 0.1 * LABELS[:, None]}, "others than two"),
    "no name": ({"y_train": np.array(["a", "b", " "])[LABELS]}, "20 labels are empty"),
    "dates": ({"y_train": LABELS.astype("M8[D]")}, "the type datetime64[D]"),
    "NaN": (
        {"x_train": np.where(np.arange(60).reshape(60, 1, 1, 1) == 4, np.nan, X)},
        "144 pixels that are NaN or infinite, the first in image 4",
    ),
    "infinite": ({"x_train": np.where(X > 0, np.inf, X)}, "NaN or infinite"),
    "complex": ({"x_train": X * 1j}, "must be numbers, not complex128"),
    "constant": ({"x_train": X * 0 + 300}, "is 300 everywhere"),
    "too fine": ({"x_train": PIXELS.astype(np.int64) + 10**9}, "subtract 1e+09"),
    "too small": ({"x_train": PIXELS * 1e-200}, "is more than float32 tells apart"),
    "none": ({"x_train": PIXELS[:0], "y_train": LABELS[:0]}, "there are no images"),
    "one class": ({"y_train": LABELS * 0}, "one class only, '0'"),
}


@pytest.mark.parametrize(("arrays", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_how_to_mend_it(tmp_path, arrays, problem):
    dataset = write_npz(tmp_path / "a.npz", **{"x_train": PIXELS, "y_train": LABELS} | arrays)
    assert problem in refusal(dataset)


@pytest.mark.parametrize(
    "names",
    [
        ("train_images", "train_labels", "test_images", "test_labels", "val_images", "val_labels"),
        ("X_train", "Y_train", "X_test", "Y_test", "X_valid", "Y_valid"),
        ("trainX", "trainY", "testX", "testY", "validationX", "validationY"),
        ("x", "y", "x_test", "y_test", "x_val", "y_val"),
        ("images", "labels", "TestImages", "TestLabels", "dev_images", "dev_labels"),
    ],
)
def test_arrays_by_their_usual_names(tmp_path, names):
    x, y, x_test, y_test, x_val, y_val = names
    arrays = {x: PIXELS, y: LABELS, x_test: TEST_PIXELS, y_test: TEST_LABELS}
    dataset = write_npz(tmp_path / "a.npz", **arrays, **{x_val: PIXELS[:9], y_val: LABELS[:9]})
    training, validation = load_split(DataOptions(dataset=dataset))
    assert (len(training), len(validation)) == (60, 9)
    assert len(loaded(dataset, "test")) == 15
    assert not training.origin.left_out


def test_arrays_by_the_names_that_are_given(tmp_path):
    dataset = write_npz(tmp_path / "a.npz", arr_0=PIXELS, arr_1=LABELS, other=PIXELS)
    assert "--arrays IMAGES,LABELS" in refusal(dataset)
    assert len(loaded(dataset, arrays="arr_0,arr_1")) == 60
    assert loaded(dataset, "test", arrays="arr_0,arr_1") is None
    assert "has no array arr_2" in refusal(dataset, arrays="arr_0,arr_2")
    assert "arr_0 are not pairs; --arrays" in refusal(dataset, arrays="arr_0")
    assert len(loaded(dataset, arrays=" arr_0 , arr_1 ")) == 60


def test_files_of_one_array(tmp_path, monkeypatch):
    for name, array in (("x_train", PIXELS), ("y_train", LABELS)):
        np.save(tmp_path / f"{name}.npy", array)
    expected = loaded(write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS)).images
    both = f"{tmp_path / 'x_train.npy'},{tmp_path / 'y_train.npy'}"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for path in (
        *(f"npz:{tmp_path}", f"npz:{tmp_path / 'x_train.npy'}", f"npz:{both}"),
        *("npz:~/a.npz", "~/a.npz", str(tmp_path / "a.npz"), "NPZ:a.npz", "x_train.npy"),
    ):
        assert torch.equal(loaded(path).images, expected), path
    np.save(tmp_path / "pixels.npy", PIXELS)
    np.save(tmp_path / "answers.npy", LABELS)
    assert torch.equal(loaded("npz:pixels.npy,answers.npy").images, expected)
    (tmp_path / "alone").mkdir()
    np.save(tmp_path / "alone" / "m.npy", PIXELS)
    assert "npz:IMAGES.npy,LABELS.npy" in refusal("alone/m.npy")


def test_what_else_is_in_the_file_is_told(tmp_path):
    dataset = write_npz(
        tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS, x_test=PIXELS, weights=LABELS
    )
    told = "; ".join(loaded(dataset).origin.left_out)
    assert "x_test without labels" in told and "the array weights" in told
    assert loaded(dataset, "test") is None


def test_test_images_of_another_shape_are_told_before_a_search(tmp_path):
    for other in (TEST_PIXELS.repeat(2, 1).repeat(2, 2), TEST_PIXELS.repeat(3, 3)):
        dataset = write_npz(
            tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS, x_test=other, y_test=TEST_LABELS
        )
        assert "both must be alike" in refusal(dataset, "test")
        assert any(
            "both must be alike" in w for w in summarise(DataOptions(dataset=dataset)).warnings
        )


def test_a_part_with_channels_first_is_the_same_as_one_with_channels_last(tmp_path):
    arrays = {"x_train": PIXELS, "y_train": LABELS, "y_test": TEST_LABELS}
    last = write_npz(tmp_path / "a.npz", **arrays, x_test=TEST_PIXELS)
    first = write_npz(tmp_path / "b.npz", **arrays, x_test=np.moveaxis(TEST_PIXELS, 3, 1))
    assert torch.equal(loaded(first, "test").images, loaded(last, "test").images)
    assert not summarise(DataOptions(dataset=first)).warnings


def test_columns_of_another_number_are_of_other_classes(tmp_path):
    """As of a class that the test has not, and so no column of."""
    arrays = {"x_train": PIXELS, "y_train": np.eye(3)[LABELS], "x_test": TEST_PIXELS}
    few = np.eye(2)[TEST_LABELS % 2]
    dataset = write_npz(tmp_path / "a.npz", **arrays, y_test=few)
    assert "y_test has 2 columns" in refusal(dataset, "test")
    for same in (np.eye(3)[TEST_LABELS], TEST_LABELS, TEST_LABELS[None], TEST_LABELS[:, None]):
        dataset = write_npz(tmp_path / "a.npz", **arrays, y_test=same)
        assert loaded(dataset, "test").labels.tolist() == TEST_LABELS.tolist()


@pytest.mark.filterwarnings("error")
def test_labels_of_few_bits(tmp_path):
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS.astype(np.float16))
    assert loaded(dataset).classes == ("0", "1", "2")


def test_what_is_said_of_a_layout_is_said_of_the_array_that_has_it(tmp_path):
    arrays = {"y_train": LABELS, "y_test": TEST_LABELS, "x_test": TEST_PIXELS}
    dataset = write_npz(tmp_path / "a.npz", x_train=np.moveaxis(PIXELS, 3, 1), **arrays)
    told = [text for text in summarise(DataOptions(dataset=dataset)).warnings if "first" in text]
    assert len(told) == 1 and "x_train is read with channels first" in told[0]


def test_long_names_of_two_arrays(tmp_path):
    both = [tmp_path / f"{letter * 200}.npy" for letter in "xy"]
    for path, array in zip(both, (PIXELS, LABELS), strict=True):
        np.save(path, array)
    assert len(loaded(f"npz:{both[0]},{both[1]}")) == 60


def test_each_image_of_a_class_of_its_own(tmp_path):
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=np.arange(60))
    with pytest.raises(MetaqnnError, match="60 images are too few .* each of the 60 classes"):
        load_split(DataOptions(dataset=dataset))


def test_archives_that_are_no_data_set(tmp_path):
    path = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS).removeprefix("npz:")
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("x_train.npy", npy((1,), bytes(1)))
    assert "it has x_train twice" in refusal(f"npz:{path}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x_train.npy", npy((4, 8, 8), bytes(256)))
    assert "packed otherwise than np.savez_compressed does" in refusal(f"npz:{path}")


def test_a_part_without_images_is_none(tmp_path):
    empty = {"x_test": TEST_PIXELS[:0], "y_test": TEST_LABELS[:0]}
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS, **empty)
    assert loaded(dataset, "test") is None
    assert "the test part, which has no images" in loaded(dataset).origin.left_out
    assert "has no images" not in refusal(
        write_npz(tmp_path / "b.npz", x_train=PIXELS[:0], y_train=LABELS[:0])
    )
    bigger = TEST_PIXELS.repeat(2, 1).repeat(2, 2)
    dataset = write_npz(
        tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS, x_test=bigger, y_test=TEST_LABELS
    )
    assert loaded(dataset, "test", image_size=12).shape == (1, 12, 12)


# files whose headers lie


def npy(shape, body=b"", kind="|u1"):
    written = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(written, header)
    return written.getvalue() + body


LIES = {
    "terabytes": npy((10**12, 64, 64)),
    "too few": npy((4, 8, 8), bytes(100)),
    "too many": npy((4, 8, 8), bytes(1000)),
    "negative": npy((-4, 8, 8), bytes(256)),
    "wide items": npy((4,), bytes(64), "|S99999999999"),
    "no header": b"\x93NUMPY\x01\x00\xff\xff{",
    "deep header": b"\x93NUMPY\x01\x00\x40\x1f" + b"(" * 8000,
    "long header": npy((4,), bytes(64), [(f"field {place}", "<f4") for place in range(900)]),
    "another version": b"\x93NUMPY\x07\x00" + bytes(64),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_headers_that_lie_allocate_nothing(tmp_path, lie, method):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("x_train.npy", lie)
        archive.writestr("y_train.npy", npy((4,), bytes((0, 1, 0, 1))))
    told = refusal(f"npz:{tmp_path / 'a.npz'}")
    assert "cannot be read as an npz file" in told
    assert len(told) < 500 and "allow_pickle" not in told
    (tmp_path / "x_train.npy").write_bytes(lie)
    np.save(tmp_path / "y_train.npy", np.arange(4) % 2)
    assert "cannot be read as an npz file" in refusal(f"npz:{tmp_path}")


def test_a_zip_file_that_lies_about_sizes(tmp_path):
    """Of 16 GB of zeros, which deflate to 16 MB, no more than the machine has is unpacked."""
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", npy((4 * 10**6, 8, 8), bytes(256)))
        archive.writestr("y_train.npy", npy((4,), bytes((0, 1, 0, 1))))
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\x01\x02")  # the central directory says the size again
    data[place + 24 : place + 28] = (4 * 10**6 * 64 + 128).to_bytes(4, "little")
    path.write_bytes(data)
    assert "cannot be read as an npz file" in refusal(f"npz:{path}")


def test_no_more_memory_than_the_machine_has(tmp_path, monkeypatch):
    monkeypatch.setattr("metaqnn.data.arrays.machine_memory", lambda: 5000)
    dataset = write_npz(tmp_path / "a.npz", x_train=PIXELS, y_train=LABELS)
    assert "x_train needs" in refusal(dataset) and "this machine has" in refusal(dataset)


# parts of different scales


def levels(count, seed):
    """The class is the brightness."""
    drawn = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pixels = 40 + 80 * labels[:, None, None] + drawn.integers(-15, 16, (count, 12, 12))
    return pixels.astype(np.uint8), labels


BRIGHT, THREE = levels(90, 0)
OTHER, OTHERS = levels(30, 1)
SIXTEEN, SIXTEENTHS = np.round(BRIGHT / 255 * 16), np.round(OTHER / 255 * 16)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (SIXTEEN, SIXTEENTHS / 16),
        (SIXTEEN, OTHER),
        (SIXTEEN.astype(np.uint8), OTHER / 255),
    ],
)
def test_numbers_of_which_the_scale_cannot_be_told_are_refused(tmp_path, train, test):
    dataset = write_npz(
        tmp_path / "a.npz", x_train=train, y_train=THREE, x_test=test, y_test=OTHERS
    )
    assert "both must have the same scale" in refusal(dataset, "test")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (BRIGHT / 127.5 - 1, OTHER / 255),
        ((BRIGHT - BRIGHT.mean()) / BRIGHT.std(), OTHER / 255),
        (BRIGHT.astype(np.uint16) * 257, OTHER.astype(np.uint16) * 16),
        (BRIGHT, SIXTEENTHS),
    ],
)
def test_parts_that_lie_elsewhere_are_told(tmp_path, train, test):
    dataset = write_npz(
        tmp_path / "a.npz", x_train=train, y_train=THREE, x_test=test, y_test=OTHERS
    )
    told = summarise(DataOptions(dataset=dataset)).warnings
    assert any("are both of one scale?" in text for text in told)


@pytest.mark.parametrize("change", [lambda x: x, lambda x: x / 255, lambda x: x * 257.0 - 1000])
def test_parts_of_one_scale_are_not(tmp_path, change):
    arrays = {"x_train": change(BRIGHT), "x_test": change(OTHER)}
    dataset = write_npz(tmp_path / "a.npz", y_train=THREE, y_test=OTHERS, **arrays)
    assert not summarise(DataOptions(dataset=dataset)).warnings


def test_what_has_no_end_or_no_room_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    assert "neither a file nor a folder" in refusal(f"npz:{tmp_path / 'a.npz'}")
    dataset = write_npz(tmp_path / "b.npz", x_train=PIXELS, y_train=LABELS)
    assert "a smaller --image-size" in refusal(dataset, image_size=200_000)
    with pytest.raises(MetaqnnError, match="nosuchuser"):
        DataOptions(dataset="npz:~nosuchuser/x.npz")
