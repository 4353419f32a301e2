"""How much of what is possible the networks of searches cover, where there are objectives."""

from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import pandas as pd

from metaqnn.comparison.costs import SEARCH
from metaqnn.comparison.plan import Comparison, Entrant
from metaqnn.comparison.statistics import Measure, mean_interval, serving
from metaqnn.errors import MetaqnnError
from metaqnn.objectives.names import metrics_of
from metaqnn.reports.pareto import Box


def objectives_of(comparison: Comparison, labels: Iterable[str]) -> tuple[str, ...]:
    """The metrics that are objectives of any of the agents, as far as these are metaqnn's."""
    found: list[str] = [*comparison.options.get("objective", ())]
    for label in labels:
        with suppress(MetaqnnError):  # another program's, which has searches in the folder too
            names = Entrant.parse(label).options.get("objective", ())
            found += [names] if isinstance(names, str) else names
    return metrics_of(tuple(found))


def with_volumes(
    table: pd.DataFrame, searches: pd.DataFrame, measure: Measure, costs: tuple[str, ...]
) -> pd.DataFrame:
    """The table of `metaqnn.comparison.statistics.compare` with hypervolumes.

    The box is that of all networks of all searches, so that every search has the same. They count
    as those of a run do: by their mean scores, and not where a training was stopped and its score
    is predicted.

    Args:
        table: Its rows of the network handed over have them, the others none, nor those of agents
            none of whose networks has known costs.
        searches: As `metaqnn.comparison.searches.read_searches` gives them.
        measure: What counts of a network.
        costs: Metrics.

    Returns:
        With the columns hypervolume, the mean over the seeds, hypervolume_low and hypervolume_high,
        of its interval, and hypervolume_of, the box in words; as it was where no costs are known.
    """
    networks = _measured(searches, measure, costs)
    box = Box.around(networks, costs, measure.score) if costs else None
    if box is None:
        return table
    agents = set(networks["agent"])
    parts = []
    for key, at in table[table["choice"] == "handed over"].groupby("budget"):
        found = {
            search: box.volume(_measured(own, measure, costs))
            for search, own in serving(searches, int(str(key))).groupby(SEARCH)
        }
        for agent, row in zip(at["agent"], at.index, strict=True):
            if agent not in agents:
                continue
            values = np.array([volume for search, volume in found.items() if search[0] == agent])
            low, high = mean_interval(values)
            parts.append(
                {"row": row, "hypervolume": values.mean(), "hypervolume_low": float(low)}
                | {"hypervolume_high": float(high), "hypervolume_of": box.describe(measure.score)}
            )
    return table.join(pd.DataFrame(parts).set_index("row"))


def _measured(searches: pd.DataFrame, measure: Measure, costs: Iterable[str]) -> pd.DataFrame:
    """A row a network of a search, with its score and costs, where these are known and measured."""
    known = [cost for cost in costs if cost in searches]
    trained = searches[~searches["predicted"]].assign(score=searches[measure.column])
    networks = trained.groupby(["agent", "budget", "seed", "network"], as_index=False)
    found = networks.agg({"score": "mean", **dict.fromkeys(known, "first")})
    return found.dropna(subset=["score", *known])
