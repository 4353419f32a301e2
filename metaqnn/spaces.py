"""From a space's TOML file to a space that is bound to a data set."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from metaqnn.config import read_toml
from metaqnn.errors import MetaqnnError
from metaqnn.registry import DATASETS, SPACES, check_name, find
from metaqnn.task import Shape
from state_space import Space
from state_space.chain import ChainSpace
from state_space.limits import Limits
from state_space.macro import MacroSpace
from state_space.settings import SettingsError, check, suggestion
from state_space.skip import SkipSpace
from state_space.skip_limits import SkipLimits

PRESETS = files("state_space") / "presets"


def preset_names() -> list[str]:
    """The named spaces."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in PRESETS.iterdir()
        if entry.name.endswith(".toml")
    )


def read_space(name: str) -> dict[str, Any]:
    """The mapping of a preset, or of a TOML file.

    Raises:
        MetaqnnError: There is no such preset or file, or it is no TOML.
    """
    if name in preset_names():
        return read_toml(Path(str(PRESETS / f"{name}.toml")))
    if name.endswith(".toml") or "/" in name:
        return read_toml(Path(name))
    raise MetaqnnError(f"there is no space {name!r}{suggestion(name, preset_names())}")


def made_for(mapping: Mapping[str, Any]) -> tuple[Shape, int]:
    """Image shape and number of classes of the data set for which a space was made.

    Raises:
        MetaqnnError: There is no such data set.
    """
    known = {
        name: (entry.shape, entry.classes)
        for name, entry in DATASETS.items()
        if entry.shape and entry.classes
    }
    return known[check_name("data set", known, str(mapping.get("made-for", "cifar10")))]


def bind_space(mapping: Mapping[str, Any], shape: Shape, classes: int) -> Space[Any]:
    """The space of a mapping, for images of a shape (channels, size, size) and their classes.

    Raises:
        MetaqnnError: The mapping has unknown keys or impossible values; all are named.
    """
    limits = {key: value for key, value in mapping.items() if key not in ("space", "made-for")}
    make = find("kind of space", SPACES, str(mapping.get("space", "chain")))
    try:
        space: Space[Any] = make(limits, shape, classes)
    except SettingsError as error:
        raise MetaqnnError(f"space: {error}") from None
    return space


def chain(limits: Mapping[str, Any], shape: Shape, classes: int) -> Space[Any]:
    """MetaQNN's chain."""
    return ChainSpace(Limits.from_mapping(limits), shape[1], classes)


def skip(limits: Mapping[str, Any], shape: Shape, classes: int) -> Space[Any]:
    """Layers with skip connections; they fit images of any shape."""
    return SkipSpace(SkipLimits.from_mapping(limits), classes)


def macro(limits: Mapping[str, Any], shape: Shape, classes: int) -> Space[Any]:
    """NAS-Bench-Macro, which has no keys of its own."""
    check(limits, {})
    return MacroSpace()
