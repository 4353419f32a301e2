"""Whatever the form of a data set, it is read with the right meaning or refused in one line."""

import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from metaqnn.data.labels import folded
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load, load_split
from metaqnn.data.prediction import prepare
from metaqnn.errors import MetaqnnError
from tests.helpers.pictures import bars, learn

SIDE = 6

PIXELS = {
    # what an array of bytes becomes, and what is to be read of it
    "uint8": (lambda x: x, "bytes"),
    "int64": (lambda x: x.astype(np.int64), "bytes"),
    "float64 0 to 255": (lambda x: x.astype(np.float64), "bytes"),
    "float32 0 to 1": (lambda x: (x / 255).astype(np.float32), "unit"),
    "float16 0 to 1": (lambda x: (x / 255).astype(np.float16), "unit"),
    "float64 0 to 1": (lambda x: x / 255, "unit"),
    "uint16": (lambda x: x.astype(np.uint16) * 257, "values"),
    "big-endian": (lambda x: x.astype(">u2") * 16, "values"),
    "int8": (lambda x: (x.astype(int) - 128).astype(np.int8), "values"),
    "int16": (lambda x: x.astype(np.int16) * 10 - 1024, "values"),
    "-1 to 1": (lambda x: x / 127.5 - 1, "values"),
    "standardised": (lambda x: (x - x.mean()) / x.std(), "values"),
    "dark": (lambda x: ((x + 20.0) / 65535).astype(np.float32), "values"),
    "bool": (lambda x: x > 100, None),
}

LAYOUTS = {
    "(n, h, w)": lambda x: x[..., 0],
    "(n, h, w, c)": lambda x: x,
    "(n, c, h, w)": lambda x: np.moveaxis(x, 3, 1),
    "Fortran": lambda x: np.asfortranarray(x),
    "(h, w, c, n)": lambda x: np.moveaxis(x, 0, -1),
    "rows": lambda x: x.reshape(len(x), -1),
    "(n, h, w, c, 1)": lambda x: x[..., None],
}

TOLD = ("(h, w, c, n)", "rows", "(n, h, w, c, 1)")
"""Layouts that are refused."""

WORDS = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="\0"), min_size=1, max_size=8
).map(lambda word: unicodedata.normalize("NFC", word))


def labels_of(kind: str, places: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Labels of a form for the places of classes, and the names of those classes."""
    count = len(names)
    numbers = {
        "0..n-1": range(count),
        "1..n": range(1, count + 1),
        "-1/+1": (-1, 1),
        "gaps": [3 * place - 4 for place in range(count)],
        "whole floats": [float(place) for place in range(count)],
        "bool": (False, True),
    }
    if kind == "names":
        return np.array(names)[places], names
    if kind == "one-hot":
        return np.eye(count)[places], [str(place) for place in range(count)]
    if kind == "quantities":
        return places + 0.25, []
    if kind == "objects":
        return np.array(names, object)[places], []
    values = np.array(list(numbers[kind]))
    return values[places], [str(v).removesuffix(".0") for v in values.tolist()]


@st.composite
def data_sets(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            ["0..n-1", "1..n", "-1/+1", "gaps", "whole floats", "bool", "names", "one-hot"]
            + ["quantities", "objects"]
        )
    )
    count = 2 if kind in ("-1/+1", "bool") else draw(st.integers(2, 5))
    names = draw(st.lists(WORDS, min_size=count, max_size=count, unique_by=folded))
    return {
        "kind": kind,
        "names": names,
        "pixels": draw(st.sampled_from(sorted(PIXELS))),
        "layout": draw(st.sampled_from(sorted(LAYOUTS))),
        "channels": draw(st.sampled_from([1, 3])),
        "each": draw(st.integers(2, 9)),
        "rare": draw(st.integers(0, 3)),
        "test": draw(st.integers(0, 6)),
        "seed": draw(st.integers(0, 1000)),
        "suffixes": draw(st.sampled_from([("x_{}", "y_{}"), ("{}_images", "{}_labels")])),
    }


def write(folder: Path, what: dict[str, Any]) -> tuple[str, np.ndarray, np.ndarray, list[str]]:
    """A file of such data; its name, the pixels as bytes, the places of the classes, names."""
    random = np.random.default_rng(what["seed"])
    places = np.repeat(np.arange(len(what["names"])), what["each"])
    places = random.permutation(np.append(places, np.zeros(what["rare"], int)))
    pixels = random.integers(0, 256, (len(places), SIDE, SIDE, what["channels"])).astype(np.uint8)
    pixels[0].flat[:3] = 0, 1, 255  # the whole range is there
    labels, names = labels_of(what["kind"], places, what["names"])
    stored = LAYOUTS[what["layout"]](PIXELS[what["pixels"]][0](pixels))
    x, y = what["suffixes"]
    arrays = {x.format("train"): stored, y.format("train"): labels}
    if what["test"]:
        axis = -1 if what["layout"] == "(h, w, c, n)" else 0
        few = min(what["test"], len(places))
        arrays[x.format("test")] = np.take(stored, np.arange(few), axis)
        arrays[y.format("test")] = labels[:few]
    np.savez(folder / "a.npz", **arrays)
    return f"npz:{folder / 'a.npz'}", pixels, places, names


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data_sets())
def test_it_is_read_with_the_right_meaning_or_refused_in_one_line(what):
    assume(what["layout"] != "(n, h, w)" or what["channels"] == 1)
    with tempfile.TemporaryDirectory() as folder:
        dataset, pixels, places, names = write(Path(folder), what)
        config = DataOptions(dataset=dataset, validation=float(len(what["names"])))
        refused = what["layout"] in TOLD or what["kind"] in ("quantities", "objects")
        if refused:
            with pytest.raises(MetaqnnError) as error:
                load(config, "train")
            assert "\n" not in str(error.value) and len(str(error.value)) < 600
            return
        found, test = load(config, "train"), load(config, "test")
        training, validation = load_split(config)
        stored = np.load(f"{folder}/a.npz")[what["suffixes"][0].format("train")]
    # each image has the class that it had
    read = [found.classes[label] for label in found.labels]
    assert read == [names[place] for place in places]
    # and the pixels, up to what is no change to a network
    values = found.images.numpy().astype(np.float64)
    original = np.moveaxis(pixels, 3, 1).astype(np.float64)
    make, scale = PIXELS[what["pixels"]]
    if scale is None:
        original = np.where(original > 100, 255.0, 0.0)
    normalised = [(array - array.mean()) / array.std() for array in (values, original)]
    assert np.abs(normalised[0] - normalised[1]).max() < 1e-3
    assert scale is None or found.preparation.scale == scale
    # every class is in both parts of the split, and all images once
    for part in (training, validation):
        assert min(part.counts.values()) >= 1
    assert len(training) + len(validation) == len(places)
    # test and prediction are prepared alike
    if what["test"]:
        assert test is not None
        assert np.array_equal(test.images.numpy(), found.images[: len(test)].numpy())
        assert test.labels.tolist() == found.labels[: len(test)].tolist()
    else:
        assert test is None
    units = prepare(stored, found.shape, found.preparation)
    levels = units * found.preparation.factor
    assert np.allclose(levels, values, rtol=1e-6)


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pixels=st.sampled_from(sorted(PIXELS)),
    layout=st.sampled_from([name for name in LAYOUTS if name not in TOLD]),
    kind=st.sampled_from(["1..n", "names", "one-hot", "gaps"]),
)
def test_a_small_network_learns_it_and_its_predictions_agree(pixels, layout, kind):
    array, places = bars(60, channels=1)
    labels, names = labels_of(kind, places, ["ox", "yak", "zebu"])
    stored = LAYOUTS[layout](PIXELS[pixels][0](array))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        np.savez(path, x_train=stored, y_train=labels)
        accuracy, model = learn(Path(folder), dataset=f"npz:{path}")
    assert accuracy > 0.95
    right = [
        made == names[place] for made, place in zip(model.predict(stored), places, strict=True)
    ]
    assert np.mean(right) > 0.95
