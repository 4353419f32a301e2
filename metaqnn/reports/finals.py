"""What final trainings brought."""

from pathlib import Path

import numpy as np
import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.files import write_file
from metaqnn.reports.formats import Format, format_column, render_cells, render_exactly
from metaqnn.reports.top_k import network_of_rank
from metaqnn.runs import Run

FINAL = "final"
RESULTS = "results.csv"

COLUMNS = (
    *("seed", "rank", "test_error", "low", "high", "accuracy", "parameters", "multiply_adds"),
    *("seconds", "network", "digest", "weights", "error"),
)
"""Of RESULTS, a row a network and seed, and one an ensemble, which has no rank.

`test_error` is the share of the test images that are classified wrong, `low` and `high` its 95 %
interval (Wilson's), `accuracy` that on the validation images in the search, `seconds` those of the
final training, `weights` the file in the folder, `error` why the training failed.
"""

COUNTS = dict.fromkeys(("rank", "parameters", "multiply_adds"), "Int64")
"""Columns of whole numbers, some of which are missing."""


def write_results(folder: Path, results: pd.DataFrame) -> None:
    """Write RESULTS of a folder; the rows of other networks and seeds stay."""
    path = folder / RESULTS
    if path.exists():
        key = ["seed", "network"]
        before = _read(path)
        known = before.set_index(key).index.isin(results.set_index(key).index)
        results = pd.concat([results, before[~known]])
    write_file(path, results.to_csv(index=False, lineterminator="\n"))


def find_results(run: Run) -> tuple[str, pd.DataFrame] | None:
    """The run's latest final trainings: name of the folder, results; None where there are none."""
    found = sorted((run.path / FINAL).glob(f"*/{RESULTS}"), key=lambda path: path.stat().st_mtime)
    return (found[-1].parent.name, _read(found[-1])) if found else None


def add_test_errors(networks: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The networks with their test_error in the run's latest final trainings.

    It is the mean over the seeds, and NaN where there is none.

    Args:
        networks: `metaqnn.reports.networks.distinct`.
        run: Theirs.
    """
    found = find_results(run)
    if found is None:
        return networks.assign(test_error=np.nan)
    _, results = found
    errors = results.groupby("digest")["test_error"].mean()
    return networks.assign(test_error=networks["digest"].map(errors))


def final_weights(run: Run, rank: int, name: str) -> Path:
    """The weights of a network as it was trained in the end, with the first seed.

    Args:
        run: The run.
        rank: Of the network, as `metaqnn.reports.top_k.top_k` ranks them now.
        name: Of the folder of the final trainings.

    Raises:
        MetaqnnError: There are none.
    """
    path = run.path / FINAL / name
    if not (path / RESULTS).is_file():
        raise MetaqnnError(f"there is no {path / RESULTS}; `metaqnn finalize` writes it")
    network = network_of_rank(run, rank)
    results = _read(path / RESULTS).dropna(subset=["weights"])
    weights = results.loc[results["digest"] == network["digest"], "weights"]
    if weights.empty:
        raise MetaqnnError(f"{network['network']}, of rank {network['rank']}, is not in {path}")
    return path / str(weights.iloc[0])


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=COUNTS)


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
    tested = groups["test_error"].count()
    means["seeds"] = tested.where(tested > 0, groups["weights"].count())
    return means.astype(COUNTS).reset_index()[[*means.columns, "network"]]


def render(summary: pd.DataFrame, form: Format) -> str:
    """The table of `summarise` as text; csv and json carry all digits."""
    if form == "csv" or form == "json":
        return render_exactly(summary, form)
    return render_cells(as_text(summary), form, ("network",))


def as_text(summary: pd.DataFrame) -> pd.DataFrame:
    """The table of `summarise` for people."""
    errors = format_column(summary["test_error"], "{:.2%}")
    if (summary["seeds"] > 1).any():
        deviations = format_column(summary["deviation"], " ± {:.2%}")
        errors = [error + deviation for error, deviation in zip(errors, deviations, strict=True)]
    lows = format_column(summary["low"], "{:.2%}")
    highs = format_column(summary["high"], " to {:.2%}")
    return pd.DataFrame(
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
