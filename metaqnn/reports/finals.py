"""What final trainings brought, for people."""

import pandas as pd

from metaqnn.finals import COUNTS
from metaqnn.reports.formats import Format, format_column, render_cells, render_exactly


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """A row a network or ensemble: means over the seeds.

    Args:
        results: As `metaqnn.finals.Finals.test` returns them.

    Returns:
        The columns rank (empty for ensembles), test_error, deviation (standard deviation over the
        seeds, empty for one), low and high (means of the intervals), accuracy (validation accuracy
        in the search), parameters, multiply_adds, seconds, seeds and network.
    """
    groups = results.groupby("network", sort=False)
    means = groups[
        ["rank", "test_error", "low", "high", "accuracy", "parameters", "multiply_adds", "seconds"]
    ].mean()
    means.insert(2, "deviation", groups["test_error"].std())
    means["seeds"] = groups["test_error"].count()
    return means.astype(COUNTS).reset_index()[[*means.columns, "network"]]


def render(summary: pd.DataFrame, form: Format) -> str:
    """The table of `summarise` as text; csv and json carry all digits."""
    if form == "csv" or form == "json":
        return render_exactly(summary, form)
    errors = format_column(summary["test_error"], "{:.2%}")
    if (summary["seeds"] > 1).any():
        deviations = format_column(summary["deviation"], " ± {:.2%}")
        errors = [error + deviation for error, deviation in zip(errors, deviations, strict=True)]
    lows = format_column(summary["low"], "{:.2%}")
    highs = format_column(summary["high"], " to {:.2%}")
    table = pd.DataFrame(
        {
            "rank": format_column(summary["rank"], "{}"),
            "test error": errors,
            "95 % interval": [low + high for low, high in zip(lows, highs, strict=True)],
            "validation": format_column(summary["accuracy"], "{:.2%}"),
            "parameters": format_column(summary["parameters"], "{:,}"),
            "multiply-adds": format_column(summary["multiply_adds"], "{:,}"),
            "seconds": format_column(summary["seconds"], "{:.1f}"),
            "network": summary["network"],
        }
    )
    return render_cells(table, form, ("network",))
