"""The table of a comparison as text."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from metaqnn.comparison.statistics import Measure
from metaqnn.reports.formats import Format, render_cells, render_exactly

VOLUME_DIGITS = 4

TITLES = {
    "handed over": "The network handed over, that of the highest reward",
    "ten best": "The best of the ten networks of the highest rewards, all ten retrained",
}


def render(table: pd.DataFrame, measure: Measure, reference: str, form: Format) -> str:
    """The table of `compare` as text; csv and json carry all digits."""
    if form == "csv" or form == "json":
        return render_exactly(table, form)
    parts = []
    for choice, rows in table.groupby("choice", sort=False):
        cells = [
            _cell([row["median"], row["mean"]], row["low"], row["high"], measure.digits)
            for row in rows.to_dict("records")
        ]
        name = measure.name[0].upper() + measure.name[1:]
        parts.append(
            f"{TITLES[str(choice)]}.\n{name}, {measure.better} is better: "
            f"median / mean [95 % interval of the mean].\n\n{_grid(rows, cells, 'seeds', form)}"
        )
    if "difference" in table:
        rows = table[(table["choice"] == "handed over") & table["difference"].notna()]
        cells = [
            _cell(
                [row["difference"]],
                *(row["difference_low"], row["difference_high"]),
                *(measure.digits, "+"),
            )
            for row in rows.to_dict("records")
        ]
        side = "above" if measure.better == "higher" else "below"
        # points are a word, a unit is written as it is
        unit = measure.unit if measure.score.unit in ("", "%") else f"in {measure.unit}"
        start = ", ".join(filter(None, (unit, f"{side} 0 is better")))
        parts.append(
            f"{TITLES['handed over']}: difference to {reference} with the same seeds.\n"
            f"{start[0].upper()}{start[1:]}: mean [95 % interval].\n\n"
            + _grid(rows, cells, "pairs", form)
        )
    return "\n\n".join([*parts, *_costs(table, measure, form)])


def _costs(
    table: pd.DataFrame, measure: Measure, form: Literal["table", "markdown"]
) -> Iterator[str]:
    """What `with_costs` and `with_volumes` have found."""
    if "until" in table:
        rows = table[table["until"].notna()]
        regret = f"{rows['until'].iloc[0]:g} {measure.unit}".strip()
        cells = [
            (
                f"> {row['budget']}"
                if np.isnan(row["networks_until"])
                else f"{row['networks_until']:g}"
            )
            + f" ({row['share_until']:.0%})"
            for row in rows.to_dict("records")
        ]
        yield (
            f"Networks until the regret is first at most {regret}, lower is better:\n"
            f"median (seeds that get there).\n\n{_grid(rows, cells, 'seeds', form)}"
        )
    if "hypervolume" in table:
        rows = table[table["hypervolume"].notna()]
        cells = [
            _cell(
                [row["hypervolume"]],
                *(row["hypervolume_low"], row["hypervolume_high"]),
                VOLUME_DIGITS,
            )
            for row in rows.to_dict("records")
        ]
        yield (
            f"The hypervolume of a search's networks, higher is better: mean [95 % interval].\n"
            f"A share of {rows['hypervolume_of'].iloc[0]}.\n\n{_grid(rows, cells, 'seeds', form)}"
        )
    if "agent_milliseconds" in table:
        rows = table[table["agent_milliseconds"].notna()]
        cells = [f"{time:.2f}" for time in rows["agent_milliseconds"]]
        yield (
            "The agent itself, its proposals and what it learns.\n"
            "Milliseconds of processor time a network, lower is better: mean.\n\n"
            + _grid(rows, cells, "seeds", form)
        )


def _cell(values: Sequence[float], low: float, high: float, digits: int, sign: str = "") -> str:
    """The values, and the interval where there is one."""
    text = " / ".join(f"{value:{sign}.{digits}f}" for value in values)
    if np.isnan(low):
        return text
    return f"{text} [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def _grid(
    rows: pd.DataFrame, cells: Sequence[str], counts: str, form: Literal["table", "markdown"]
) -> str:
    """A line an agent, a column a budget, the seeds behind: as many as the column counts says."""
    lines: dict[str, dict[str, str]] = {}
    seeds: dict[str, dict[str, None]] = {}
    for row, cell in zip(rows.to_dict("records"), cells, strict=True):
        name = "1 network" if row["budget"] == 1 else f"{row['budget']} networks"
        lines.setdefault(row["agent"], {"agent": row["agent"]})[name] = cell
        seeds.setdefault(row["agent"], {})[str(row[counts])] = None
    wide = pd.DataFrame(list(lines.values())).fillna("")
    wide["seeds"] = ["/".join(different) for different in seeds.values()]
    return render_cells(wide, form, ("agent",))
