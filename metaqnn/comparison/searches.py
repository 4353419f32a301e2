"""The searches of a comparison: each is one CSV file, searches/LABEL/budget-B-seed-S.csv."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.evaluators.base import Evaluator
from metaqnn.executors.in_process import InProcess
from metaqnn.reports.distinct import accuracies
from metaqnn.runs.run import Run
from metaqnn.search.loop import Search
from metaqnn.storage import write_file
from replay import Memory

SEARCHES = "searches"
SEARCH = re.compile(r"budget-(\d+)-seed-(\d+)\.csv")

COLUMNS = ("number", "reward", "accuracy", "network")
"""Of a search's file; and `expected`, where the evaluator gives it."""


def run_search(run: Run, evaluator: Evaluator) -> pd.DataFrame:
    """Search in this process; the distinct networks as `COLUMNS` has them, the first first.

    Networks that failed have no accuracy, stopped ones the predicted one if there is one.

    Raises:
        SearchStopped: See `Search.run`.
    """
    memory = Memory.create(Path(":memory:"), {})
    space = run.space()
    search = Search(
        space, run.agent(), evaluator, InProcess(), memory, run.rules(), stopper=run.stopper()
    )
    search.learn_from(run.experiences())
    search.run()
    trials = memory.frame()
    memory.close()
    new = trials[trials["first"]]
    succeeded = new["error"].isna()
    found = pd.DataFrame(
        {
            "number": range(1, len(new) + 1),
            "reward": new["reward"],
            "accuracy": accuracies(new),
            "network": [space.architecture(walk).text for walk in new["walk"]],
        },
    )
    found["accuracy"] = found["accuracy"].where(succeeded)
    if "expected" in new:
        found.insert(3, "expected", new["expected"].where(succeeded))
    return found


def search_path(folder: Path, label: str, budget: int, seed: int) -> Path:
    """The file of a search in the folder of a comparison."""
    return folder / SEARCHES / quote(label, safe=",=") / f"budget-{budget}-seed-{seed}.csv"


def search_file(run: Run) -> Path:
    """The file of a search that `Comparison.plan` made."""
    return run.path.with_suffix(".csv")


def write_search(path: Path, found: pd.DataFrame) -> None:
    """Write a search's file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, found.to_csv(index=False, lineterminator="\n"))


def labels(folder: Path) -> list[str]:
    """The agents of which the folder has searches, by name."""
    return sorted({unquote(path.parent.name) for path in (folder / SEARCHES).glob("*/*.csv")})


def read_searches(folder: Path) -> pd.DataFrame:
    """All searches of a comparison: their files' columns behind agent, budget and seed.

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
        except (OSError, ValueError) as error:
            raise MetaqnnError(f"{path} cannot be read: {error}") from None
        if name is None or not set(COLUMNS) <= set(found):
            raise MetaqnnError(f"{path} is not a search: it has no budget-B-seed-S or column")
        budget, seed = map(int, name.groups())
        place: dict[str, Any] = {"agent": unquote(path.parent.name), "budget": budget, "seed": seed}
        frames.append(found.astype({"number": int}).assign(**place))
    if not frames:
        raise MetaqnnError(f"{folder} has no searches")
    return pd.concat(frames, ignore_index=True)
