"""The configuration of a run: the options of its parts, composed; TOML in and out."""

from metaqnn.config.options import RunOptions, read_time
from metaqnn.config.parts import (
    ROLES,
    Objects,
    belonging,
    chosen_sections,
    claim_options,
    homes_of,
    of_chosen,
    read_values,
    unknown_option,
)
from metaqnn.config.run import RunConfig

__all__ = [
    "ROLES",
    "Objects",
    "RunConfig",
    "RunOptions",
    "belonging",
    "chosen_sections",
    "claim_options",
    "homes_of",
    "of_chosen",
    "read_time",
    "read_values",
    "unknown_option",
]
