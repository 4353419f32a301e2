"""Recorded steps: they are trusted once they have shown to compute what the step computes.

There is no GPU here: what stands in for a CUDA graph calls the step, or fails as a graph may.
"""

import warnings
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import load

from metaqnn.data.images import Images
from metaqnn.data.options import DataOptions
from metaqnn.data.parts import load_split
from metaqnn.networks.notation import read
from metaqnn.training import cuda_graph
from metaqnn.training.cuda_graph import WARM_UP, CudaRecorder, GraphedStep, Graphs
from metaqnn.training.loop import train
from metaqnn.training.proof import COMPARED, GraphFailed
from metaqnn.training.recipe import Recipe
from metaqnn.training.speed import Speed
from tests.helpers.networks import DEEP
from tests.helpers.recordings import Nothing, Recorder, Replaying, Stale, Twice, raising

GRAPHED = Speed(cuda_graph=True)
RECIPES = [
    Recipe(epochs=2, batch_size=32, mirror=True, shift=1),
    Recipe(epochs=2, batch_size=32, optimizer="sgd", learning_rate=0.05),
]


class Late(Replaying):
    """Is right at first, and raises later."""

    def replay(self):
        super().replay()
        if self.replays > COMPARED + 2:
            raise RuntimeError("CUDA error: an illegal instruction")


@pytest.fixture(scope="module")
def digits():
    return load_split(DataOptions(train_limit=600))


@pytest.fixture(scope="module")
def usual(digits):
    """Curve and weights of every recipe, without recordings."""
    return [curve_and_weights(digits, recipe) for recipe in RECIPES]


def curve_and_weights(digits, recipe, **more):
    outcome = train(DEEP, *digits, recipe, seed=3, keep_above=0, **more)
    tensors = load(outcome.weights)
    return outcome.curve, {name: tensors[name].tolist() for name in sorted(tensors)}


@pytest.mark.parametrize("number", range(len(RECIPES)))
def test_a_right_graph_is_replayed(digits, usual, number):
    graphs = Graphs(Recorder(Replaying))
    found = curve_and_weights(digits, RECIPES[number], speed=GRAPHED, graphs=graphs)
    assert found == usual[number]
    assert graphs.proof.complete and not graphs.proof.failed
    (made,) = graphs.recorder.made
    full = len(digits[0]) // 32
    assert made.replays == 2 * full - WARM_UP and made.freed


@pytest.mark.slow
def test_what_stands_around_a_network_is_recorded_too(digits):
    recipe = Recipe(epochs=2, batch_size=32, keep_path=0.6, auxiliary=0.4, clip_norm=1.0)
    cell = "A(F) = [RC(F,3,3,1,1), SC(F,3,1)@-1, ADD@0,1]"
    network = read(f"[C(4,3,1), A(4), P(2,2), A(8), AVG, SM(10)] where {cell}")
    graphs = Graphs(Recorder(Replaying))
    found, usual = (
        train(network, *digits, recipe, seed=3, **more).curve
        for more in ({"speed": GRAPHED, "graphs": graphs}, {})
    )
    assert found == usual
    assert graphs.proof.complete and not graphs.proof.failed


def test_every_size_of_the_images_has_a_recording_of_its_own():
    pixels = torch.randint(256, (400, 1, 32, 32), dtype=torch.uint8)
    images = Images(pixels, torch.arange(400) % 10, tuple("0123456789"))
    recipe = Recipe(epochs=3, batch_size=32, first_size=0.5, restart_below=0.0)
    network = read("[CB(4,3,3,1,1), P(2,2), AVG, SM(10)]")
    graphs = Graphs(Recorder(Replaying))
    found, usual = (
        train(network, images, images, recipe, seed=3, **more).curve
        for more in ({"speed": GRAPHED, "graphs": graphs}, {})
    )
    assert found == usual
    assert [(made.replays, made.freed) for made in graphs.recorder.made] == [(9, True)] * 3


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("number", range(len(RECIPES)))
@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (Twice, "random numbers"),
        (Nothing, "random numbers"),
        (Stale, "of their change"),
        (Late, "illegal instruction"),
        (raising(ValueError("no capture here")), "operation failed"),
    ],
)
def test_a_graph_that_fails_is_told_once_and_changes_nothing(digits, usual, number, kind, part):
    graphs = Graphs(Recorder(kind))
    with pytest.warns(RuntimeWarning, match=part) as told:
        for _ in range(2):
            found = curve_and_weights(digits, RECIPES[number], speed=GRAPHED, graphs=graphs)
            assert found == usual[number]
    assert len(told) == 1 and "step by step" in str(told[0].message)
    assert graphs.proof.failed
    assert all(made.freed for made in graphs.recorder.made)


def test_a_recording_that_runs_out_of_memory_is_tried_with_smaller_batches(digits):
    """Also where the error of the recording's end hides that."""
    failing = raising(torch.OutOfMemoryError("CUDA out of memory"))
    calls = []

    def record(step, generator):
        calls.append(step)
        return failing(step, generator) if len(calls) == 1 else Replaying(step, generator)

    graphs = Graphs(Recorder(record))
    with warnings.catch_warnings(action="error"):
        outcome = train(DEEP, *digits, RECIPES[0], seed=3, speed=GRAPHED, graphs=graphs)
    assert outcome.metrics["batch_splits"] == 2
    assert not graphs.proof.failed


class Slope:
    """A step of one weight, which moves by what the batch says, and a noise."""

    def __init__(self, noise=0.0):
        self.generator = torch.Generator().manual_seed(0)
        self.other = torch.Generator().manual_seed(1)
        self.noise = noise
        self.weight = torch.zeros(3)
        self.seen = []

    def step(self, batch):
        self.seen.append(batch.tolist())
        drawn = torch.rand(3, generator=self.other) * self.noise
        self.weight += batch.sum() + torch.rand(3, generator=self.generator) + drawn

    def state(self):
        return {"weights": [self.weight]}


def graphed(slope, factor):
    """The recording of a step that moves by so many times what it should."""

    class Scaled(Replaying):
        def replay(self):
            before = slope.weight.clone()
            self.step()
            slope.weight.copy_(before + factor * (slope.weight - before))

    return GraphedStep(slope, 2, Graphs(Recorder(Scaled)))


@pytest.mark.parametrize(
    ("noise", "factor", "passes"),
    [(0, 1, True), (0, 1 + 2**-5, True), (0, 1.1, False), (0, float("nan"), False), (9, 1.1, True)],
)
def test_the_tolerance_is_a_sixteenth_or_four_times_the_step_s_own_noise(noise, factor, passes):
    step = graphed(Slope(noise), factor)
    batches = [torch.tensor([1, 2])] * (WARM_UP + 1)
    if passes:
        for batch in batches:
            step(batch)
    else:
        with pytest.raises(GraphFailed, match="weights of a replay differ by"):
            for batch in batches:
                step(batch)


def test_batches_of_another_size_take_the_step_itself():
    slope = Slope()
    step = graphed(slope, 1)
    for batch in torch.split(torch.arange(2 * (WARM_UP + COMPARED + 2) + 1), 2):
        step(batch)
    step.free()
    last = slope.seen[-1]
    assert last == [2 * (WARM_UP + COMPARED + 2)]
    # the compared ones: by the replay, and by the step twice
    assert len(slope.seen) == WARM_UP + 3 * COMPARED + 2 + 1


def test_one_stream_of_a_device_warms_up_and_records(monkeypatch):
    """That of the generator, whatever device is the current one."""

    class Stream:
        def __init__(self, device):
            self.device, self.waits = device, []

        def wait_stream(self, other):
            self.waits.append(other)

    made, recorded, current = [], [], Stream(torch.device("cuda:1"))

    class Graph(Replaying):
        def __init__(self):
            super().__init__(lambda: None, None)

        def register_generator_state(self, generator):
            self.generator = generator

    def make(device):
        made.append(Stream(device))
        return made[-1]

    def record(graph, stream):
        recorded.append(stream)
        return nullcontext()

    fakes = {
        "Stream": make,
        "current_stream": lambda device: current,
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": Graph,
        "graph": record,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(cuda_graph.torch.cuda, name, fake)
    cuda_graph._stream.cache_clear()
    device = torch.device("cuda:1")
    generator = type("Generator", (), {"device": device})()
    ran = []
    for _ in range(2):
        with CudaRecorder().aside(device):
            ran.append("aside")
        graph = CudaRecorder().record(lambda: ran.append("recorded"), generator)
        assert graph.generator is generator
    cuda_graph._stream.cache_clear()
    assert ran == ["aside", "recorded"] * 2
    (stream,) = made
    assert stream.device == device
    assert recorded == [stream, stream]
    assert stream.waits == [current, current]
    assert current.waits == [stream, stream]


def test_a_gpu_is_the_current_one_while_it_trains_and_torch_s_switches_are_put_back(monkeypatch):
    current = []

    class Device:
        def __init__(self, device):
            self.device = device

        def __enter__(self):
            current.append(self.device)

        def __exit__(self, *_):
            current.pop()

    monkeypatch.setattr(torch.cuda, "device", Device)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    device = torch.device("cuda:1")

    def switches():
        cudnn = torch.backends.cudnn
        return cudnn.benchmark, cudnn.deterministic, torch.get_float32_matmul_precision()

    before = switches()
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    with Speed.of(device).backends(device):
        assert current == [device]
        assert switches() == (True, True, "high")
    monkeypatch.undo()
    assert current == [] and switches() == before


@pytest.mark.parametrize(("capability", "new"), [((7, 5), False), ((8, 0), True), ((12, 1), True)])
def test_bfloat16_and_tf32_are_for_gpus_that_have_them(monkeypatch, capability, new):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    speed = Speed.of(torch.device("cuda:0"))
    assert speed.bfloat16 == speed.tf32 == new
    assert speed.cuda_graph and speed.benchmark
