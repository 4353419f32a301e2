"""The file of a language model: .safetensors, whose metadata say what it is."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from metaqnn.errors import MetaqnnError
from metaqnn.language.model import Dimensions, LanguageModel, parameters
from metaqnn.language.notation import read_cell
from metaqnn.language.recipe import UNITS
from state_space import Architecture

KIND = "language model"

FLOAT = 4
"""Bytes of a weight."""


def save_model(
    model: LanguageModel, cell: Architecture | str, vocabulary: tuple[str, ...], unit: str
) -> bytes:
    """A file with what it takes to build and use a model."""
    metadata = {
        "kind": KIND,
        "cell": cell if isinstance(cell, str) else cell.text,
        "dimensions": json.dumps(asdict(model.dimensions)),
        "unit": unit,
        "vocabulary": json.dumps(vocabulary),
    }
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    return save(tensors, metadata)


def is_model(path: Path) -> bool:
    """Whether a file is one of a language model."""
    try:
        with safe_open(path, "pt") as file:
            return bool((file.metadata() or {}).get("kind") == KIND)
    except (OSError, SafetensorError):
        return False


def metadata_of(path: Path) -> dict[str, str]:
    """What the file of a model that `load_model` reads says of it beside the weights."""
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


def cell_of(path: Path) -> Architecture | str:
    """The cell of such a file."""
    return read_cell(metadata_of(path)["cell"])


def load_model(path: Path) -> tuple[LanguageModel, tuple[str, ...], str]:
    """The model of a file that `save_model` made, its vocabulary, and what its tokens are.

    Raises:
        MetaqnnError: The file is not there, damaged, or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            if facts.get("kind") != KIND:
                raise MetaqnnError("it is no language model that metaqnn has written")
            cell = read_cell(facts["cell"])
            dimensions = Dimensions(**json.loads(facts["dimensions"]))
            vocabulary = tuple(map(str, json.loads(facts["vocabulary"])))
            sizes = (dimensions.tokens, dimensions.units, dimensions.layers)
            if not all(type(size) is int and size > 0 for size in sizes):
                raise MetaqnnError("its dimensions make no sense")
            if len(vocabulary) != dimensions.tokens or facts["unit"] not in UNITS:
                raise MetaqnnError("its vocabulary makes no sense")
            # before anything so large is made
            if FLOAT * parameters(cell, dimensions) > path.stat().st_size:
                raise MetaqnnError("it has fewer weights than its dimensions say")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = LanguageModel(cell, dimensions, torch.Generator())
        model.load_state_dict(tensors)
    except SafetensorError as error:
        raise MetaqnnError(
            f"{path} cannot be read: no .safetensors file of a language model: {error}"
        ) from None
    except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{path} cannot be read: {reason:.300}") from None
    except MetaqnnError as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from None
    return model.eval(), vocabulary, facts["unit"]
