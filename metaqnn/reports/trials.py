"""All trials of a run, one row each, for other programs."""

from io import BytesIO
from typing import Any

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.registry import need
from metaqnn.reports.distinct import scores
from metaqnn.reports.formats import as_cells
from metaqnn.task import Score
from state_space import Space

TOKENS = "list of texts"
CURVE = "list of numbers"
ACCURACY = "accuracy"

COLUMNS = {
    "number": "Int64",
    "network": "string",
    "walk": TOKENS,
    "stage": "Int64",
    "digest": "string",
    "seed": "Int64",
    "confirmation": "Int64",
    "epsilon": "Float64",
    "log_probability": "Float64",
    "update": "Int64",
    "refused": "string",
    "finished": "boolean",
    "first": "boolean",
    "reward": "Float64",
    ACCURACY: "Float64",
    "predicted": "boolean",
    "curve": CURVE,
    "parameters": "Int64",
    "multiply_adds": "Int64",
    "nodes": "Int64",
    "edges": "Int64",
    "density": "Float64",
    "seconds": "Float64",
    "images_per_second": "Float64",
    "utilisation": "Float64",
    "learning_rate": "Float64",
    "restarts": "Int64",
    "batch_splits": "Int64",
    "stopped_after": "Int64",
    "would_stop_after": "Int64",
    "would_predict": "Float64",
    "rival": "Float64",
    "deviation": "Float64",
    "expected": "Float64",
    "error": "string",
}
"""The columns of every run, in their order, and what is in them; docs/trials.md explains them."""


def list_trials(trials: pd.DataFrame, space: Space[Any], score: Score) -> pd.DataFrame:
    """The table of `COLUMNS`, and behind them what else agents and evaluators recorded.

    What they recorded under the name of the score's column or of the network's has "recorded_"
    before it.

    Args:
        trials: `Memory.frame`, with the refused ones.
        space: Of the run.
        score: Whose name the column "accuracy" has; the curve is its raw values, higher is better.

    Raises:
        MetaqnnError: What agents or evaluators recorded under a name of `COLUMNS` is of another
            kind.
    """
    columns = dict.fromkeys(score.column if name == ACCURACY else name for name in COLUMNS)
    for taken in {"network", score.column} & set(trials):
        name = f"recorded_{taken}"
        while name in trials:
            name = f"recorded_{name}"
        trials = trials.rename(columns={taken: name})
    others = sorted(set(map(str, trials)) - columns.keys())
    shown = {
        "network": [space.text(walk) for walk in trials["walk"]],
        "predicted": "predicted" in trials and trials["predicted"].notna(),
        score.column: score.read(scores(trials).where(trials["error"].isna())),
    }
    table = trials.assign(**shown).reindex(columns=[*columns, *others])
    kinds = {name: kind for name, kind in COLUMNS.items() if name in columns and "list" not in kind}
    try:
        return table.astype({**kinds, score.column: COLUMNS[ACCURACY]})
    except (TypeError, ValueError) as error:
        raise MetaqnnError(f"the trials have a value of a wrong kind: {error}") from None


def write_csv(table: pd.DataFrame) -> str:
    """A line a trial; the values of a list stand between spaces."""
    joined = {
        name: table[name].map(lambda values: " ".join(map(str, values)))
        for name in (name for name, kind in COLUMNS.items() if kind in (TOKENS, CURVE))
    }
    return as_cells(table).assign(**joined).to_csv(index=False, lineterminator="\n")


def write_parquet(table: pd.DataFrame) -> bytes:
    """The content of a Parquet file.

    Raises:
        MetaqnnError: The package pyarrow is missing.
    """
    need("Parquet", "parquet", "pyarrow")
    import pyarrow
    from pyarrow import parquet

    types = {
        "Int64": pyarrow.int64(),
        "Float64": pyarrow.float64(),
        "string": pyarrow.string(),
        "boolean": pyarrow.bool_(),
        TOKENS: pyarrow.list_(pyarrow.string()),
        CURVE: pyarrow.list_(pyarrow.float64()),
    }
    kinds = {name: COLUMNS.get(name, "Float64") for name in map(str, table)}
    kinds |= {name: str(table[name].dtype) for name in kinds if str(table[name].dtype) in types}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in kinds.items()])
    content = BytesIO()
    parquet.write_table(pyarrow.Table.from_pandas(table, schema, preserve_index=False), content)
    return content.getvalue()
