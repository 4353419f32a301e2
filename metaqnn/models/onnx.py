"""ONNX files are read with care, for onnxruntime trusts what it is given."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metaqnn.errors import MetaqnnError
from metaqnn.models.checks import image_bytes
from metaqnn.models.model import Facts, Scores
from metaqnn.models.network import BATCH
from metaqnn.networks.memory import FLOAT

if TYPE_CHECKING:
    import onnx

OPS = (
    *("Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv"),
    *("Div", "Flatten", "Gemm", "GlobalAveragePool", "Identity", "MatMul", "Max", "MaxPool"),
    *("Min", "Mul", "Pad", "Pow", "ReduceMean", "Relu", "Reshape", "Sqrt", "Squeeze", "Sub"),
    *("Transpose", "Unsqueeze", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu"),
    *("Gelu", "Erf", "Exp", "Log", "Softmax", "GlobalMaxPool", "ReduceMax", "ReduceSum", "Sum"),
    *("Slice", "Split", "LayerNormalization", "Round", "QuantizeLinear", "DequantizeLinear"),
)
"""What the layers of networks are written in. None runs another graph or repeats anything."""

AT_LEAST = {"strides": 1, "dilations": 1, "kernel_shape": 1, "group": 1, "pads": 0}
"""The least value of an attribute."""

TRUST = "--trust (trust=True) takes those of somebody whom you trust"

ROOM = 8
"""Values of a file for each value of its network: a ReLU, say, is a layer of its own there."""


def read_onnx(path: Path, *, trust: bool = False) -> tuple[Facts, Scores]:
    """The network of a file.

    Args:
        path: The file.
        trust: Take layers that no export of ours has.

    Raises:
        MetaqnnError: It is damaged or something else, or larger than it says.
    """
    import onnx
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)  # what it has to say comes as an error too
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        facts = Facts.from_metadata({entry.key: entry.value for entry in model.metadata_props})
        if not trust:
            _check_graph(model, facts)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # those of onnx and onnxruntime share no base class
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{path} cannot be read: {reason:.500}") from None

    def score(images: np.ndarray) -> np.ndarray:
        scores: np.ndarray = session.run(["scores"], {"images": images})[0]
        return scores

    return facts, score


def _check_graph(model: "onnx.ModelProto", facts: Facts) -> None:
    """See whether it is a network of the facts, with all weights inside the file.

    Raises:
        MetaqnnError: It is not.
        Exception: onnx found it malformed.
    """
    import onnx

    graph = model.graph
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx"):
            raise MetaqnnError(f"no export of ours has operators of {opset.domain!r:.80}; {TRUST}")
    if len(model.functions) or len(graph.sparse_initializer) or len(model.training_info):
        raise MetaqnnError("it has functions, sparse weights or trainings, which no network has")
    weights = [*graph.initializer]
    for node in graph.node:
        if node.op_type not in OPS or node.domain not in ("", "ai.onnx"):
            name = f"{node.domain}{node.op_type}"
            raise MetaqnnError(f"no export of ours has an operator {name!r:.80}; {TRUST}")
        for attribute in node.attribute:
            weights += [attribute.t] if attribute.HasField("t") else attribute.tensors
            _check_attribute(node.op_type, attribute)
    for tensor in weights:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data):
            raise MetaqnnError(f"the weights {tensor.name!r:.80} lie in another file")
        try:
            onnx.numpy_helper.to_array(tensor)  # of the size and type that it claims
        except Exception as error:  # whatever a tensor from outside is
            raise MetaqnnError(f"the weights {tensor.name!r:.80} are damaged: {error!r}") from None
    _check_shapes(model, facts)


def _check_attribute(op: str, attribute: "onnx.AttributeProto") -> None:
    least = AT_LEAST.get(attribute.name, -(2**31))
    values = [*attribute.ints] if attribute.type == attribute.INTS else [attribute.i]
    whole = attribute.type in (attribute.INT, attribute.INTS)
    if (whole or attribute.name in AT_LEAST) and not all(least <= n < 2**31 for n in values):
        raise MetaqnnError(f"{attribute.name!r:.80} of {op} is {values!r:.80}")


def _check_shapes(model: "onnx.ModelProto", facts: Facts) -> None:
    import onnx

    fixed = onnx.ModelProto()  # for so many images at once as it will be given
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]  # what it claims of itself
    images, scores = fixed.graph.input, fixed.graph.output
    wanted = (["images"], ["scores"])
    found = tuple([value.name for value in values] for values in (images, scores))
    if found != wanted:
        raise MetaqnnError(f"it must read images and make scores, not {found!r:.80}")
    for value, shape in ((images[0], facts.input_shape), (scores[0], (len(facts.classes),))):
        value.type.CopyFrom(
            onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, (BATCH, *shape))
        )
    onnx.checker.check_model(fixed)
    inferred = onnx.shape_inference.infer_shapes(
        fixed, check_type=True, strict_mode=True, data_prop=True
    )
    known = {value.name: _size(value) for value in inferred.graph.value_info}
    made = [name for node in fixed.graph.node for name in node.output if name and name != "scores"]
    sizes = [known.get(name) for name in made]
    for name, size in zip(made, sizes, strict=True):
        if size is None:
            raise MetaqnnError(f"the shape of {name!r:.80} is not known")
    total = sum(size for size in sizes if size is not None)
    most = BATCH * ROOM * image_bytes(facts) // FLOAT
    if total > most:
        raise MetaqnnError(
            f"its layers make {total:,} values of {BATCH} images, its network at most {most:,}"
        )


def _size(value: Any) -> int | None:
    """Numbers in a tensor; None where its shape is not known."""
    dimensions = value.type.tensor_type.shape.dim
    if not value.type.tensor_type.HasField("shape"):
        return None
    sizes = [dim.dim_value for dim in dimensions if dim.HasField("dim_value")]
    return (
        math.prod(sizes) if len(sizes) == len(dimensions) and min(sizes, default=1) >= 0 else None
    )
