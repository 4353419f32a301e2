"""Runs whose best networks are trained anew, for tests."""

from pathlib import Path
from typing import Any

import pandas as pd

from metaqnn.runs.results import FINAL
from tests.helpers.commands import call

KEEP_ONE = ["--budget", "3", "--epochs", "1", "--device", "cpu", "--keep", "1", "--quiet"]
"""Options of a run that takes a second."""

SHORT = ["--epochs", "2", "--restart-below", "0", "--threads", "1"]
"""Options of final trainings that do."""


def make_run(folder: Path, *options: Any) -> Path:
    """The folder of a new run."""
    made = call("run", *KEEP_ONE, "--results-dir", folder.parent, "--name", folder.name, *options)
    assert made.exit_code == 0, made.output
    return folder


def finalize(folder: Path, name: str, *options: Any) -> tuple[pd.DataFrame, Any]:
    """Call the command; what it has written, and its output."""
    result = call("finalize", folder, "--name", name, *SHORT, *options)
    assert result.exit_code == 0, result.output
    return pd.read_csv(folder / FINAL / name / "results.csv"), result
