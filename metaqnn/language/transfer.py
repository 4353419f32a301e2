"""A language model for another text than that which it has learnt from."""

from pathlib import Path

from torch import Tensor

from metaqnn.errors import MetaqnnError
from metaqnn.language.corpus import Corpus
from metaqnn.language.files import cell_of, load_model
from metaqnn.language.model import Dimensions
from metaqnn.terminal import counted
from state_space import Architecture

LAYERS = "layers."
"""With which the names of weights begin that are of no token."""


def transferable(
    path: Path, cell: Architecture | str, dimensions: Dimensions, corpus: Corpus
) -> dict[str, Tensor]:
    """The weights of a file with which another model can begin, by their names in it.

    Those of the layers that both have; and of embeddings and softmax where the tokens are the same.

    Args:
        path: Of the model that is there.
        cell: Of the other one.
        dimensions: Likewise.
        corpus: That the other one is to learn from.

    Raises:
        MetaqnnError: The file cannot be read, or its model has another cell or number of units.
    """
    model, vocabulary, unit = load_model(path)
    if cell_of(path) != cell:
        raise MetaqnnError(f"{path} has a model of another cell: {_name(cell_of(path))}")
    units = model.dimensions.units
    if units != dimensions.units:
        raise MetaqnnError(
            f"{path} has a model of {counted(units, 'unit')}, and this one would have "
            f"{dimensions.units}: give --units {units}"
        )
    layers = tuple(f"{LAYERS}{number}." for number in range(dimensions.layers))
    kept = layers
    if (vocabulary, unit) == (corpus.vocabulary, corpus.unit):
        kept = (*layers, "embeddings", "bias", *(() if dimensions.tied else ("weights",)))
    return {name: value for name, value in model.state_dict().items() if name.startswith(kept)}


def _name(cell: Architecture | str) -> str:
    return cell if isinstance(cell, str) else cell.text
