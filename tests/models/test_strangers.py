"""Model files from strangers: no code runs, nothing is built unseen, all is told in one line."""

import json
import os
import pickle
import struct
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import metaqnn
from metaqnn.cli import main
from metaqnn.errors import MetaqnnError
from metaqnn.models.checks import RUNS_CODE
from metaqnn.models.formats import export
from tests import ROOT
from tests.helpers.commands import refused
from tests.helpers.mutations import MUTATIONS, mutate_bytes
from tests.helpers.networks import make_network

TEXT, SHAPE = "[C(2,3,1), P(2,2), BN, GAP(3), SM(3)]", (1, 4, 4)
EXAMPLES = 500
"""Mutated files of each format."""

PATIENCE = 10
"""Seconds that none of them may take."""


class Payload:
    """A pickle that makes a folder when it is read."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):  # noqa: D105
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    """What payloads make."""
    return tmp_path / "code has run"


@pytest.fixture
def safetensors(tmp_path):
    path = tmp_path / "good.safetensors"
    export(*make_network(TEXT, SHAPE), path)
    return path


@pytest.fixture(scope="module")
def onnx_bytes(tmp_path_factory):
    """ONNX takes seconds to write."""
    path = tmp_path_factory.mktemp("good") / "good.onnx"
    export(*make_network(TEXT, SHAPE), path)
    return path.read_bytes()


@pytest.mark.slow
def test_onnx_does_not_say_where_the_programs_of_its_maker_lie(onnx_bytes):
    for path in (ROOT, torch.__file__, sys.executable):
        assert str(Path(path).parent).encode() not in onnx_bytes


def pickles(mark):
    saved = BytesIO()
    torch.save(Payload(mark), saved)
    return {
        "torch.save": saved.getvalue(),
        "pickle": pickle.dumps(Payload(mark)),
        "source": f"import os; os.mkdir({str(mark)!r})".encode(),
    }


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("suffix", [*RUNS_CODE, ".PT2"])
@pytest.mark.parametrize("kind", ["torch.save", "pickle", "source"])
def test_what_can_run_code_is_not_read(tmp_path, mark, suffix, kind):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(pickles(mark)[kind])
    Image.new("L", SHAPE[1:]).save(tmp_path / "a.png")
    with pytest.raises(MetaqnnError, match=r"can run any code .*\.safetensors or \.onnx") as caught:
        metaqnn.load(path)
    assert "trust=True" in str(caught.value)
    refused(invoke("predict", path, tmp_path / "a.png"), "can run any code", "--trust")
    refused(invoke("export", path, "--to", tmp_path / "b.onnx"), "can run any code", ".safetensors")
    refused(invoke("train", "--init-from", path), "can run any code", ".safetensors")
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
@pytest.mark.parametrize("kind", ["torch.save", "pickle", "source"])
def test_a_pickle_under_another_name_is_damaged(tmp_path, mark, suffix, kind):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(pickles(mark)[kind])
    for trust in (False, True):
        with pytest.raises(MetaqnnError, match=r"^.*cannot be read: [^\n]*$"):
            metaqnn.load(path, trust=trust)
    assert not mark.exists()


def test_what_is_trusted_is_run(tmp_path, mark):
    path = tmp_path / "net.py"
    path.write_bytes(pickles(mark)["source"])
    with pytest.raises(MetaqnnError, match="it has no ARCHITECTURE, which"):
        metaqnn.load(path, trust=True)
    assert mark.exists()


def header_of(content):
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def with_header(header, rest):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


ANYTHING = (
    *("", "null", "[]", "5", '"xyz"', "[[1]]", "[NaN]", "[1e400]", "{}", "9" * 5000),
    *("[" * 3000, "[" * 900 + "]" * 900),
)
VALUES = {
    "input_shape": (
        *("[-1, 4, 4]", "[1, 4]", "[1, 4.0, 4]", "[true, 4, 4]", "[1, 4, 99999999999]"),
        *("[3, 4, 4]", "[1, 1, 1]"),
    ),
    "classes": ('["a"]', '["a", "b", 3]', '["a", "b", "c", "d"]'),
    "mean": ("[1, 2]", "[NaN]", "[-Infinity]", "[1e39]", "[true]", '["0"]'),
    "deviation": ("[0]", "[-1]", "[1, 2, 3]", "[NaN]", f"[1{'0' * 400}]"),
    "contrast": (),
}
HOSTILE = [
    *((key, value) for key, values in VALUES.items() for value in (*ANYTHING, *values)),
    *(
        ("architecture", text)
        for text in ("", "[]", "[FC(9,)]", "[C(2,4,1), SM(3)]", "x" * 200_000)
    ),
    *(("architecture", text) for text in ("[C(2,3,1),\x1c SM(3)]", "[SM(3)] -> 0 a=nan")),
    ("architecture", "[C(999999999,3,1), SM(3)]"),
]


def hostile_id(value):
    return f"{value:.20}" if isinstance(value, str) else None


@pytest.mark.parametrize(("key", "value"), HOSTILE, ids=hostile_id)
def test_hostile_metadata_of_safetensors_are_told_in_one_line(safetensors, key, value):
    header, rest = header_of(safetensors.read_bytes())
    header["__metadata__"][key] = value
    safetensors.write_bytes(with_header(header, rest))
    with pytest.raises(MetaqnnError, match=r"^.{0,700}$"):
        metaqnn.load(safetensors)
    refused(
        invoke("export", safetensors, "--to", safetensors.with_suffix(".pt2")), "cannot be read"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("key", "value"), HOSTILE, ids=hostile_id)
def test_hostile_metadata_of_onnx_are_told_in_one_line(tmp_path, onnx_bytes, key, value):
    import onnx

    model = onnx.load_model_from_string(onnx_bytes)
    next(entry for entry in model.metadata_props if entry.key == key).value = value
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(MetaqnnError, match=r"^.{0,700}$"):
        metaqnn.load(path)
    refused(invoke("predict", path, "nowhere.png"), "cannot be read")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # 1.7 million, 6 billion (24 GB) and 180,003
        ("[FC(100000), FC(60000), SM(3)]", r"the network has 6,001,940,003 weights, and the file"),
        ("[C(2,3,1), P(2,2), BN, GAP(3), FC(9), SM(3)]", "the network has [0-9]+ weights, and the"),
        ("[P(2,2), SM(3)]", "state_dict"),
        ("[C(999999999,3,1), SM(3)]", "GB for one image, this machine has"),
    ],
)
def test_weights_are_counted_before_a_network_is_built(safetensors, text, message):
    header, rest = header_of(safetensors.read_bytes())
    header["__metadata__"]["architecture"] = text
    safetensors.write_bytes(with_header(header, rest))
    with pytest.raises(MetaqnnError, match=message):
        metaqnn.load(safetensors)


def test_tensors_of_another_type_are_refused(safetensors):
    header, rest = header_of(safetensors.read_bytes())
    header["layers.0.0.bias"] |= {"dtype": "F64", "shape": [1]}
    safetensors.write_bytes(with_header(header, rest))
    with pytest.raises(MetaqnnError, match="'layers.0.0.bias' is of F64, not of F32 or I64"):
        metaqnn.load(safetensors)


def test_layers_that_no_memory_holds_are_refused(safetensors, monkeypatch):
    # weights 20 + 4 + 9 + 12; the image, C, P with 8 bytes a maximum, BN, GAP of 3 maps, SM: floats
    kept = 4 * (16 + 2 * 16 + 2 * 4 + 2 * 4 + 3 * 4 + 3 + 3) + 8 * 2 * 4
    needed = 4 * (20 + 4 + 9 + 12) + kept
    monkeypatch.setattr("metaqnn.models.checks.machine_memory", lambda: needed)
    metaqnn.load(safetensors)
    monkeypatch.setattr("metaqnn.models.checks.machine_memory", lambda: needed - 1)
    with pytest.raises(MetaqnnError, match="its layers need .* GB for one image, this machine has"):
        metaqnn.load(safetensors)


def test_no_more_images_at_once_than_fit_into_memory(safetensors, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (9, *SHAPE))
    expected = metaqnn.load(safetensors).scores(images)
    monkeypatch.setattr("metaqnn.models.formats.machine_memory", lambda: 4000)
    model = metaqnn.load(safetensors)
    sizes = []
    score = torch.nn.Module.__call__

    def count(module, *arguments):
        if type(module).__name__ == "Normalised":
            sizes.append(len(arguments[0]))
        return score(module, *arguments)

    monkeypatch.setattr(torch.nn.Module, "__call__", count)
    assert np.allclose(model.scores(images), expected, atol=1e-6)
    assert sum(sizes) == 9 and max(sizes) < 5


def test_weights_that_are_no_numbers_predict_nothing(tmp_path):
    network, facts = make_network(TEXT, SHAPE)
    with torch.no_grad():
        next(network.parameters())[0] = torch.nan
    export(network, facts, tmp_path / "a.safetensors")
    model = metaqnn.load(tmp_path / "a.safetensors")
    with pytest.raises(MetaqnnError, match=r"its scores are not \(2, 3\) finite numbers"):
        model.predict(np.zeros((2, *SHAPE)))


def _add_operator(model, op, inputs, domain="", **attributes):
    import onnx

    node = onnx.helper.make_node(op, inputs, ["made"], domain=domain, **attributes)
    model.graph.node.insert(0, node)


def _add_array(model, values):
    import onnx

    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(values), "values"))


def external_data(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="/etc/passwd")


def custom_domain(model):
    _add_operator(model, "Anything", ["images"], domain="strange")
    model.opset_import.add(domain="strange", version=1)


def custom_operator(model):
    _add_operator(model, "Anything", ["images"], domain="strange")


def huge_claim(model):
    model.graph.initializer[0].dims[:] = [10**6, 10**6]


def tiles(model):
    _add_array(model, [10**6, 1, 1, 1])
    _add_operator(model, "Tile", ["images", "values"])


def padding(model):
    _add_array(model, [0, 0, 0, 0, 0, 0, 10**5, 10**5])
    _add_operator(model, "Pad", ["images", "values"], mode="constant")


def product_of_images(model):
    """Its size is the square of the number of images."""
    import onnx

    _add_array(model, [-1, 1])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, -1]), "row"))
    nodes = [
        onnx.helper.make_node("Reshape", ["images", "values"], ["left"]),
        onnx.helper.make_node("Reshape", ["images", "row"], ["right"]),
        onnx.helper.make_node("MatMul", ["left", "right"], ["made"]),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def stride_of_nothing(model):
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    next(entry for entry in node.attribute if entry.name == "strides").ints[:] = [0, 0]


def other_input(model):
    model.graph.input[0].name = "other"


def loop(model):
    _add_operator(model, "Loop", ["", "", "images"], body=model.graph)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external_data, "lie in another file"),
        (custom_domain, "no export of ours has operators of 'strange'"),
        (custom_operator, "no export of ours has an operator 'strangeAnything'"),
        (huge_claim, "cannot reshape array of size 18"),
        (tiles, "no export of ours has an operator 'Tile'"),
        (loop, "no export of ours has an operator 'Loop'"),
        (padding, "its layers make .* values of 512 images, its network at most"),
        (product_of_images, "its layers make .* values of 512 images, its network at most"),
        (stride_of_nothing, r"'strides' of Conv is \[0, 0\]"),
        (other_input, "must read images and make scores"),
    ],
)
def test_hostile_onnx_is_told_in_one_line(tmp_path, onnx_bytes, change, message):
    import onnx

    model = onnx.load_model_from_string(onnx_bytes)
    change(model)
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(MetaqnnError, match=rf"^.*cannot be read: .*{message}.*$"):
        metaqnn.load(path)


def outcomes(path, files, **trust):
    """What comes of files that are written to a path and read: predictions or lines of error."""
    images = np.random.default_rng(0).integers(0, 256, (3, *SHAPE))
    for content in files:
        path.write_bytes(content)
        began = time.monotonic()
        try:
            yield metaqnn.load(path, **trust).predict(images)
        except MetaqnnError as error:
            yield str(error)
        assert time.monotonic() - began < PATIENCE


@pytest.mark.slow
# another deviation in the file is another scale, which is told and no fault
@pytest.mark.filterwarnings("ignore::metaqnn.models.model.OtherScale")
@pytest.mark.parametrize("suffix", MUTATIONS)
def test_mutated_files_give_predictions_or_one_line(
    request, tmp_path, safetensors, onnx_bytes, suffix
):
    good = onnx_bytes if suffix == ".onnx" else safetensors.read_bytes()
    path = tmp_path / f"net{suffix}"
    mutations = (MUTATIONS[suffix], mutate_bytes)
    files = (mutations[seed % 2](good, np.random.default_rng(seed)) for seed in range(EXAMPLES))
    found = list(outcomes(path, files))
    predicted = [answer for answer in found if isinstance(answer, list)]
    assert all(len(answer) == 3 for answer in predicted)
    lines = {answer for answer in found if isinstance(answer, str)}
    assert all("\n" not in line and str(path) in line for line in lines)
    # neither is everything read nor everything refused at the door
    assert predicted and len(lines) > 30


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".pt2", ".py"])
def test_mutated_files_that_can_run_code_are_all_refused(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    export(*make_network(TEXT, SHAPE), path)
    good = path.read_bytes()
    files = (mutate_bytes(good, np.random.default_rng(seed)) for seed in range(EXAMPLES))
    assert all("can run any code" in answer for answer in outcomes(path, files))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", MUTATIONS)
def test_predict_tells_of_mutated_files_in_one_line(tmp_path, safetensors, onnx_bytes, suffix):
    good = onnx_bytes if suffix == ".onnx" else safetensors.read_bytes()
    path, picture = tmp_path / f"net{suffix}", tmp_path / "a.png"
    Image.new("L", SHAPE[1:]).save(picture)
    for seed in range(EXAMPLES, 2 * EXAMPLES):
        path.write_bytes(MUTATIONS[suffix](good, np.random.default_rng(seed)))
        done = invoke("predict", path, picture, "--format", "csv")
        if done.exit_code:
            refused(done)
            assert done.output.count("\n") == 1
        else:
            assert done.output.startswith("picture,class,probability\n")


def test_an_export_that_fills_the_disk_says_so(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    (tmp_path / "a.safetensors").symlink_to("/dev/full")
    with pytest.raises(MetaqnnError, match=r"a.safetensors cannot be written: .*; free some space"):
        export(*make_network(TEXT, SHAPE), tmp_path / "a.safetensors")
