"""The formats of exported networks: what writes them and what reads them."""

import importlib.util
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from metaqnn.data.preparation import UNTOLD, Preparation
from metaqnn.errors import MetaqnnError
from metaqnn.models.checks import check_trust, image_bytes, parse
from metaqnn.models.model import Facts, Model, Scores
from metaqnn.models.network import BATCH, Normalised, load_network, save_network
from metaqnn.models.onnx import read_onnx
from metaqnn.models.source import write_source
from metaqnn.models.targets import find_format, write_target
from metaqnn.networks.build import Network
from metaqnn.networks.memory import machine_memory
from metaqnn.registry import need
from metaqnn.storage import as_path, is_file, write_file


def export(network: Network, facts: Facts, path: Path) -> None:
    """Write a network in the format of the path's suffix, one of FORMATS.

    Raises:
        MetaqnnError: See `write_target`.
    """
    write_target(FORMATS, path, network, facts)


def load(path: str | Path, *, trust: bool = False) -> Model:
    """The network of images in an exported file; see `metaqnn.reports.export.load`."""
    path = as_path(path, "the file of a network")
    if not trust:
        check_trust(path, ADVICE)
    form = find_format(FORMATS, path)
    if not is_file(path):
        raise MetaqnnError(f"there is no {path}")
    facts, score = form.read(path, trust)
    return Model(facts, _batched(path, facts, score))


ADVICE = (
    "say --trust (trust=True) if you trust whoever made it, or take a .safetensors or .onnx file, "
    "which run none"
)
"""What to do with files that can run code."""


def _batched(path: Path, facts: Facts, score: Scores) -> Scores:
    """The scores of any number of images, no more at once than fit into half of the memory."""
    size = min(BATCH, max(1, machine_memory() // 2 // image_bytes(facts)))

    def scores(images: np.ndarray) -> np.ndarray:
        try:
            parts = [score(images[start : start + size]) for start in range(0, len(images), size)]
            found = np.concatenate(parts)
        except Exception as error:  # whatever a file's layers do wrong, it is told
            reason = " ".join(str(error).split())
            raise MetaqnnError(f"{path} cannot be computed: {reason:.500}") from None
        wanted = (len(images), len(facts.classes))
        if found.shape != wanted or not np.isfinite(found).all():
            raise MetaqnnError(f"{path} is damaged: its scores are not {wanted} finite numbers")
        return found

    return scores


def _write_safetensors(network: Network, facts: Facts, path: Path) -> None:
    write_file(path, save_network(network, facts))


def _read_safetensors(path: Path, trust: bool) -> tuple[Facts, Scores]:
    network, facts = load_network(path)
    return facts, _torch_scores(Normalised(network, facts))


def _write_source(network: Network, facts: Facts, path: Path) -> None:
    weights = path.with_suffix(".safetensors")
    _write_safetensors(network, facts, weights)
    write_file(path, write_source(facts, weights.name))


def _read_source(path: Path, trust: bool) -> tuple[Facts, Scores]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        names = ("ARCHITECTURE", "INPUT_SHAPE", "CLASSES", "MEAN", "DEVIATION", "CONTRAST")
        if missing := [name for name in names if not hasattr(module, name)]:
            raise MetaqnnError(
                f"it has no {missing[0]}, which networks of images have; metaqnn predict and "
                "generate read a language model as .safetensors, which lies beside its source"
            )
        told = getattr(module, "PREPARATION", None)
        preparation = UNTOLD if told is None else Preparation.from_text(told)
        facts = Facts(*(getattr(module, name) for name in names))
        facts = replace(facts, preparation=preparation)
        return facts, _torch_scores(module.load())
    except MetaqnnError as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from None
    except Exception as error:  # the code is a person's to change
        raise MetaqnnError(f"{path} cannot be read: {type(error).__name__}: {error}") from None


def _write_pt2(network: Network, facts: Facts, path: Path) -> None:
    written = BytesIO()
    extra = {"metaqnn.json": json.dumps(facts.metadata)}
    torch.export.save(_program(network, facts), written, extra_files=extra)
    write_file(path, written.getvalue())


def _read_pt2(path: Path, trust: bool) -> tuple[Facts, Scores]:
    if not zipfile.is_zipfile(path):
        raise MetaqnnError(f"{path} cannot be read: torch.export has not written it")
    extra: dict[str, Any] = {"metaqnn.json": ""}
    try:
        program = torch.export.load(path, extra_files=extra)
        facts = Facts.from_metadata(dict(parse(extra["metaqnn.json"])))
    except Exception as error:  # torch raises whatever the file makes it raise
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{path} cannot be read: {reason:.500}") from None
    return facts, _torch_scores(program.module())


def to_onnx(network: Network, facts: Facts) -> bytes:
    """A file of ONNX.

    Raises:
        MetaqnnError: A package is missing.
    """
    return onnx_file(_program(network, facts), ["images"], ["scores"], facts.metadata)


def onnx_file(
    program: torch.export.ExportedProgram,
    inputs: list[str],
    outputs: list[str],
    metadata: Mapping[str, str],
) -> bytes:
    """A file of ONNX; the layers say nothing of the programs that made them, and where these lie.

    Args:
        program: What it computes.
        inputs: Their names.
        outputs: Their names.
        metadata: What it says of itself.

    Raises:
        MetaqnnError: A package is missing.
    """
    check_onnx()
    made = torch.onnx.export(program, input_names=inputs, output_names=outputs, verbose=False)
    assert made is not None, "only the old exporter returns nothing"
    made.model.metadata_props.update(metadata)
    model = made.model_proto
    for part in (*model.graph.node, *model.graph.value_info):
        del part.metadata_props[:]
    written: bytes = model.SerializeToString()
    return written


def _write_onnx(network: Network, facts: Facts, path: Path) -> None:
    write_file(path, to_onnx(network, facts))


def check_onnx() -> None:
    """See whether the packages are there that write ONNX.

    Raises:
        MetaqnnError: One is not.
    """
    need("ONNX", "onnx", "onnx", "onnxscript", "onnxruntime")


def _read_onnx(path: Path, trust: bool) -> tuple[Facts, Scores]:
    need("ONNX", "onnx", "onnx", "onnxruntime")
    return read_onnx(path, trust=trust)


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
    """What writes a file, what reads it, and what sees whether the packages to write are there.

    What reads it takes whether the file is trusted; whatever runs code is only called if it is.
    """

    write: Callable[[Network, Facts, Path], None]
    read: Callable[[Path, bool], tuple[Facts, Scores]]
    check: Callable[[], None] = lambda: None


FORMATS = {
    ".safetensors": Format(_write_safetensors, _read_safetensors),
    ".onnx": Format(_write_onnx, _read_onnx, check_onnx),
    ".pt2": Format(_write_pt2, _read_pt2),
    ".py": Format(_write_source, _read_source),
}
"""The formats by their suffixes."""
