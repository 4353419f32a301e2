"""What a search costs: the agent's own time, and networks until one is good enough."""

import numpy as np
import pandas as pd

from metaqnn.comparison.statistics import Measure, handed_over, serving
from metaqnn.errors import MetaqnnError

SEARCH = ["agent", "seed"]


def check_until(until: float | None, optimum: float | None) -> None:
    """See that there is a regret to wait for.

    Raises:
        MetaqnnError: There is none.
    """
    if until is not None and optimum is None:
        raise MetaqnnError(
            f"until is {until:g}, a regret, which is not known: the evaluator knows no best score"
        )


def with_costs(
    table: pd.DataFrame, searches: pd.DataFrame, measure: Measure, until: float | None = None
) -> pd.DataFrame:
    """The table of `metaqnn.comparison.statistics.compare` with what the searches cost.

    Args:
        table: Its rows of the network handed over have the costs, the others none.
        searches: As `metaqnn.comparison.searches.read_searches` gives them.
        measure: What counts of a network.
        until: A regret, as people read it.

    Returns:
        With the columns agent_milliseconds, the mean over the seeds, where a search was timed; and
        where there is a regret until, which it is, networks_until, the median over the seeds (NaN
        where half of them do not get there), and share_until, of the seeds that do.
    """
    costs = []
    for key, at in table[table["choice"] == "handed over"].groupby("budget"):
        budget = int(str(key))
        found = pd.DataFrame(index=pd.Index(at["agent"]))
        if "agent_seconds" in searches:
            milliseconds = 1000 * agent_seconds(searches, budget)
            found["agent_milliseconds"] = milliseconds.groupby("agent").mean()
        if until is not None:
            networks = networks_until(searches, budget, measure, until)
            median = networks.groupby("agent").median()
            found["until"] = until
            found["networks_until"] = median.where(np.isfinite(median))
            found["share_until"] = networks.lt(np.inf).groupby("agent").mean()
        costs.append(found.set_index(at.index))
    return table.join(pd.concat(costs))


def agent_seconds(searches: pd.DataFrame, budget: int) -> "pd.Series[float]":
    """By agent and seed, the processor seconds that the agent took a network; NaN if untimed."""
    met = serving(searches, budget)
    seconds: pd.Series[float] = met.groupby(SEARCH)["agent_seconds"].mean()
    return seconds


def networks_until(
    searches: pd.DataFrame, budget: int, measure: Measure, regret: float
) -> "pd.Series[float]":
    """By agent and seed, after how many trainings the one to hand over is first good enough.

    Args:
        searches: As `metaqnn.comparison.searches.read_searches` gives them.
        budget: Trainings.
        measure: What the regret is of.
        regret: At most; as people read it.

    Returns:
        Infinity where it never is within the budget.
    """
    found = {}
    for search, own in serving(searches, budget).groupby(SEARCH):
        ordered = own.dropna(subset=[measure.column]).sort_values("number").set_index("number")
        best = handed_over(ordered["network"], ordered["reward"], ordered[measure.column])
        # what is read from a file may be off by a last digit
        reached = best.index[measure.points(best) <= regret + 1e-9]
        found[search] = min(reached, default=np.inf)
    index = pd.MultiIndex.from_tuples(list(found), names=SEARCH)
    return pd.Series(list(found.values()), index, dtype=float)
