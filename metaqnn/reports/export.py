"""Trained networks as files, whatever they read."""

from pathlib import Path

from metaqnn.language.files import is_model
from metaqnn.language.formats import export as write_language_model
from metaqnn.language.use import TextModel
from metaqnn.models import formats
from metaqnn.models.model import Model
from metaqnn.models.network import load_network
from metaqnn.storage import as_path, is_file


def write_network(weights: Path, target: Path) -> str:
    """Write a network in the format of the target's suffix, and return what it is.

    Args:
        weights: Its file, as a search keeps it.
        target: The file to write.

    Raises:
        MetaqnnError: The file is none, the suffix is unknown, or the target cannot be written.
    """
    if is_model(weights):
        write_language_model(weights, target)
        return "the language model"
    network, facts = load_network(weights)
    formats.export(network, facts, target)
    return facts.architecture


def load(path: str | Path, *, trust: bool = False) -> Model | TextModel:
    """The network in an exported file, whatever its format, or the language model of .safetensors.

    Args:
        path: The file.
        trust: Whoever made it is trusted: it may run code, as .pt2 and .py files can when they are
            read. Files of the other formats cannot.

    Raises:
        MetaqnnError: The file is not there, damaged, or something else; it can run code and is not
            trusted; this machine has not the memory for it; or a package is missing.
    """
    path = as_path(path, "the file of a network")
    if is_file(path) and is_model(path):
        return TextModel.read(path)
    return formats.load(path, trust=trust)
