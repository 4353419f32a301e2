"""The best networks of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from metaqnn.environment import NETWORKS
from metaqnn.errors import MetaqnnError
from metaqnn.objectives.names import LATENCY
from metaqnn.reports.columns import COLUMNS, SCORE, TESTED, columns_of
from metaqnn.reports.distinct import by_standing, distinct
from metaqnn.reports.formats import Format, format_column, render_cells, render_exactly
from metaqnn.reports.pareto import measured, pareto_front
from metaqnn.runs.run import Run
from metaqnn.search.kept_weights import weights_path
from metaqnn.task import Score
from state_space import Space

PREDICTED = "* predicted: the training was stopped"
"""What the asterisk means."""


def top_k(
    networks: pd.DataFrame,
    space: Space[Any],
    k: int | None,
    score: Score,
    *,
    sort: str = "reward",
    max_parameters: int | None = None,
    pareto: Sequence[str] = (),
) -> pd.DataFrame:
    """The first k distinct networks by a column; equals in the order of their ranks.

    Args:
        networks: `metaqnn.reports.distinct.distinct`, maybe with their test_error.
        space: Of the run.
        k: How many; None is all.
        score: Of the networks.
        sort: A value of `SORTS`; networks that have none come last.
        max_parameters: Only networks of at most so many.
        pareto: Values of `COSTS`: only networks whose measured score no other one of those
            left reaches at these costs.

    Returns:
        The columns of `columns_of`: rank (by reward among all networks of the run, those that were
        trained again before all others, and those found first before their equals), the score as
        people read it, under its own name (a validation accuracy is 0 to 1), trainings, test_error
        (after the final training), reward, parameters, multiply_adds (an image), latency (in
        seconds, where it was measured), seconds (of training), found (its place among the distinct
        networks), epsilon (empty for agents without) and network; and behind the score predicted
        (whether it is, since the training was stopped). Score and reward are means over the
        trainings, which are left out where no network was trained again.

    Raises:
        MetaqnnError: No network has what they are to be sorted or chosen by.
    """
    ranked = ranking(networks)
    ranked = ranked.assign(rank=range(1, len(ranked) + 1))
    shown = ranked.reindex(columns=[*COLUMNS, "predicted", "walk"])
    named = {**COLUMNS, SCORE: columns_of(score)[score.column]}
    for asked in (sort, *pareto, None if max_parameters is None else "parameters"):
        if asked and len(shown) and shown[asked].isna().all():
            raise MetaqnnError(f"the networks of this run have no {named[asked].header}")
    if max_parameters is not None:
        shown = shown[shown["parameters"] <= max_parameters]
    if pareto:
        known = measured(shown, pareto)
        shown = known[pareto_front(known[list(pareto)], known[SCORE])]
    if sort != "reward":  # that is the order of the ranks
        ascending = bool(COLUMNS[sort].lowest_first)
        shown = shown.sort_values(sort, ascending=ascending, kind="stable")
    shown = shown.iloc[:k]
    shown = shown.assign(network=[space.text(walk) for walk in shown["walk"]])
    order = list(COLUMNS)
    order.insert(order.index(SCORE) + 1, "predicted")
    counts = {name: "Int64" for name, column in COLUMNS.items() if column.whole}
    shown = shown[order].astype(counts).reset_index(drop=True)
    shown[SCORE] = score.read(shown[SCORE])
    if (networks["trainings"] == 1).all():
        del shown["trainings"]
    if score.column == LATENCY or LATENCY not in networks or networks[LATENCY].isna().all():
        del shown[LATENCY]
    return shown.rename(columns={SCORE: score.column, TESTED: score.tested})


def weights_file(run: Run, rank: int) -> Path:
    """The file of weights of a network by its rank in `top_k`.

    Raises:
        MetaqnnError: There are fewer networks, or the weights are not kept.
    """
    path = weights_path(run.path / NETWORKS, network_of_rank(run, rank)["number"])
    if not path.is_file():
        front = ", those of the front of its objectives" if run.config.rewards.costs else ""
        raise MetaqnnError(
            f"the weights of rank {rank} are not in {run.path}: it keeps those of the best "
            f"{run.config.run.keep} (--keep){front}, and none of trainings that were stopped or "
            "done elsewhere"
        )
    return path


def ranking(networks: pd.DataFrame) -> pd.DataFrame:
    """Those of `metaqnn.reports.distinct.distinct` that did not fail, best first."""
    succeeded = networks[networks["error"].isna()]
    return by_standing(succeeded)


def best_networks(run: Run, k: int) -> pd.DataFrame:
    """The rows of `ranking` of the best k networks, with their rank and network (text).

    Raises:
        MetaqnnError: There are none.
    """
    memory = run.memory()
    best = ranking(distinct(memory.frame())).head(k)
    memory.close()
    if best.empty:
        raise MetaqnnError(f"{run.path} has no trained network yet")
    space = run.space()
    networks = [space.text(walk) for walk in best["walk"]]
    return best.assign(rank=range(1, len(best) + 1), network=networks)


def network_of_rank(run: Run, rank: int) -> "pd.Series[Any]":
    """The last row of `best_networks`.

    Raises:
        MetaqnnError: There are fewer networks.
    """
    networks = best_networks(run, rank)
    if rank > len(networks):
        raise MetaqnnError(f"rank is {rank}, but {run.path} has {len(networks)} trained networks")
    return networks.iloc[-1]


def render(best: pd.DataFrame, score: Score, form: Format) -> str:
    """The table of `top_k` as text; csv and json carry all digits."""
    if form == "csv" or form == "json":
        return render_exactly(best, form)
    text = render_cells(as_text(best, score), form, ("network",))
    return f"{text}\n\n{PREDICTED}" if best["predicted"].any() else text


def as_text(best: pd.DataFrame, score: Score) -> pd.DataFrame:
    """The columns of `top_k` as people read them.

    Predicted scores have an asterisk. Rewards are left out where all are the scores, and what none
    of the networks has.
    """
    left_out = [name for name in best if best[name].isna().all()] if len(best) else [score.tested]
    table = pd.DataFrame(
        {
            column.header: format_column(best[name], column.form)
            for name, column in columns_of(score).items()
            if name in best and name not in left_out
        }
    )
    table[score.header] = [
        f"{shown}*" if predicted else shown
        for shown, predicted in zip(table[score.header], best["predicted"], strict=True)
    ]
    if (best["reward"] == best[score.column]).all():
        del table["reward"]
    return table
