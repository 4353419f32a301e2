"""Published networks, by the names under which commands know them."""

from collections.abc import Callable, Mapping
from functools import partial

from state_space import Architecture
from state_space.cell_designs import NASNET_A, NASNET_A_FIGURE, PNASNET_5
from state_space.cell_genotype import Genotype
from state_space.cell_network import LARGE, Skeleton, cell_network

Made = Callable[..., Architecture]
"""Makes a network; of `classes`, or else of as many as it was published for."""


def _nasnet(cells: Mapping[str, Genotype], skeleton: Skeleton, classes: int) -> Made:
    return partial(cell_network, cells["normal"], cells["reduction"], skeleton, classes=classes)


def _pnasnet(skeleton: Skeleton, classes: int) -> Made:
    cell = PNASNET_5["cell"]
    return partial(cell_network, cell, cell, skeleton, classes=classes)


_LARGE_A = Skeleton(6, 168, stem=LARGE, stem_filters=96, skips=True)
_LARGE_5 = Skeleton(4, 216, stem=LARGE, stem_filters=96, counts_reductions=True)

NAMED: dict[str, Made] = {
    "nasnet-a": _nasnet(NASNET_A, Skeleton(6, 32), 10),
    "nasnet-a-figure": _nasnet(NASNET_A_FIGURE, Skeleton(6, 32), 10),
    "nasnet-a-mobile": _nasnet(NASNET_A, Skeleton(4, 44, stem=LARGE), 1000),
    "nasnet-a-large": _nasnet(NASNET_A, _LARGE_A, 1000),
    "pnasnet-5": _pnasnet(Skeleton(3, 48, counts_reductions=True), 10),
    "pnasnet-5-mobile": _pnasnet(Skeleton(3, 54, stem=LARGE, counts_reductions=True), 1000),
    "pnasnet-5-large": _pnasnet(_LARGE_5, 1000),
}
"""Every published network; a line here and `metaqnn show`, `train` and `finalize` know it."""
