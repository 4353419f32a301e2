"""The formats of exported language models."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import torch

from metaqnn.language.files import cell_of, load_model, metadata_of
from metaqnn.language.source import write_source
from metaqnn.language.step import Step, program
from metaqnn.models.formats import check_onnx, onnx_file
from metaqnn.models.targets import write_target
from metaqnn.storage import write_file


def export(weights: Path, target: Path) -> None:
    """Write a model in the format of the target's suffix, one of FORMATS.

    Args:
        weights: Its file, as a search keeps it.
        target: The file to write.

    Raises:
        MetaqnnError: See `load_model` and `write_target`.
    """
    write_target(FORMATS, target, weights)


def _write_safetensors(weights: Path, target: Path) -> None:
    load_model(weights)
    write_file(target, weights.read_bytes())


def _write_source(weights: Path, target: Path) -> None:
    beside = target.with_suffix(".safetensors")
    if beside.resolve() != weights.resolve():
        _write_safetensors(weights, beside)
    model, _, unit = load_model(weights)
    text = write_source(cell_of(weights), model.dimensions, unit, beside.name)
    write_file(target, text)


def _write_pt2(weights: Path, target: Path) -> None:
    step = Step(load_model(weights)[0], cell_of(weights))
    written = BytesIO()
    extra = {"metaqnn.json": json.dumps(metadata_of(weights))}
    torch.export.save(program(step), written, extra_files=extra)
    write_file(target, written.getvalue())


def _write_onnx(weights: Path, target: Path) -> None:
    step = Step(load_model(weights)[0], cell_of(weights))
    after = [f"next_{name}" for name in step.names]
    names = ["tokens", *step.names], ["scores", *after]
    write_file(target, onnx_file(program(step), *names, metadata_of(weights)))


class Format(NamedTuple):
    """What writes a file, and what sees whether the packages for it are there."""

    write: Callable[[Path, Path], None]
    check: Callable[[], None] = lambda: None


FORMATS = {
    ".safetensors": Format(_write_safetensors),
    ".onnx": Format(_write_onnx, check_onnx),
    ".pt2": Format(_write_pt2),
    ".py": Format(_write_source),
}
"""The formats by their suffixes."""
