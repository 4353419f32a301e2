"""The distinct networks of a run."""

import math

import pandas as pd

from metaqnn.search.confirmation import standing


def scores(trials: pd.DataFrame) -> "pd.Series[float]":
    """The best score of each trial of `Memory.frame`, or the predicted one if it was stopped so.

    NaN where there is none.
    """
    measured: pd.Series[float] = trials["curve"].map(lambda curve: max(curve, default=math.nan))
    return measured if "predicted" not in trials else trials["predicted"].fillna(measured)


def distinct(trials: pd.DataFrame) -> pd.DataFrame:
    """The distinct networks that were trained or failed.

    Args:
        trials: `Memory.frame`.

    Returns:
        Its columns, with found (1, 2, ...), score (the best of all epochs; the predicted
        one of a training that was stopped so; NaN where it failed), predicted, and trainings: where
        a network was trained several times its score and reward are the means of those that did not
        fail.
    """
    networks = trials[trials["finished"] & trials["first"]].copy()
    networks["found"] = range(1, len(networks) + 1)
    networks["score"] = scores(networks).where(networks["error"].isna())
    networks["predicted"] = "predicted" in trials and networks["predicted"].notna()
    networks["trainings"] = 1
    again = trials[trials["finished"] & (trials["confirmation"] > 0) & trials["error"].isna()]
    if again.empty:
        return networks
    again = again.assign(score=scores(again))
    own = networks[networks["digest"].isin(again["digest"])]
    columns = ["digest", "reward", "score"]
    groups = pd.concat([own[columns], again[columns]]).groupby("digest")
    means = groups[["reward", "score"]].mean().loc[own["digest"]]
    networks.loc[own.index, ["reward", "score"]] = means.to_numpy()
    networks.loc[own.index, "trainings"] = groups.size().loc[own["digest"]].to_numpy()
    return networks


def by_standing(networks: pd.DataFrame) -> pd.DataFrame:
    """Networks with trainings and (mean) reward, the best first; equals stay in their order."""
    pairs = zip(networks["trainings"], networks["reward"], strict=True)
    standings = [standing(trainings, reward) for trainings, reward in pairs]
    # reversed sorting keeps the order of equals, too
    order = sorted(range(len(standings)), key=standings.__getitem__, reverse=True)
    return networks.iloc[order]
