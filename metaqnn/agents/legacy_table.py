"""The columns in which the 2017 MetaQNN code writes a chain's Q-values."""

import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from metaqnn.agents.q_frame import load_frame
from metaqnn.agents.q_table import QTable
from metaqnn.errors import MetaqnnError
from state_space.chain import START, ChainObservation, ChainSpace, Layer

_TYPES = {"start": "start", "C": "conv", "P": "pool", "FC": "fc", "GAP": "gap"}
_LAYERS = {name: layer for layer, name in _TYPES.items()}


COLUMNS = (
    *(
        f"{side}_{name}"
        for side in ("end", "start")
        for name in (
            "fc_size",
            "filter_depth",
            "filter_size",
            "image_size",
            "layer_depth",
            "layer_type",
            "stride",
            "terminate",
        )
    ),
    "utility",
)
"""The columns of `q_values.csv`: an action is the state that it leads to."""


def to_legacy(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame of a chain's Q-table in the columns of `q_values.csv`.

    There a state is eight numbers, and an action is the state that it leads to. Termination leads
    to the same state, one deeper, with terminate set.
    """
    records = []
    for row in frame.itertuples(index=False):
        values: Any = row
        state = ChainObservation(*(getattr(values, name) for name in ChainObservation._fields))
        action = Layer(*(getattr(values, f"action_{name}") for name in Layer._fields))
        if action.layer == "SM":
            end = _legacy_state(state, state.depth + 1, state.fc_before, state.size, terminate=1)
        else:
            fc_before = state.fc_before + 1 if state.layer == action.layer == "FC" else 0
            size = 1 if action.layer in ("FC", "GAP") else state.size
            end = _legacy_state(action, state.depth + 1, fc_before, size, terminate=0)
        start = _legacy_state(state, state.depth, state.fc_before, state.size, terminate=0)
        records.append(
            {f"end_{name}": value for name, value in end.items()}
            | {f"start_{name}": value for name, value in start.items()}
            | {"utility": values.q}
        )
    return pd.DataFrame(records)


def from_legacy(frame: pd.DataFrame, space: ChainSpace) -> pd.DataFrame:
    """A `q_values.csv` of the 2017 code as a frame that `load_frame` takes.

    Rows of FC and GAP states with an image size above 1 are left out: the 2017 code lists them, but
    learns at size 1 only.

    Raises:
        MetaqnnError: A column is missing.
    """
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise MetaqnnError(f"the Q-table has no column {' and no '.join(missing)}")
    types = frame["start_layer_type"]
    frame = frame[~(types.isin(["fc", "gap"]) & (frame["start_image_size"] > 1))]
    tokens = {
        layer: token for token in space.vocabulary["layer"] for layer in [space.action(token)]
    }
    records = []
    for row in frame.itertuples(index=False):
        start, _ = _layer(row, "start")
        end, terminates = _layer(row, "end")
        values: Any = row
        is_fc = start.layer == "FC"
        state = ChainObservation(
            *start[:1],
            values.start_layer_depth,
            *start[1:],
            values.start_filter_depth if is_fc else 0,
            values.start_image_size,
        )
        action = tokens.get(Layer("SM") if terminates else end, end.layer)
        records.append({**state._asdict(), "action": action, "q": float(values.utility)})
    return pd.DataFrame(records, index=frame.index)


def read_q_table(path: Path) -> pd.DataFrame:
    """A Q-table's CSV file of either layout, numbers to the last bit.

    Raises:
        MetaqnnError: It is not there or not readable.
    """
    try:
        return pd.read_csv(path, converters={"q": float, "utility": float}, keep_default_na=False)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise MetaqnnError(f"{path} cannot be read: {error}") from None


def load_q_table(table: QTable, frame: pd.DataFrame) -> None:
    """Load a frame of either layout.

    Raises:
        MetaqnnError: See `load_frame`.
    """
    if "start_layer_type" in frame and isinstance(table.space, ChainSpace):
        frame = from_legacy(frame, table.space)
    load_frame(table, frame)


def _legacy_state(
    layer: Layer | ChainObservation, depth: int, fc_before: int, size: int, *, terminate: int
) -> dict[str, Any]:
    filter_depth = {"start": 1, "C": layer.filters, "FC": fc_before}.get(layer.layer, 0)
    return {
        "fc_size": layer.units,
        "filter_depth": filter_depth,
        "filter_size": layer.field,
        "image_size": size,
        "layer_depth": depth,
        "layer_type": _TYPES[layer.layer],
        "stride": layer.stride,
        "terminate": terminate,
    }


def _layer(row: Any, side: str) -> tuple[Layer, bool]:
    """The layer of one side of a row, and whether the side is a termination."""
    kind = _LAYERS.get(getattr(row, f"{side}_layer_type"), getattr(row, f"{side}_layer_type"))
    if kind in ("start", "GAP"):
        layer = START if kind == "start" else Layer("GAP")
    else:
        layer = Layer(
            kind,
            filters=getattr(row, f"{side}_filter_depth") if kind == "C" else 0,
            field=getattr(row, f"{side}_filter_size"),
            stride=getattr(row, f"{side}_stride"),
            units=getattr(row, f"{side}_fc_size"),
        )
    return layer, bool(getattr(row, f"{side}_terminate"))
