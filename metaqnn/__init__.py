"""metaqnn designs neural networks for your data by reinforcement learning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaqnn.api import Search as Search
    from metaqnn.reports.export import load as load

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # imported when asked for, lest `metaqnn --help` wait for torch
    if name == "load":
        from metaqnn.reports.export import load

        return load
    if name == "Search":
        from metaqnn.api import Search

        return Search
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
