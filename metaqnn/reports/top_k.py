"""The best networks of a run."""

from pathlib import Path
from typing import Any

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.reports.formats import Format, render_cells, render_exactly
from metaqnn.reports.networks import distinct
from metaqnn.runs import NETWORKS, Run
from metaqnn.winners import weights_path
from state_space import Space

PREDICTED = "* predicted: the training was stopped"
"""What the asterisk means."""

COLUMNS = [
    "rank",
    "accuracy",
    "predicted",
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
        The columns rank, accuracy (validation, 0 to 1), predicted (whether the accuracy is, since
        the training was stopped), reward (by which they are ranked), parameters, multiply_adds (an
        image), seconds (of training), found (its place among the distinct networks), epsilon (empty
        for agents without) and network.
    """
    best = _ranking(trials).head(k)
    best = best.assign(
        rank=range(1, len(best) + 1),
        network=[space.architecture(walk).text for walk in best["walk"]],
    )
    best = best.reindex(columns=COLUMNS)
    counts = {name: "Int64" for name in ("parameters", "multiply_adds")}
    return best.astype(counts).reset_index(drop=True)


def weights_file(run: Run, rank: int) -> Path:
    """The file of weights of a network by its rank in `top_k`.

    Raises:
        MetaqnnError: There are fewer networks, or the weights are not kept.
    """
    memory = run.memory()
    ranking = _ranking(memory.frame())
    memory.close()
    if rank > len(ranking):
        raise MetaqnnError(f"rank is {rank}, but {run.path} has {len(ranking)} trained networks")
    path = weights_path(run.path / NETWORKS, ranking["number"].iloc[rank - 1])
    if not path.is_file():
        raise MetaqnnError(
            f"the weights of rank {rank} are not in {run.path}: it keeps those of the best "
            f"{run.config.keep} (--keep), and none of trainings that were stopped or done elsewhere"
        )
    return path


def _ranking(trials: pd.DataFrame) -> pd.DataFrame:
    """The distinct networks that did not fail, best first."""
    networks = distinct(trials)
    succeeded = networks[networks["error"].isna()]
    return succeeded.sort_values("reward", ascending=False, kind="stable")


def render(best: pd.DataFrame, form: Format) -> str:
    """The table of `top_k` as text; csv and json carry all digits."""
    if form == "csv" or form == "json":
        return render_exactly(best, form)
    text = render_cells(as_text(best), form, ("network",))
    return f"{text}\n\n{PREDICTED}" if best["predicted"].any() else text


def as_text(best: pd.DataFrame) -> pd.DataFrame:
    """The columns of `top_k` that people read.

    Where all rewards are accuracies they are left out. Predicted accuracies have an asterisk.
    """
    table = pd.DataFrame(
        {
            "rank": best["rank"],
            "accuracy": best["accuracy"].map("{:.2%}".format)
            + best["predicted"].map({True: "*", False: ""}),
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
    return table


def _cells(column: "pd.Series[float]", form: str) -> list[str]:
    """The values as text; nothing where there is none."""
    return ["" if pd.isna(value) else form.format(value) for value in column]
