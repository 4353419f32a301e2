"""From a space's TOML file to a space that is bound to a task."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from metaqnn.data.datasets import find_dataset
from metaqnn.errors import MetaqnnError
from metaqnn.registry import MADE, Table, is_class_of
from metaqnn.storage import read_toml
from metaqnn.task import IMAGE, Task, classification
from state_space import Architecture, Space, scaled
from state_space.notation import NotationError
from state_space.settings import suggestion

PRESETS = files("state_space") / "presets"

NO_TEXTS = (
    "its networks read no texts, and the data is one; texts are read by the cells of "
    "recurrent-small, nas-ptb, enas-small and enas-ptb"
)

SPACES: Table[type[Space[Any]]] = Table(
    "kind of space",
    {
        "block": "state_space.block:BlockSpace",
        "cell": "state_space.cell:CellSpace",
        "cell-201": "state_space.cell_201:Cell201Space",
        "chain": "state_space.chain:ChainSpace",
        "enas-cell": "state_space.enas_cell:EnasCellSpace",
        "graph": "state_space.graph:GraphSpace",
        "hierarchical": "state_space.hierarchical:HierarchicalSpace",
        "macro": "state_space.macro:MacroSpace",
        "published": "metaqnn.networks.published:PublishedSpace",
        "practical": "state_space.practical:PracticalSpace",
        "recurrent": "state_space.recurrent:RecurrentSpace",
        "skip": "state_space.skip:SkipSpace",
    },
    "metaqnn.spaces",
    is_class_of(Space),
)


def preset_names() -> list[str]:
    """The named spaces."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in PRESETS.iterdir()
        if entry.name.endswith(".toml")
    )


def space_names() -> list[str]:
    """The named spaces, and the kinds of spaces of installed packages."""
    return [*preset_names(), *(kind for kind in SPACES.names() if kind not in SPACES)]


def read_space(name: str) -> dict[str, Any]:
    """The mapping of a preset, of a TOML file, or of a kind of space that has no keys to set.

    Raises:
        MetaqnnError: There is no such preset or file, or it is no TOML.
    """
    if name in preset_names():
        return read_toml(Path(str(PRESETS / f"{name}.toml")))
    if name.endswith(".toml") or "/" in name:
        return read_toml(Path(name))
    if name in space_names() or ":" in name:
        return {"space": name}
    raise MetaqnnError(f"there is no space {name!r}{suggestion(name, space_names())}")


def made_for(mapping: Mapping[str, Any]) -> Task:
    """What a space was made for: the data set that it names, or the shape and classes.

    Raises:
        MetaqnnError: There is no such data set, or it may have any images.
    """
    named = mapping.get("made-for", "cifar10")
    if isinstance(named, dict):
        try:
            shape = tuple(map(int, named["shape"]))
            return classification(shape, tuple(map(str, range(int(named["classes"])))))
        except (KeyError, TypeError, ValueError):
            raise MetaqnnError(
                f"made-for is {named!r}, not a data set or {{shape = [3, 32, 32], classes = 10}}"
            ) from None
    entry, _ = find_dataset(str(named))
    if not entry.shape or not entry.classes:
        raise MetaqnnError(f"made-for is {named!r}, whose images may have any shape")
    return classification(entry.shape, tuple(map(str, range(entry.classes))))


def network_of(name: str, text: str, shape: tuple[int, ...], outputs: int) -> Architecture:
    """The network that a text names in the words of a space, as `metaqnn top-k` prints them.

    Args:
        name: Of the space; see `read_space`.
        text: See `Space.text`.
        shape: Of the examples.
        outputs: How many there are.

    Raises:
        MetaqnnError: There is no such space, or no such network in it.
    """
    space = bind_space(read_space(name), shape, outputs)
    try:
        return space.architecture(space.parse(text))
    except NotationError as error:
        raise MetaqnnError(f"{name}: {error}") from None


def bind_space(mapping: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> Space[Any]:
    """The space of a mapping, for examples of a shape and a number of outputs.

    Raises:
        MetaqnnError: The mapping has unknown keys or impossible values; all are named.
    """
    own = ("space", "made-for", "recipe", "scale")
    keys = {key: value for key, value in mapping.items() if key not in own}
    name = str(mapping.get("space", "chain"))
    # of an object its class is tried: most spaces of a program have nothing to be told
    kind = SPACES.find(name.removesuffix(MADE))
    try:
        return scaled(kind.from_mapping(keys, shape, outputs), mapping.get("scale", {}))
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        if kind.trainable and len(shape) != IMAGE:
            raise MetaqnnError(f"space: {NO_TEXTS}") from None
        raise MetaqnnError(f"space: {error}") from None
