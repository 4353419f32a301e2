"""How far a search is."""

import pandas as pd

from metaqnn.notebook import render_facts, render_table
from metaqnn.reports.distinct import distinct
from metaqnn.reports.top_k import as_text, top_k
from metaqnn.runs.run import Run


def describe_state(run: Run, trials: pd.DataFrame) -> str:
    """How many networks are trained, and how good the best is, in a line.

    Args:
        run: Of the search.
        trials: `Memory.frame`.
    """
    networks = distinct(trials)
    failed = networks["error"].notna().sum()
    asked = (~trials["finished"].astype(bool) & trials["first"]).sum()
    parts = [f"{len(networks)} of {run.config.budget} networks"]
    if failed:
        parts.append(f"{failed} failed")
    if asked:
        parts.append(f"{asked} asked for and not told")
    best = networks["accuracy"].max()
    if not pd.isna(best):
        parts.append(f"best accuracy {best:.2%}")
    return ", ".join(parts)


def render_state(run: Run, trials: pd.DataFrame) -> str:
    """The same as HTML, with what the search is and its five best networks."""
    facts = {
        "agent": run.config.agent,
        "data set": run.config.data.dataset,
        "space": run.config.space,
        "state": describe_state(run, trials),
    }
    best = top_k(distinct(trials), run.space(), 5)
    table = render_table(as_text(best)) if len(best) else ""
    return render_facts(f"search in {run.path}", facts) + table
