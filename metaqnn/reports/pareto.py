"""Networks that no other one beats."""

import numpy as np
import pandas as pd


def pareto_front(costs: "pd.Series[float]", scores: "pd.Series[float]") -> "pd.Series[bool]":
    """Whether no other network costs at most as much and scores at least as much, and one better.

    Of networks that are equal in both, all are on the front or none.
    """
    best = scores.groupby(costs).max().sort_index()
    cheaper = best.cummax().shift(fill_value=-np.inf)
    return (scores == costs.map(best)) & (scores > costs.map(cheaper))
