"""How long networks take for one example, measured."""

import os
import time
import warnings
from collections.abc import Callable
from io import BytesIO
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.onnx.errors import OnnxExporterError

from metaqnn.errors import NoLatency
from metaqnn.models.model import Facts
from metaqnn.models.network import Normalised
from metaqnn.networks.build import Network
from metaqnn.networks.cost import total_cost
from metaqnn.networks.memory import FLOAT, machine_memory
from metaqnn.networks.ops.base import ShapeError
from metaqnn.registry import need
from metaqnn.task import Shape
from state_space import Architecture

clock: Callable[[], float] = time.thread_time if os.name == "posix" else time.perf_counter
"""Seconds of the processor for this thread, in which onnxruntime computes: that other programs have
the core meanwhile does not count. Where it ticks too coarsely, the clock on the wall."""

WARM_UP, SETTLED = 3, 0.03
"""Runs and seconds, at least, before anything is measured: memory is laid out in them."""

ROUND = 5
"""Runs of a round."""

ROUNDS, MEASURED = 3, 0.2
"""Rounds and seconds, at least."""

COPIES = 4
"""Of the weights, while a network is exported: its own, those of the export and onnxruntime's."""

LARGEST = 2**31
"""Bytes that an ONNX file may have."""


def check_latency() -> None:
    """See whether latencies can be measured here.

    Raises:
        MetaqnnError: A package is missing.
    """
    need("latency", "onnx", "onnx", "onnxruntime")


def network_latency(architecture: Architecture, facts: Facts) -> float:
    """`median_latency` of a network before it is trained, since weights do not matter.

    Args:
        architecture: The network.
        facts: As those of its export, but that means and deviations do not matter either.

    Raises:
        MetaqnnError: A package is missing.
        NoLatency: It is too large, a layer cannot read what comes before it, torch cannot export
            it, or onnxruntime does not know how to compute it.
    """
    check_latency()
    try:
        size = FLOAT * total_cost(architecture, facts.input_shape).parameters
        if size >= LARGEST or COPIES * size > machine_memory():
            raise NoLatency(f"its weights have {size:,} bytes, too many to export it")
        generator = torch.Generator().manual_seed(0)
        network = Network(architecture, facts.input_shape, generator)
        return median_latency(_export(network, facts), facts.input_shape)
    except _of_the_network() as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise NoLatency(f"{reason:.400}") from error


def _of_the_network() -> tuple[type[Exception], ...]:
    """Errors that say that a network cannot be exported, or that onnxruntime cannot compute it.

    Those of onnxruntime share no base class. `RuntimeException` is left out, for it also says that
    memory is missing.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
    return (ShapeError, OnnxExporterError, *(getattr(state, name) for name in names))


def median_latency(model: bytes, shape: Shape) -> float:
    """Seconds that onnxruntime takes for one example, on one thread of the CPU.

    It is the fastest of many medians of a few runs each: nothing makes a network faster than it is,
    but programs beside it, which take caches and memory, make it slower for a while.

    Args:
        model: A file of ONNX with one input, of any number of examples.
        shape: Of an example, without their number.

    Raises:
        MetaqnnError: onnxruntime is missing.
        Exception: onnxruntime cannot compute it; its errors share no base class.
    """
    check_latency()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    example = {
        session.get_inputs()[0].name: generator.uniform(0, 255, (1, *shape)).astype(np.float32)
    }

    def timed() -> float:
        start = clock()
        session.run(None, example)
        return clock() - start

    spent, runs = 0.0, 0
    while runs < WARM_UP or spent < SETTLED:
        spent, runs = spent + timed(), runs + 1
    medians, spent = list[float](), 0.0
    while len(medians) < ROUNDS or spent < MEASURED:
        times = [timed() for _ in range(ROUND)]
        medians.append(median(times))
        spent += sum(times)
    return min(medians)


class _Mean(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3), keepdim=True)


class _Maximum(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.amax((2, 3), keepdim=True)


def _export(network: Network, facts: Facts) -> bytes:
    """An ONNX file that computes as the network's export, made in a fiftieth of the time.

    torch's older exporter writes what it sees a network do with one image. It has other operators
    for pooling all of an image, which onnxruntime computes more slowly or faster: the network is
    changed so that it writes those of the newer one.
    """
    for parent in [*network.modules()]:
        for name, child in parent.named_children():
            if isinstance(child, nn.AdaptiveAvgPool2d):
                setattr(parent, name, _Mean())
            elif isinstance(child, nn.AdaptiveMaxPool2d):
                setattr(parent, name, _Maximum())
    # within another module, for of a buffer "mean" it would make two values of one name
    module = nn.Sequential(Normalised(network, facts)).eval()
    written: Any = BytesIO()  # which the types of torch do not know that it takes
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # that there is a newer exporter
        torch.onnx.export(
            module,
            (torch.zeros(1, *facts.input_shape),),
            written,
            input_names=["images"],
            output_names=["scores"],
            dynamo=False,
        )
    exported: bytes = written.getvalue()
    return exported
