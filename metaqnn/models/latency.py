"""How long a network takes for one example, measured."""

from statistics import median
from time import perf_counter

import numpy as np

from metaqnn.registry import need
from metaqnn.task import Shape

WARM_UP = 10
"""Runs, and SETTLED seconds at least, before anything is measured: memory is laid out in them."""

SETTLED = 0.05

RUNS = (30, 1000)
"""So many are measured at least and at most; in between it ends after MEASURED seconds."""

MEASURED = 0.5


def median_latency(model: bytes, shape: Shape) -> float:
    """Median seconds that onnxruntime takes for one example, on one thread of the CPU.

    Args:
        model: A file of ONNX with one input, of any number of examples.
        shape: Of an example, without their number.

    Raises:
        MetaqnnError: onnxruntime is missing.
        Exception: onnxruntime cannot compute it; its errors share no base class.
    """
    need("latency", "onnx", "onnxruntime")
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
        start = perf_counter()
        session.run(None, example)
        return perf_counter() - start

    spent, runs = 0.0, 0
    while runs < WARM_UP or spent < SETTLED:
        spent, runs = spent + timed(), runs + 1
    times = list[float]()
    least, most = RUNS
    while len(times) < least or (len(times) < most and sum(times) < MEASURED):
        times.append(timed())
    return median(times)
