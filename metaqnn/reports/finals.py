"""What final trainings brought."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.reports.formats import Format, format_column, render_cells, render_exactly
from metaqnn.reports.top_k import best_networks, network_of_rank
from metaqnn.runs.results import (
    BYTES,
    COUNTS,
    FINAL,
    RESULTS,
    also_tested,
    find_results,
    read_results,
)
from metaqnn.runs.run import Run
from metaqnn.task import Score

INT8 = ("int8_test_error", "latency", "int8_latency", "bytes", "int8_bytes")
"""What is shown of networks that were quantised, or timed."""


def add_test_errors(networks: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The networks with their test_error in the run's latest final trainings.

    It is the mean over the seeds, and NaN where there is none.

    Args:
        networks: `metaqnn.reports.distinct.distinct`.
        run: Theirs.
    """
    found = find_results(run)
    if found is None:
        return networks.assign(test_error=np.nan)
    _, results = found
    errors = results.groupby("digest")[run.task.score.tested].mean()
    return networks.assign(test_error=networks["digest"].map(errors))


def final_weights(run: Run, rank: int | None, name: str) -> Path:
    """The weights of a network as it was trained in the end, with the first seed.

    Args:
        run: The run.
        rank: Of the network, as `metaqnn.reports.top_k.top_k` ranks them now; None is the best of
            those that were trained.
        name: Of the folder of the final trainings.

    Raises:
        MetaqnnError: There are none.
    """
    path = run.path / FINAL / name
    if not (path / RESULTS).is_file():
        raise MetaqnnError(f"there is no {path / RESULTS}; `metaqnn finalize` writes it")
    results = read_results(path / RESULTS).dropna(subset=["weights"])
    if rank is None:
        ranked = best_networks(run, sys.maxsize)
        trained = ranked[ranked["digest"].isin(results["digest"])]
        rank = 1 if trained.empty else int(trained["rank"].iloc[0])
    network = network_of_rank(run, rank)
    weights = results.loc[results["digest"] == network["digest"], "weights"]
    if weights.empty:
        raise MetaqnnError(f"{network['network']}, of rank {network['rank']}, is not in {path}")
    return path / str(weights.iloc[0])


def summarise(results: pd.DataFrame, score: Score) -> pd.DataFrame:
    """A row a network or ensemble: means over the seeds.

    Args:
        results: As `metaqnn.runs.finals.Finals.test` returns them.
        score: Of the search.

    Returns:
        The columns rank (empty for ensembles), test_error, deviation (standard deviation over the
        seeds, empty for one), low and high (means of the intervals), the score on the test images,
        where it is not the accuracy, such as test_macro_f1, and on the validation images in the
        search (accuracy, macro_f1), parameters, multiply_adds, seconds, seeds and network; behind
        seconds latency (seconds an image), where it was measured, and where networks were quantised
        int8_test_error, int8_latency, bytes and int8_bytes. Of texts it is test_perplexity or
        test_bits in the place of test_error.
    """
    tested = [name for name in also_tested(score) if name in results]
    groups = results.groupby("network", sort=False)
    first = ["rank", score.tested, "low", "high", *tested, score.column]
    quantised = [name for name in INT8 if name in results]
    means = groups[[*first, "parameters", "multiply_adds", "seconds", *quantised]].mean()
    means.insert(2, "deviation", groups[score.tested].std())
    seeds = groups[score.tested].count()
    means["seeds"] = seeds.where(seeds > 0, groups["weights"].count())
    sizes = {name: means[name].round() for name in BYTES if name in means}
    counts = COUNTS | {name: BYTES[name] for name in sizes}
    return means.assign(**sizes).astype(counts).reset_index()[[*means.columns, "network"]]


def render(summary: pd.DataFrame, score: Score, form: Format) -> str:
    """The table of `summarise` as text; csv and json carry all digits."""
    if form == "csv" or form == "json":
        return render_exactly(summary, form)
    return render_cells(as_text(summary, score), form, ("network",))


def as_text(summary: pd.DataFrame, score: Score) -> pd.DataFrame:
    """The table of `summarise` for people."""
    show = score.show_tested
    errors = format_column(summary[score.tested], show)
    if (summary["seeds"] > 1).any():
        deviations = format_column(summary["deviation"], lambda value: f" ± {show(value)}")
        errors = [error + deviation for error, deviation in zip(errors, deviations, strict=True)]
    lows = format_column(summary["low"], show)
    highs = format_column(summary["high"], lambda value: f" to {show(value)}")
    also = [name for name in also_tested(score) if name in summary]
    table = pd.DataFrame(
        {
            "rank": format_column(summary["rank"], "{}".format),
            score.tested.replace("_", " "): errors,
            "95 % interval": [low + high for low, high in zip(lows, highs, strict=True)],
            **{f"test {score.header}": format_column(summary[name], score.format) for name in also},
            score.name if also_tested(score) else "validation": format_column(
                summary[score.column], score.format
            ),
            "parameters": format_column(summary["parameters"], "{:,}".format),
            "multiply-adds": format_column(summary["multiply_adds"], "{:,}".format),
            "seconds": format_column(summary["seconds"], "{:.1f}".format),
            **_of_quantised(summary),
            "network": summary["network"],
        }
    )
    return table if summary["multiply_adds"].notna().any() else table.drop(columns="multiply-adds")


def _of_quantised(summary: pd.DataFrame) -> dict[str, list[str]]:
    """The columns of `INT8` for people."""
    columns = {
        "int8 error": ("int8_test_error", "{:.2%}".format),
        "ms an image": ("latency", _in_thousandths),
        "int8 ms": ("int8_latency", _in_thousandths),
        "kB": ("bytes", _in_thousands),
        "int8 kB": ("int8_bytes", _in_thousands),
    }
    return {
        header: format_column(summary[name], form)
        for header, (name, form) in columns.items()
        if name in summary
    }


def _in_thousandths(value: float) -> str:
    return f"{1e3 * value:.3f}"


def _in_thousands(value: float) -> str:
    return f"{value / 1e3:,.1f}"
