"""The best networks of a run."""

import json
from typing import Any

import pandas as pd
from tabulate import tabulate

from metaqnn.reports.formats import Format
from state_space import Space

COLUMNS = [
    "rank",
    "accuracy",
    "reward",
    "parameters",
    "multiply_adds",
    "seconds",
    "found",
    "epsilon",
    "network",
]


def top_k(trials: pd.DataFrame, space: Space[Any], k: int) -> pd.DataFrame:
    """The k distinct networks of the highest rewards, those found first before their equals.

    Args:
        trials: `Memory.frame`.
        space: Of the run.
        k: How many.

    Returns:
        The columns rank, accuracy (validation, 0 to 1), reward (by which they are ranked),
        parameters, multiply_adds (an image), seconds (of training), found (its place among the
        distinct networks), epsilon (empty for agents without) and network.
    """
    trained = trials[trials["finished"] & trials["first"]].copy()
    trained["found"] = range(1, len(trained) + 1)
    succeeded = trained[trained["error"].isna()]
    best = succeeded.sort_values("reward", ascending=False, kind="stable").head(k)
    best = best.assign(
        rank=range(1, len(best) + 1),
        accuracy=best["curve"].map(max),
        network=[space.architecture(walk).text for walk in best["walk"]],
    )
    best = best.reindex(columns=COLUMNS)
    counts = {name: "Int64" for name in ("parameters", "multiply_adds")}
    return best.astype(counts).reset_index(drop=True)


def render(best: pd.DataFrame, form: Format) -> str:
    """The table of `top_k` as text; csv and json carry all digits.

    Where all rewards are accuracies the table leaves them out.
    """
    if form == "csv":
        return best.to_csv(index=False, lineterminator="\n").rstrip("\n")
    if form == "json":
        known = best.astype(object).where(best.notna(), None)
        return json.dumps(known.to_dict("records"), indent=2)
    table = pd.DataFrame(
        {
            "rank": best["rank"],
            "accuracy": best["accuracy"].map("{:.2%}".format),
            "parameters": _cells(best["parameters"], "{:,}"),
            "multiply-adds": _cells(best["multiply_adds"], "{:,}"),
            "seconds": _cells(best["seconds"], "{:.1f}"),
            "found": best["found"],
            "epsilon": _cells(best["epsilon"], "{:g}"),
            "network": best["network"],
        }
    )
    if (best["reward"] != best["accuracy"]).any():
        table.insert(2, "reward", _cells(best["reward"], "{:.4f}"))
    align = ["right"] * (len(table.columns) - 1) + ["left"]
    return tabulate(
        table.to_dict("list"),
        headers="keys",
        tablefmt="pipe" if form == "markdown" else "simple",
        colalign=align if len(table) else None,
        disable_numparse=True,
    )


def _cells(column: "pd.Series[float]", form: str) -> list[str]:
    """The values as text; nothing where there is none."""
    return ["" if pd.isna(value) else form.format(value) for value in column]
