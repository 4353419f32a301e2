"""How far a search is."""

import pandas as pd

from metaqnn.config.trust import Unread
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import find_evaluator
from metaqnn.notebook import render_facts, render_table
from metaqnn.reports.distinct import distinct
from metaqnn.reports.top_k import as_text, top_k
from metaqnn.runs.assembly import trainer_of
from metaqnn.runs.run import Run
from metaqnn.terminal import counted


def describe_state(run: Run, trials: pd.DataFrame) -> str:
    """How many networks are trained, and how good the best is, in a line.

    Args:
        run: Of the search.
        trials: `Memory.frame`.
    """
    networks = distinct(trials)
    failed = networks["error"].notna().sum()
    asked = (~trials["finished"].astype(bool) & trials["first"]).sum()
    again = int((trials["finished"] & (trials["confirmation"] > 0)).sum())
    trained = f"{len(networks)} + {again}" if again else f"{len(networks)}"
    parts = [f"{trained} of {counted(run.config.run.budget, 'network')}"]
    if again:
        parts[0] += f" ({counted(again, 'training was', 'trainings were')} of the best ones again)"
    if failed:
        parts.append(f"{failed} failed")
    if asked:
        parts.append(f"{asked} asked for and not told")
    confirmed = networks[networks["trainings"] > 1]
    best = (networks if confirmed.empty else confirmed)["score"].max()
    score = run.task.score
    if not pd.isna(best):
        parts.append(f"best {score.word} {score.show(best)}")
    return ", ".join(parts)


def describe_data(run: Run) -> str:
    """What the networks learn from, in words."""
    if isinstance(run.objects.get("evaluator"), Unread):
        return run.config.run.evaluator
    if "evaluator" in run.objects:
        return f"a function of {run.config.run.evaluator}"
    try:
        evaluator = find_evaluator(run.config.run.evaluator)
    except MetaqnnError:  # a part of another program, which need not be here to look at the run
        return run.config.run.evaluator
    return evaluator.describe(run.config.parts["evaluator"], run.task)


def trains(run: Run) -> bool:
    """Whether the networks of a run are trained, as far as that is known here."""
    if "evaluator" in run.objects:
        return bool(getattr(run.objects["evaluator"], "trains", False))
    try:
        return find_evaluator(run.config.run.evaluator).trains
    except MetaqnnError:
        return False


def can_finalize(run: Run) -> bool:
    """Whether `metaqnn finalize` can train its networks, as far as that is known here."""
    try:
        trainer_of(run)
    except MetaqnnError:
        return False
    return True


def render_state(run: Run, trials: pd.DataFrame) -> str:
    """The same as HTML, with what the search is and its five best networks."""
    facts = {
        "agent": run.config.run.agent,
        "data": describe_data(run),
        "space": run.config.run.space,
        "state": describe_state(run, trials),
    }
    best = top_k(distinct(trials), run.space(), 5, run.task.score)
    table = render_table(as_text(best, run.task.score)) if len(best) else ""
    return render_facts(f"search in {run.path}", facts) + table
