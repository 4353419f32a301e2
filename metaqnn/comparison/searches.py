"""The searches of a comparison: each is one CSV file, searches/LABEL/budget-B-seed-S.csv."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd

from metaqnn.comparison.timed import TimedAgent
from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator
from metaqnn.executors.in_process import InProcess
from metaqnn.objectives.names import LABELS
from metaqnn.reports.distinct import scores
from metaqnn.runs.assembly import make_agent, make_experiences, make_rules, make_stopper
from metaqnn.runs.run import Run
from metaqnn.search.loop import Search
from metaqnn.storage import write_file
from metaqnn.task import Score, accuracy
from replay import Memory

SEARCHES = "searches"
SEARCH = re.compile(r"budget-(\d+)-seed-(\d+)\.csv")

COLUMNS = ("number", "reward", "score", "network")
"""Of a search; and `expected`, where the evaluator gives it, `confirmation`, where networks are
trained again: 1, 2, ... in the rows of these trainings, `predicted`, where trainings were stopped
and scores are predicted: 1 in the rows of these, what the network costs where that is known,
`seconds`, where they are trained at all, and `agent_seconds`, of the processor for the agent itself
since the row before.

In its file the score has its own name, and both are as people read them."""

ACCURACY = accuracy()


def run_search(run: Run, evaluator: Evaluator) -> pd.DataFrame:
    """Search in this process; all trainings as `COLUMNS` has them, the first first.

    Networks that failed have no score, stopped ones the predicted one if there is one.

    Raises:
        SearchStopped: See `Search.run`.
    """
    memory = Memory.create(Path(":memory:"), {})
    space = run.space()
    agent = TimedAgent(make_agent(run, space))
    search = Search(
        space,
        agent,
        evaluator,
        InProcess(),
        memory,
        make_rules(run, space),
        stopper=make_stopper(run, evaluator),
        observe=agent.observe,
    )
    search.learn_from(make_experiences(run, space))
    search.run()
    trials = memory.frame()
    memory.close()
    new = trials[trials["first"] | (trials["confirmation"] > 0)]
    succeeded = new["error"].isna()
    found = pd.DataFrame(
        {
            "number": range(1, len(new) + 1),
            "reward": new["reward"],
            "score": scores(new),
            "network": [space.text(walk) for walk in new["walk"]],
        },
    )
    if (new["confirmation"] > 0).any():
        found["confirmation"] = new["confirmation"]
    if "predicted" in new:
        found["predicted"] = new["predicted"].notna().astype(int)
    found["score"] = found["score"].where(succeeded)
    if "expected" in new:
        found.insert(3, "expected", new["expected"].where(succeeded))
    for cost in LABELS:
        if cost in new:
            found[cost] = new[cost]
    if "seconds" in new:
        found["seconds"] = new["seconds"]
    return found.assign(agent_seconds=agent.between(new["number"]))


def search_path(folder: Path, label: str, budget: int, seed: int) -> Path:
    """The file of a search in the folder of a comparison."""
    return folder / SEARCHES / quote(label, safe=",=") / f"budget-{budget}-seed-{seed}.csv"


def search_file(run: Run) -> Path:
    """The file of a search that `Comparison.plan` made."""
    return run.path.with_suffix(".csv")


def write_search(path: Path, found: pd.DataFrame, score: Score = ACCURACY) -> None:
    """Write a search's file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = found.assign(**{name: score.read(found[name]) for name in _scores(found)})
    shown = shown.rename(columns={"score": score.column})
    write_file(path, shown.to_csv(index=False, lineterminator="\n"))


def labels(folder: Path) -> list[str]:
    """The agents of which the folder has searches, by name."""
    return sorted({unquote(path.parent.name) for path in (folder / SEARCHES).glob("*/*.csv")})


def read_searches(folder: Path, score: Score = ACCURACY) -> pd.DataFrame:
    """All searches of a comparison: `COLUMNS` behind agent, budget and seed; predicted as bool.

    Raises:
        MetaqnnError: There is none, or a file is not that of a search.
    """
    frames = []
    for path in sorted((folder / SEARCHES).glob("*/*.csv")):
        name = SEARCH.fullmatch(path.name)
        try:
            # numbers as text first: not every pandas reads a float as it was written
            found = pd.read_csv(path, dtype=str)
            found = found.astype({name: float for name in found if name != "network"})
            found = found.rename(columns={score.column: "score"})
        except (OSError, ValueError) as error:
            raise MetaqnnError(f"{path} cannot be read: {error}") from None
        if name is None or not set(COLUMNS) <= set(found):
            raise MetaqnnError(f"{path} is not a search: it has no budget-B-seed-S or column")
        budget, seed = map(int, name.groups())
        place: dict[str, Any] = {"agent": unquote(path.parent.name), "budget": budget, "seed": seed}
        found = found.assign(**{name: score.write(found[name]) for name in _scores(found)})
        frames.append(found.astype({"number": int}).assign(**place))
    if not frames:
        raise MetaqnnError(f"{folder} has no searches")
    searches = pd.concat(frames, ignore_index=True)
    counts = {
        name: searches.get(name, pd.Series(0.0, searches.index)).fillna(0)
        for name in ("confirmation", "predicted")
    }
    return searches.assign(
        confirmation=counts["confirmation"].astype(int), predicted=counts["predicted"] > 0
    )


def _scores(found: pd.DataFrame) -> list[str]:
    return [name for name in ("score", "expected") if name in found]
