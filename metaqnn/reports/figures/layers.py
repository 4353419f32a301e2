"""The layers that the best networks have at each depth, against those of all."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from metaqnn.reports.figures.decisions import name, rows_of
from metaqnn.reports.figures.findings import Findings
from metaqnn.reports.figures.style import COLOURS, GREY, make_figure
from metaqnn.terminal import counted
from state_space import Space, Token, legal_walk

BEST = 10
"""So many networks of the highest rewards count as the best; a fifth of all if that is less."""

SHARES = (0.1, 0.5)
"""Those that the legend shows."""

ROW = 0.19
"""Inches."""

DISC = 20.0
"""Points across, of what all networks chose."""

GAP = 0.5
"""Between the rows of two types of layers or kinds of decisions, in rows."""


def draw(findings: Findings) -> Figure:
    """What is chosen at each layer: the area of a disc is the share of the networks.

    Grey discs are all networks, blue rings the best, lines the ways that the best take. Where the
    ring is larger than the disc, the best chose it more often. Where there are too many tokens,
    those of a type are one.
    """
    found = findings.measured()
    count = max(1, min(BEST, len(found) // 5))
    best = found.sort_values("reward", ascending=False, kind="stable").head(count)
    everywhere, among_best = (shares(findings.space, group) for group in (found, best))
    names = rows_of(everywhere.index.get_level_values("token"))
    everywhere, among_best = (
        group.groupby(["depth", group.index.get_level_values("token").map(names)]).sum()
        for group in (everywhere, among_best)
    )
    rows = _rows(findings.space, names)
    figure = make_figure(1.1 + ROW * (max(rows.values()) + 1))
    axes = figure.add_subplot()
    if len(findings.space.vocabulary) == 1:
        _draw_ways(axes, ([names[token] for token in walk] for walk in best["walk"]), rows)
    everything = f"all {counted(len(found), 'network')}" if len(found) > 1 else "the only network"
    looks: tuple[dict[str, Any], ...] = (
        {"color": GREY, "alpha": 0.55, "linewidth": 0, "label": everything},
        {"color": COLOURS[0], "facecolor": "none", "linewidth": 1.4, "label": f"the best {count}"},
    )
    for group, look in zip((everywhere, among_best), looks, strict=True):
        layers, tokens = group.index.get_level_values(0), group.index.get_level_values(1)
        axes.scatter(layers, tokens.map(rows), group * DISC**2, zorder=3, **look)
    for share in SHARES:
        axes.scatter([], [], share * DISC**2, color=GREY, alpha=0.55, lw=0, label=f"{share:.0%}")
    axes.set_yticks(list(rows.values()), [name(token) for token in rows], fontsize=8)
    axes.set_ylim(max(rows.values()) + 0.7, -0.7)
    axes.xaxis.set_major_locator(MaxNLocator(20, integer=True, min_n_ticks=1))
    axes.set_xlabel("layer")
    axes.grid(alpha=0.2, linewidth=0.5)
    axes.set_axisbelow(True)
    legend = figure.legend(loc="outside lower center", ncols=2 + len(SHARES))
    for handle in legend.legend_handles[: len(looks)]:
        assert isinstance(handle, PathCollection)
        handle.set_sizes([50])
    return figure


def shares(space: Space[Any], networks: pd.DataFrame) -> "pd.Series[float]":
    """The share of the networks that chose a token at a layer, by depth (from 1) and token.

    Where a network decides several times on one thing at a layer, as on what it reads, each of the
    decisions has its part.
    """
    chosen = pd.DataFrame(
        [
            (number, space.layer(space.observation(state)) + 1, decision.kind, token)
            for number, walk, stage in networks[["walk", "stage"]].itertuples()
            for state, decision, token in legal_walk(space, walk, stage)
        ],
        columns=["network", "depth", "kind", "token"],
    )
    parts = 1 / chosen.groupby(["network", "depth", "kind"])["token"].transform("size")
    return parts.groupby([chosen["depth"], chosen["token"]]).sum() / len(networks)


def _rows(space: Space[Any], names: Mapping[Token, str]) -> dict[str, float]:
    """Where each row of chosen tokens stands, in the vocabulary's order."""
    rows: dict[str, float] = {}
    place, before = 0.0, ""
    for kind, tokens in space.vocabulary.items():
        for token in tokens:
            if token in names and names[token] not in rows:
                block = kind + token.partition("(")[0] * ("(" in token)
                place += GAP * (before not in ("", block))
                rows[names[token]], before = place, block
                place += 1
    return rows


def _draw_ways(axes: Axes, walks: Iterable[Sequence[str]], rows: Mapping[str, float]) -> None:
    """Draw the steps from layer to layer, as wide as there are networks that take them."""
    steps = Counter(
        (place, before, after)
        for walk in walks
        for place, (before, after) in enumerate(pairwise(walk), start=1)
    )
    for (place, before, after), networks in steps.items():
        start, end = (place, rows[before]), (place + 1, rows[after])
        bends = [(place + 0.5, start[1]), (place + 0.5, end[1])]
        curve = Path([start, *bends, end], [Path.MOVETO, *[Path.CURVE4] * 3])
        axes.add_patch(
            PathPatch(curve, fill=False, color=COLOURS[5], linewidth=0.9 * networks, alpha=0.45)
        )
