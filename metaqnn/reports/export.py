"""Trained networks of a run as files, whatever they read."""

from pathlib import Path

from metaqnn.language.files import is_model
from metaqnn.language.formats import export as write_language_model
from metaqnn.models.formats import export
from metaqnn.models.network import load_network


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
    export(network, facts, target)
    return facts.architecture
