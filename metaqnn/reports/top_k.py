"""The best networks of a run."""

from pathlib import Path
from typing import Any

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.reports.formats import Format, format_column, render_cells, render_exactly
from metaqnn.reports.networks import distinct
from metaqnn.runs import NETWORKS, Run
from metaqnn.winners import weights_path
from state_space import Space

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
    best = ranking(trials).head(k)
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
    networks = ranking(memory.frame())
    memory.close()
    if rank > len(networks):
        raise MetaqnnError(f"rank is {rank}, but {run.path} has {len(networks)} trained networks")
    path = weights_path(run.path / NETWORKS, networks["number"].iloc[rank - 1])
    if not path.is_file():
        raise MetaqnnError(
            f"the weights of rank {rank} are not in {run.path}: it keeps those of the best "
            f"{run.config.keep} (--keep), and none of trainings that were stopped"
        )
    return path


def ranking(trials: pd.DataFrame) -> pd.DataFrame:
    """The distinct networks that did not fail, best first, as `distinct` has them."""
    networks = distinct(trials)
    succeeded = networks[networks["error"].isna()]
    return succeeded.sort_values("reward", ascending=False, kind="stable")


def best_networks(run: Run, k: int) -> pd.DataFrame:
    """The rows of `ranking` of the best k networks, with their rank and network (text).

    Raises:
        MetaqnnError: There are none.
    """
    memory = run.memory()
    best = ranking(memory.frame()).head(k)
    memory.close()
    if best.empty:
        raise MetaqnnError(f"{run.path} has no trained network yet")
    space = run.space()
    networks = [space.architecture(walk).text for walk in best["walk"]]
    return best.assign(rank=range(1, len(best) + 1), network=networks)


def render(best: pd.DataFrame, form: Format) -> str:
    """The table of `top_k` as text; csv and json carry all digits.

    Where all rewards are accuracies the table leaves them out. Predicted accuracies have an
    asterisk in it.
    """
    if form == "csv" or form == "json":
        return render_exactly(best, form)
    table = pd.DataFrame(
        {
            "rank": best["rank"],
            "accuracy": best["accuracy"].map("{:.2%}".format)
            + best["predicted"].map({True: "*", False: ""}),
            "parameters": format_column(best["parameters"], "{:,}"),
            "multiply-adds": format_column(best["multiply_adds"], "{:,}"),
            "seconds": format_column(best["seconds"], "{:.1f}"),
            "found": best["found"],
            "epsilon": format_column(best["epsilon"], "{:g}"),
            "network": best["network"],
        }
    )
    if (best["reward"] != best["accuracy"]).any():
        table.insert(2, "reward", format_column(best["reward"], "{:.4f}"))
    text = render_cells(table, form, ("network",))
    return f"{text}\n\n* predicted: the training was stopped" if best["predicted"].any() else text
