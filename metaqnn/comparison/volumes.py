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

    The box is that of all networks of all searches, so that every search has the same.

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
    first = searches[searches["confirmation"] == 0]
    first = first.assign(score=first[measure.column])
    first["known"] = (
        first[["score", *(cost for cost in costs if cost in first)]].notna().all(axis=1)
    )
    box = Box.around(first[first["known"]], costs, measure.score) if costs else None
    if box is None:
        return table
    parts = []
    for key, at in table[table["choice"] == "handed over"].groupby("budget"):
        own = serving(first, int(str(key))).groupby(SEARCH)
        found = {search: box.volume(networks[networks["known"]]) for search, networks in own}
        for agent, row in zip(at["agent"], at.index, strict=True):
            if not first.loc[first["agent"] == agent, "known"].any():
                continue
            values = np.array([volume for search, volume in found.items() if search[0] == agent])
            low, high = mean_interval(values)
            parts.append(
                {"row": row, "hypervolume": values.mean(), "hypervolume_low": float(low)}
                | {"hypervolume_high": float(high), "hypervolume_of": box.describe(measure.score)}
            )
    return table.join(pd.DataFrame(parts).set_index("row"))
