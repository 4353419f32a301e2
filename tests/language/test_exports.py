"""Exported language models compute what the models compute."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaqnn.errors import MetaqnnError
from metaqnn.language.files import load_model, save_model
from metaqnn.language.formats import FORMATS, export
from metaqnn.language.model import TORCH, Dimensions, LanguageModel
from metaqnn.language.named import CELLS
from metaqnn.language.source import write_source
from metaqnn.language.step import Step, program
from metaqnn.models.targets import check_target
from metaqnn.spaces import bind_space
from state_space import random_walk

TOKENS, UNITS, TEXTS, STEPS = 7, 5, 3, 4
VOCABULARY = tuple("abcdefg")

SPACES = [
    bind_space(
        {
            "space": "recurrent",
            "leaves": leaves,
            "combine": ["add", "mult", "max"],
            "activations": ["identity", "tanh", "sigmoid", "relu", "sin"],
        },
        (1,),
        10,
    )
    for leaves in (2, 4, 8)
]


def made(cell, *, tied=False, layers=2):
    """A model of a cell, or of one with a name."""
    own = CELLS[cell]() if isinstance(cell, str) and cell in CELLS else cell
    generator = torch.Generator().manual_seed(1)
    model = LanguageModel(own, Dimensions(TOKENS, UNITS, layers, tied), generator, spread=0.5)
    return model.eval(), own


def written(folder, cell, **options):
    """The file of such a model."""
    model, own = made(cell, **options)
    path = folder / "kept.safetensors"
    path.write_bytes(save_model(model, own, VOCABULARY, "characters"))
    return model, path


def imported(path):
    spec = importlib.util.spec_from_file_location("exported", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts():
    return torch.randint(0, TOKENS, (STEPS, TEXTS), generator=torch.Generator().manual_seed(2))


def step_by_step(tokens, start, call):
    """The scores of all steps, of something that computes one."""
    state, scores = start, []
    for step in tokens:
        now, *state = call(step, *state)
        scores.append(torch.as_tensor(now))
    return torch.stack(scores)


def agree(found, wanted):
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SPACES), st.integers(0, 2**32), st.booleans())
@torch.inference_mode()
def test_the_source_of_any_cell_computes_the_same(space, seed, tied):
    """A whole text, and the same step by step."""
    cell = space.architecture(random_walk(space, np.random.default_rng(seed)))
    model, _ = made(cell, tied=tied)
    text = write_source(cell, model.dimensions, "words", "x.safetensors")
    module = {"__file__": "x.py", "__name__": "x"}
    exec(text, module)
    net = module["Net"]()
    net.load_state_dict(model.state_dict())
    tokens = texts()
    wanted, after = model(tokens, model.start(TEXTS))
    scores, state = net(tokens, net.start(TEXTS))
    agree(scores, wanted)
    agree([*state[-1]], [*after[-1]])
    state, steps = net.start(TEXTS), []
    for token in tokens:
        now, state = net(token[None], state)
        steps.append(now[0])
    agree(torch.stack(steps), wanted)


@pytest.mark.parametrize("cell", [*CELLS, *TORCH])
@pytest.mark.parametrize("tied", [False, True])
@torch.inference_mode()
def test_the_source_stands_by_itself(tmp_path, cell, tied):
    model, path = written(tmp_path, cell, tied=tied)
    export(path, tmp_path / "own.py")
    source = (tmp_path / "own.py").read_text()
    assert "import metaqnn" not in source and "from metaqnn" not in source
    net = imported(tmp_path / "own.py").load()
    tokens = texts()
    agree(net(tokens, net.start(TEXTS))[0], model(tokens, model.start(TEXTS))[0])
    assert net.vocabulary == list(VOCABULARY)
    again, _, _ = load_model(tmp_path / "own.safetensors")
    agree(again(tokens, again.start(TEXTS))[0], model(tokens, model.start(TEXTS))[0])


def test_the_source_has_no_code_of_the_name_of_its_file():
    name = 'a""" + \\N{x} + """.safetensors'
    source = write_source("lstm", Dimensions(TOKENS, UNITS, 1), "words", name)
    module = {"__file__": "x.py", "__name__": "x"}
    exec(source, module)
    assert module["load"].__defaults__[0].name == name


def test_the_equations_of_nascell_are_readable():
    """One line a node: a combination and its activation, the memory in the way of the paper."""
    cell = CELLS["nascell"]()
    lines = write_source(cell, Dimensions(TOKENS, UNITS, 1), "words", "x").splitlines()
    step = lines[lines.index("    def step(self, x, h, c):") + 1 :]
    step = [line.strip() for line in step[: step.index("")]]
    assert len(step) == 2 + 16 + 1  # maps of x and h, 15 nodes and the injection, what it hands on
    assert sum("x" in line and "+ h" in line for line in step) == 7
    assert sum(" + c)" in line for line in step) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_program_of_any_cell_computes_the_same(seed):
    space = SPACES[seed % 2]
    cell = space.architecture(random_walk(space, np.random.default_rng(seed)))
    model, _ = made(cell, layers=1)
    with torch.no_grad():
        wanted, _ = model(texts(), model.start(TEXTS))
    step = Step(model, cell)
    start = [torch.zeros(TEXTS, UNITS) for _ in step.names]
    agree(step_by_step(texts(), start, program(step).module()).detach(), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [*CELLS, *TORCH])
def test_pt2_and_onnx_compute_the_same_for_any_number_of_texts(tmp_path, cell):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, path = written(tmp_path, cell)
    tokens = texts()
    with torch.no_grad():
        wanted, _ = model(tokens, model.start(TEXTS))
    states = len(Step(model, CELLS[cell]() if cell in CELLS else cell).names)
    start = [torch.zeros(TEXTS, UNITS)] * states
    export(path, tmp_path / "own.pt2")
    extra = {"metaqnn.json": ""}
    loaded = torch.export.load(tmp_path / "own.pt2", extra_files=extra).module()
    agree(step_by_step(tokens, start, loaded).detach(), wanted)
    alone = step_by_step(tokens[:, :1], [value[:1] for value in start], loaded)
    agree(alone.detach(), wanted[:, :1])
    known = json.loads(extra["metaqnn.json"])
    assert json.loads(known["vocabulary"]) == list(VOCABULARY)
    export(path, tmp_path / "own.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "own.onnx")
    names = [each.name for each in session.get_inputs()]

    def run(*values):
        given = dict(zip(names, (np.asarray(value) for value in values), strict=True))
        return session.run(None, given)

    agree(step_by_step(tokens, start, run), wanted)
    agree(step_by_step(tokens[:, :1], [value[:1] for value in start], run), wanted[:, :1])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["vocabulary"]) == list(VOCABULARY)
    assert names[0] == "tokens" and session.get_outputs()[0].name == "scores"
    assert str(tmp_path).encode() not in (tmp_path / "own.onnx").read_bytes()


def test_targets_that_cannot_be_written_are_told(tmp_path):
    with pytest.raises(MetaqnnError, match=r"the suffix must be one of \.safetensors, "):
        check_target(FORMATS, tmp_path / "model.pt")
    with pytest.raises(MetaqnnError, match="there is no folder"):
        check_target(FORMATS, tmp_path / "none" / "model.py")


@pytest.mark.slow
def test_the_source_runs_where_metaqnn_is_not(tmp_path):
    _, path = written(tmp_path, "nascell")
    export(path, tmp_path / "own.py")
    program = (
        "import sys; sys.modules['metaqnn'] = sys.modules['state_space'] = None\n"
        "import own, torch\n"
        "net = own.load()\n"
        "print(net(torch.zeros(3, 2, dtype=int), net.start(2))[0].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"torch.Size([3, 2, {TOKENS}])\n"
