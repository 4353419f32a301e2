"""The configuration of a run: the options of its parts, composed; TOML in and out."""

from metaqnn.config.options import RunOptions, read_time
from metaqnn.config.parts import (
    ROLES,
    Objects,
    all_sections,
    belonging,
    chosen_parts,
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
    "all_sections",
    "belonging",
    "chosen_parts",
    "chosen_sections",
    "claim_options",
    "homes_of",
    "of_chosen",
    "read_time",
    "read_values",
    "unknown_option",
]
