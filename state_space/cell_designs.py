"""Published cells. All blocks add; the outputs are named where the published code has others."""

from state_space.cell_genotype import Genotype, read_cells

_NORMAL = "normal: 0 sep5 + 1 sep3, 1 sep5 + 1 sep3, 0 avg3 + 1 id, 1 avg3 + 1 avg3, 0 sep3 + 0 id"
_REDUCTION = (
    "reduction: 0 sep5 + 1 sep7, 0 max3 + 1 sep7, 0 avg3 + 1 sep5, 3 id + 2 avg3, 2 sep3 + 0 max3"
)

NASNET_A: dict[str, Genotype] = read_cells(f"{_NORMAL} -> 1,2,3,4,5,6 | {_REDUCTION} -> 3,4,5,6")
"""NASNet-A (Zoph et al. 2018, https://arxiv.org/abs/1707.07012), as in its published code."""

NASNET_A_FIGURE = read_cells(f"{_NORMAL} | {_REDUCTION}")
"""The same as the paper's figure 4 draws it: what no block reads is the output."""

PNASNET_5 = read_cells(
    "cell: 1 sep5 + 1 max3, 0 sep7 + 0 max3, 0 sep5 + 0 sep3, 4 sep3 + 0 max3, 1 sep3 + 0 id "
    "-> 2,3,4,5,6"
)
"""PNASNet-5 (Liu et al. 2018, https://arxiv.org/abs/1712.00559), as in its published code."""
