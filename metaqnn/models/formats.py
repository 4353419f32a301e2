"""The formats of exported networks: what writes them and what reads them."""

import importlib.util
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from metaqnn.data.preparation import UNTOLD, Preparation
from metaqnn.errors import MetaqnnError
from metaqnn.extras import need
from metaqnn.models.model import Facts, Model, Scores
from metaqnn.models.network import BATCH, Normalised, load_network, save_network
from metaqnn.models.source import write_source
from metaqnn.networks.build import Network


def export(network: Network, facts: Facts, path: Path) -> None:
    """Write a network in the format of the path's suffix, one of FORMATS.

    Raises:
        MetaqnnError: The suffix is unknown, a package is missing, or the file cannot be written.
    """
    form = _format(path)
    try:
        form.write(network, facts, path)
    except OSError as error:
        raise MetaqnnError(f"{path} cannot be written: {error}") from None


def check_target(path: Path) -> None:
    """See whether a network could be written to a file, before it is trained for hours.

    Raises:
        MetaqnnError: The suffix is unknown, a package is missing, or the folder is not there.
    """
    _format(path).check()
    if not path.parent.is_dir():
        raise MetaqnnError(f"{path} cannot be written: there is no folder {path.parent}")


def load(path: str | Path) -> Model:
    """The network in an exported file, whatever its format.

    Raises:
        MetaqnnError: The file is not there, damaged, or something else; or a package is missing.
    """
    path = Path(path)
    form = _format(path)
    if not path.is_file():
        raise MetaqnnError(f"there is no {path}")
    facts, score = form.read(path)
    return Model(facts, _batched(score))


def _batched(score: Scores) -> Scores:
    def scores(images: np.ndarray) -> np.ndarray:
        parts = [score(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    return scores


def _write_safetensors(network: Network, facts: Facts, path: Path) -> None:
    path.write_bytes(save_network(network, facts))


def _read_safetensors(path: Path) -> tuple[Facts, Scores]:
    network, facts = load_network(path)
    return facts, _torch_scores(Normalised(network, facts))


def _write_source(network: Network, facts: Facts, path: Path) -> None:
    weights = path.with_suffix(".safetensors")
    _write_safetensors(network, facts, weights)
    path.write_text(write_source(facts, weights.name), encoding="utf-8")


def _read_source(path: Path) -> tuple[Facts, Scores]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        names = ("ARCHITECTURE", "INPUT_SHAPE", "CLASSES", "MEAN", "DEVIATION", "CONTRAST")
        told = getattr(module, "PREPARATION", None)
        preparation = UNTOLD if told is None else Preparation.from_text(told)
        facts = Facts(*(getattr(module, name) for name in names))
        facts = replace(facts, preparation=preparation)
        return facts, _torch_scores(module.load())
    except Exception as error:  # the code is a person's to change
        raise MetaqnnError(f"{path} cannot be read: {type(error).__name__}: {error}") from None


def _write_pt2(network: Network, facts: Facts, path: Path) -> None:
    written = BytesIO()
    extra = {"metaqnn.json": json.dumps(facts.metadata)}
    torch.export.save(_program(network, facts), written, extra_files=extra)
    path.write_bytes(written.getvalue())


def _read_pt2(path: Path) -> tuple[Facts, Scores]:
    if not zipfile.is_zipfile(path):
        raise MetaqnnError(f"{path} cannot be read: torch.export has not written it")
    extra: dict[str, Any] = {"metaqnn.json": ""}
    try:
        program = torch.export.load(path, extra_files=extra)
        facts = Facts.from_metadata(json.loads(extra["metaqnn.json"]))
    except (OSError, RuntimeError, ValueError, MetaqnnError) as error:
        raise MetaqnnError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return facts, _torch_scores(program.module())


def _write_onnx(network: Network, facts: Facts, path: Path) -> None:
    _check_onnx()
    program = torch.onnx.export(
        _program(network, facts), input_names=["images"], output_names=["scores"], verbose=False
    )
    assert program is not None, "only the old exporter returns nothing"
    program.model.metadata_props.update(facts.metadata)
    program.save(path, external_data=False)


def _check_onnx() -> None:
    need("ONNX", "onnx", "onnx", "onnxscript", "onnxruntime")


def _read_onnx(path: Path) -> tuple[Facts, Scores]:
    need("ONNX", "onnx", "onnxruntime")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        facts = Facts.from_metadata(session.get_modelmeta().custom_metadata_map)
    except Exception as error:  # onnxruntime's errors share no base class
        raise MetaqnnError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return facts, lambda images: session.run(["scores"], {"images": images})[0]


def _program(network: Network, facts: Facts) -> torch.export.ExportedProgram:
    """The network that reads images as they are, for any number of images."""
    images = torch.zeros(2, *facts.input_shape)
    module = Normalised(network, facts).eval()
    return torch.export.export(module, (images,), dynamic_shapes=({0: torch.export.Dim("n")},))


def _torch_scores(module: Callable[[torch.Tensor], torch.Tensor]) -> Scores:
    def score(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(images)).numpy()

    return score


class Format(NamedTuple):
    """What writes a file, what reads it, and what sees whether the packages to write are there."""

    write: Callable[[Network, Facts, Path], None]
    read: Callable[[Path], tuple[Facts, Scores]]
    check: Callable[[], None] = lambda: None


FORMATS = {
    ".safetensors": Format(_write_safetensors, _read_safetensors),
    ".onnx": Format(_write_onnx, _read_onnx, _check_onnx),
    ".pt2": Format(_write_pt2, _read_pt2),
    ".py": Format(_write_source, _read_source),
}
"""The formats by their suffixes."""


def _format(path: Path) -> Format:
    if path.suffix not in FORMATS:
        raise MetaqnnError(f"{path}: the suffix must be one of {', '.join(FORMATS)}")
    return FORMATS[path.suffix]
