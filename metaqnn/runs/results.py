"""The file in which final trainings keep what they brought."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from metaqnn.errors import MetaqnnError
from metaqnn.metrics.tested import test_column
from metaqnn.objectives.names import LATENCY
from metaqnn.runs.run import Run
from metaqnn.storage import write_file
from metaqnn.task import Score

FINAL = "final"
RESULTS = "results.csv"
ANSWERS = "answers.csv"
"""Beside RESULTS: how many test images of each class got each answer, if any did, a row a network,
seed, class and answer."""


def columns_of(score: Score) -> tuple[str, ...]:
    """The columns of RESULTS, a row a network and seed, and one an ensemble, which has no rank.

    `test_error` is the share of the test images that are classified wrong, `low` and `high` its
    95 % interval (Wilson's); then the score on the test images, where it is another one, and under
    its own name that on the validation images in the search, as people read it; `seconds` are those
    of the final training, `weights` is the file in the folder, `error` why the training failed. Of
    texts `test_perplexity` or `test_bits` stand in the place of `test_error`. Where networks were
    quantised there are those of `metaqnn.runs.quantising.quantise_finals` too.

    Args:
        score: Of the search.
    """
    return (
        *("seed", "rank", score.tested, "low", "high", *also_tested(score), score.column),
        *("parameters", "multiply_adds", LATENCY, "seconds", "network", "digest", "weights"),
        "error",
    )


def also_tested(score: Score) -> list[str]:
    """The columns of what is measured in a test beside `Score.tested`."""
    own = test_column(score.column)
    return [] if own in (None, score.tested) else [own]


COUNTS = dict.fromkeys(("rank", "parameters", "multiply_adds"), "Int64")
"""Columns of whole numbers, some of which are missing."""

BYTES = dict.fromkeys(("bytes", "int8_bytes"), "Int64")
"""Likewise, of networks that were quantised too."""

KEY = ["seed", "network"]
"""The columns that tell the rows apart."""

NEEDED = ("rank", "seed", "network", "digest", "weights", "error")
"""Columns without which nothing is known, beside `Score.tested`."""


def write_results(folder: Path, results: pd.DataFrame) -> None:
    """Write RESULTS of a folder; the rows of other networks and seeds stay, and other columns."""
    path = folder / RESULTS
    if path.exists():
        before = read_results(path)
        others = [name for name in before if name not in results]
        results = results.merge(before[[*KEY, *others]], how="left", on=KEY)
    _write(path, results, read_results)


def keep_answers(folder: Path, counts: pd.DataFrame, seed: int, network: str) -> None:
    """Likewise ANSWERS: how many images of each class got each answer of a network.

    Args:
        folder: As above.
        counts: As `metaqnn.evaluators.trainer.Examination.count` has them.
        seed: Of the training.
        network: Its text.
    """
    _write(folder / ANSWERS, counts.assign(seed=seed, network=network), read_answers)


def _write(path: Path, rows: pd.DataFrame, read: Callable[[Path], pd.DataFrame]) -> None:
    if path.exists():
        before = read(path)
        known = before.set_index(KEY).index.isin(rows.set_index(KEY).index)
        rows = pd.concat([rows, before[~known]])
    write_file(path, rows.to_csv(index=False, lineterminator="\n"))


def find_results(run: Run) -> tuple[str, pd.DataFrame] | None:
    """The run's latest final trainings: name of the folder, results; None where there are none.

    Those of published networks, which have no rank, are not the run's.
    """
    found = sorted((run.path / FINAL).glob(f"*/{RESULTS}"), key=lambda path: path.stat().st_mtime)
    for path in reversed(found):
        results = read_results(path)
        if results["rank"].notna().any():
            return path.parent.name, results
    return None


def read_results(path: Path) -> pd.DataFrame:
    """The content of RESULTS.

    Raises:
        MetaqnnError: It is something else.
    """
    try:
        found = pd.read_csv(path, dtype={**COUNTS, **BYTES})
        tested = [name for name in map(str, found) if name.startswith("test_")]
        missing = [name for name in (*NEEDED, *(tested or ["test_error"])) if name not in found]
        if missing:
            raise ValueError(f"it has no column {', '.join(missing)}")
        for name in ("rank", *tested):
            found[name].astype(float)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{path} cannot be read: {reason:.300}") from None
    return found


def read_answers(path: Path) -> pd.DataFrame:
    """The content of ANSWERS.

    Raises:
        MetaqnnError: It is something else.
    """
    names = dict.fromkeys(("network", "class", "answer"), str)  # a class may be called 1, or NA
    try:
        found = pd.read_csv(path, dtype={**names, "seed": int, "images": int}, na_filter=False)
        return found[["seed", *names, "images"]]
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise MetaqnnError(f"{path} cannot be read: {reason:.300}") from None
