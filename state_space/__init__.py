"""Search spaces: pure, immutable data; no torch, no files."""

from state_space.architecture import Architecture, Cell, NestingError, Node
from state_space.base import (
    Decision,
    IllegalMove,
    Observation,
    Space,
    Token,
    TooManyStates,
    count_architectures,
    enumerate_rows,
    legal_walk,
    random_walk,
    space_size,
    stage_of,
)
from state_space.scale import check_scale, scaled

__all__ = [
    "Architecture",
    "Cell",
    "Decision",
    "IllegalMove",
    "NestingError",
    "Node",
    "Observation",
    "Space",
    "Token",
    "TooManyStates",
    "check_scale",
    "count_architectures",
    "enumerate_rows",
    "legal_walk",
    "random_walk",
    "scaled",
    "space_size",
    "stage_of",
]
