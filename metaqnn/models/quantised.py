"""Networks in whole numbers of 8 bits, as ONNX: a quarter of the bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from metaqnn.data.images import Images
from metaqnn.errors import MetaqnnError
from metaqnn.models.model import Facts
from metaqnn.models.network import BATCH
from metaqnn.registry import need

if TYPE_CHECKING:
    import onnx

CALIBRATED = 512
"""So many training images tell how far the values in a network go."""

SUFFIX = ".int8.onnx"
"""Of files beside the weights."""

PREPROCESSED = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""What onnxruntime marks models with for which it has nothing to advise."""


def need_int8() -> None:
    """Look whether the packages are there.

    Raises:
        MetaqnnError: One is missing.
    """
    need("int8", "onnx", "onnx", "onnxscript", "onnxruntime")


def quantise(model: bytes, facts: Facts, images: Images) -> bytes:
    """The file of ONNX of a network in whole numbers.

    Weights have a scale for each channel, values between layers one for each layer: that of the
    lowest and highest value that some images of the training make there (static, QDQ). The scores
    are not rounded: of two classes that are close one would be as good as the other.

    Args:
        model: The network, as `metaqnn.models.formats.to_onnx` has it.
        facts: Of the network.
        images: For training.

    Raises:
        MetaqnnError: onnxruntime cannot, or is missing.
    """
    need_int8()
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        """The images, some at a time."""

        def __init__(self) -> None:
            self.parts = pixels(_some(images))

        def get_next(self) -> dict[str, np.ndarray] | None:
            part = next(self.parts, None)
            return None if part is None else {"images": part}

    network = onnx.load_model_from_string(model)
    onnx.helper.set_model_props(network, PREPROCESSED)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            quantize_static(
                network,
                path,
                Reader(),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,  # three times as fast as QInt8 on x86
                per_channel=True,
                extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},
            )
            written = onnx.load_model(path)
    except Exception as error:  # those of onnx and onnxruntime share no base class
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{facts.architecture} cannot be quantised: {reason:.300}") from error
    return _trimmed(written, facts)


def pixels(images: Images) -> Iterator[np.ndarray]:
    """Images as exported networks read them, in the units of those of the training, in batches."""
    for part in torch.split(images.images, BATCH):
        yield (part.cpu().float() / images.preparation.factor).numpy()


def _some(images: Images) -> Images:
    """CALIBRATED of the images, always the same."""
    few = min(len(images), CALIBRATED)
    chosen = np.random.default_rng(0).choice(len(images), few, replace=False)
    return images.take(torch.from_numpy(chosen))


def _trimmed(model: "onnx.ModelProto", facts: Facts) -> bytes:
    """The file with the facts of the network, and without what nothing reads."""
    import onnx

    onnx.helper.set_model_props(model, facts.metadata)
    del model.graph.value_info[:]
    names = {name: format(place, "x") for place, name in enumerate(_inner_names(model.graph))}
    for node in model.graph.node:
        node.name = ""
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for weights in model.graph.initializer:
        weights.name = names[weights.name]
    used = {node.domain for node in model.graph.node}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    trimmed: bytes = model.SerializeToString()
    return trimmed


def _inner_names(graph: "onnx.GraphProto") -> list[str]:
    """The names of all tensors but those that go in and come out; layers are without graphs."""
    known = {value.name for value in (*graph.input, *graph.output)}
    made = [name for node in graph.node for name in node.output]
    there = [*(weights.name for weights in graph.initializer), *made]
    return [name for name in dict.fromkeys(there) if name and name not in known]
