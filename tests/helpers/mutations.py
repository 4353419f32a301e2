"""Model files changed at random: bytes of any file, and the fields of those whose form is known."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

NUMBERS = (-(2**63), -(2**31), -1, 0, 1, 2, 3, 7, 255, 4096, 2**31 - 1, 2**32, 2**40, 2**63 - 1)
TEXTS = ("", "images", "scores", "\x1b[31m", "..", "é\u202e", "x" * 300, "NaN", "[]", "[[1]]", "-1")
OPS = (
    "Conv",
    "Gemm",
    "Reshape",
    "Relu",
    "MaxPool",
    "Loop",
    "If",
    "Resize",
    "Tile",
    "Expand",
    "Pad",
)


def mutate_bytes(good: bytes, rng: np.random.Generator) -> bytes:
    """Bytes overwritten, flipped, cut off, taken out or doubled."""
    changed = bytearray(good)
    places = rng.integers(len(good), size=rng.integers(1, 9)).tolist()
    length = int(rng.integers(1, 33))
    match int(rng.integers(5)):
        case 0:
            for place in places:
                changed[place] = int(rng.integers(256))
        case 1:
            for place in places:
                changed[place] ^= 1 << int(rng.integers(8))
        case 2:
            del changed[places[0] :]
        case 3:
            del changed[places[0] : places[0] + length]
        case _:
            changed[places[0] : places[0]] = good[places[-1] : places[-1] + length]
    return bytes(changed)


def mutate_safetensors(good: bytes, rng: np.random.Generator) -> bytes:
    """A header with other metadata, names, types, shapes or offsets."""
    size = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8 : 8 + size])
    for _ in range(rng.integers(1, 3)):
        tensors = list(header.keys() - {"__metadata__"})
        entry = header["__metadata__" if rng.random() < 0.7 else rng.choice(sorted(tensors))]
        name = str(rng.choice(list(entry)))
        if isinstance(entry[name], list) and entry[name]:
            entry[name][int(rng.integers(len(entry[name])))] = _number(rng)
        else:
            text = mutate_bytes(f"{entry[name]} ".encode(), rng).decode("utf-8", "replace")
            texts = (*TEXTS, text, text, str(_number(rng)), f"[{_number(rng)}]", "F16", "I64")
            entry[name] = texts[rng.integers(len(texts))]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + good[8 + size :]


def mutate_onnx(good: bytes, rng: np.random.Generator) -> bytes:
    """A model with other numbers, texts and operators, and parts left out, doubled or swapped."""
    import onnx

    model = onnx.load_model_from_string(good)
    for _ in range(rng.integers(1, 4)):
        _mutate_message(model, rng)
    return bytes(model.SerializeToString())


def _mutate_message(message: Any, rng: np.random.Generator) -> None:
    """Change a field of a protobuf message, or of one within it; of a model mostly its graph."""
    fields = {field.name: field for field, _ in message.ListFields()}
    if not fields:
        return
    field = fields[str(rng.choice(list(fields)))]
    if rng.random() < 0.8:
        field = fields.get("graph", field)
    value = getattr(message, field.name)
    if not hasattr(value, "append"):
        if field.message_type:
            _mutate_message(value, rng)
        else:
            setattr(message, field.name, _other(field, value, rng))
        return
    place = int(rng.integers(len(value)))
    action = rng.integers(8)
    if action == 0:
        del value[place]
    elif action == 1:
        value.append(value[place])
    elif field.message_type:
        if action == 2:
            value[place].CopyFrom(value[rng.integers(len(value))])
        else:
            _mutate_message(value[place], rng)
    else:
        value[place] = _other(field, value[place], rng)


def _other(field: Any, value: Any, rng: np.random.Generator) -> Any:
    """Another value of a field; one that it cannot have is left as it is."""
    if isinstance(value, bytes):
        return mutate_bytes(value, rng) if value else b"\xff"
    if isinstance(value, str):
        others = (*TEXTS, *OPS)
        return others[rng.integers(len(others))]
    if isinstance(value, float):
        return float(rng.choice([np.nan, np.inf, -1.0, 0.0, 1e30]))
    if field.enum_type:
        return int(rng.choice(sorted(field.enum_type.values_by_number)))
    number = _number(rng)
    return number if field.type in (field.TYPE_INT64, field.TYPE_UINT64) else number % 2**31


def _number(rng: np.random.Generator) -> int:
    return NUMBERS[rng.integers(len(NUMBERS))]


MUTATIONS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    ".safetensors": mutate_safetensors,
    ".onnx": mutate_onnx,
}
"""What changes the fields of a format."""
