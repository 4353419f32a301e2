"""What stands in networks of practitioners, and the layers that it makes: stem, stages, head."""

from collections.abc import Iterator, Mapping, Sequence

from state_space.architecture import Cell
from state_space.notation import read

NONE = "none"

CHOICES: dict[str, tuple[str, ...]] = {
    "stem": ("2", "3", "4"),
    "width": ("x1", "x1.5", "x2"),
    "down": ("pool", "stride"),
    "blocks": ("1", "2", "3"),
    "block": ("plain", "residual", "bottleneck", "separable", "inverted"),
    "field": ("3x3", "5x5"),
    "attention": (NONE, "se"),
    "pool": ("mean", "max"),
    "hidden": (NONE, "fc64", "fc128"),
    "dropout": (NONE, "drop0.2", "drop0.4"),
    "mirror": (NONE, "mirror"),
}
"""What is decided, and how; a file may offer less.

The stem and the widths count in units of channels, `scale["width"]` each: a stage has so many times
the channels of what it reads.
"""

STAGE = ("width", "down", "blocks", "block", "field", "attention")
HEAD = ("pool", "hidden", "dropout", "mirror")

CELLS = {
    "residual": ("R", "[CB(F,K,K,1,1), CB(F,K,K,1,1), {se}ADD@{last},-1]"),
    "bottleneck": ("B", "[CB(N,1,1,1,1), CB(N,K,K,1,1), CB(F,1,1,1,1), {se}ADD@{last},-1]"),
    "separable": ("S", "[DB(K,1), CB(F,1,1,1,1), {se}ADD@{last},-1]"),
}
"""The name of a block's cell, and what it is; all add what they read."""

EXPANSION, NARROWING, REDUCTION = 3, 2, 4
"""Of inverted bottlenecks, of bottlenecks, and of squeeze and excitation."""

DROPOUTS = {"drop0.2": (2, 5), "drop0.4": (4, 5)}
"""Arguments of D."""

Values = Mapping[str, str]
Layers = list[tuple[str, tuple[int | str, ...]]]


def stem_layers(filters: int, halvings: int) -> Layers:
    """A convolution; large pictures come to half their size, or with a pooling to a quarter."""
    stride = 1 if halvings == 0 else 2
    stem: Layers = [("CB", (filters, 3, 3, stride, stride))]
    return [*stem, ("P", (2, 2))] if halvings == 2 else stem


def stage_layers(values: Values, filters: int) -> Layers:
    """A convolution that brings the picture to half its size, and the blocks behind it."""
    if values["down"] == "pool":
        layers: Layers = [("CB", (filters, 3, 3, 1, 1)), ("P", (2, 2))]
    else:
        layers = [("CB", (filters, 3, 3, 2, 2))]
    field, has_factors = int(values["field"][0]), values["attention"] != NONE
    kind = values["block"]
    if kind in CELLS:
        narrow = (max(1, filters // NARROWING),) if kind == "bottleneck" else ()
        name = CELLS[kind][0] + ("SE" if has_factors else "")
        block: Layers = [(name, (filters, *narrow, field))]
    else:
        block = [
            ("CB", (filters, field, field, 1, 1)) if kind == "plain" else ("MB", (EXPANSION, field))
        ]
        block += [("SE", (REDUCTION,))] if has_factors else []
    return layers + block * int(values["blocks"])


def head_layers(values: Values, classes: int) -> Layers:
    """From channels to classes."""
    layers: Layers = [("AVG" if values["pool"] == "mean" else "MAX", ())]
    if values["hidden"] != NONE:
        layers.append(("FC", (int(values["hidden"].removeprefix("fc")),)))
    if values["dropout"] != NONE:
        layers.append(("D", DROPOUTS[values["dropout"]]))
    return [*layers, ("SM", (classes,))]


def combinations(kinds: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield every choice of a value for each kind."""
    if not kinds:
        yield {}
        return
    for value in CHOICES[kinds[0]]:
        for others in combinations(kinds[1:]):
            yield {kinds[0]: value, **others}


def _cell(kind: str, text: str, factors: int) -> Cell:
    layers = text.count("CB(") + text.count("DB(")
    se = f"SE({REDUCTION}), " * factors
    made = text.format(se=se, last=layers - 1 + factors)
    parameters = "F,N,K" if kind == "bottleneck" else "F,K"
    return read(f"[ID] where CELL({parameters}) = {made}").cells["CELL"]


BLOCKS = {
    name + "SE" * factors: _cell(kind, text, factors)
    for kind, (name, text) in CELLS.items()
    for factors in (0, 1)
}
"""Every cell by its name, with and without squeeze and excitation."""
