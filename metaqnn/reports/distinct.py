"""The distinct networks of a run."""

import math

import pandas as pd


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
        one of a training that was stopped so; NaN where it failed) and predicted.
    """
    networks = trials[trials["finished"] & trials["first"]].copy()
    networks["found"] = range(1, len(networks) + 1)
    networks["score"] = scores(networks).where(networks["error"].isna())
    networks["predicted"] = "predicted" in trials and networks["predicted"].notna()
    return networks
