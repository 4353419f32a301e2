"""The trials of a run as a table."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from replay.trial import CONFIRMATION

COLUMNS = (
    *("number", "walk", "stage", "digest", "seed"),
    *("finished", "reward", "curve", "error", "refused", CONFIRMATION),
)


ROWS = "number, walk, stage, digest, seed, note, finished, reward, metrics, curve, error, refused"
"""The columns of a memory's table that `make_frame` reads."""


def make_frame(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """A row a trial, metrics and note as columns of their own.

    `first` marks the trial with which a network came up first; re-sampled ones repeat it, and where
    confirmation is 1, 2, ... it was trained again.

    Args:
        rows: Of the memory: ROWS, the structured ones as JSON, None where nothing is known.
    """
    records = [
        {
            "number": number,
            "walk": tuple(json.loads(walk)),
            "stage": stage,
            "digest": digest,
            "seed": seed,
            "finished": finished is not None,
            "reward": reward,
            "curve": tuple(json.loads(curve or "[]")),
            "error": error,
            "refused": refused,
            **json.loads(note),
            **json.loads(metrics or "{}"),
            CONFIRMATION: json.loads(note).get(CONFIRMATION, 0),
        }
        for (
            number,
            walk,
            stage,
            digest,
            seed,
            note,
            finished,
            reward,
            metrics,
            curve,
            error,
            refused,
        ) in rows
    ]
    frame = pd.DataFrame(records, columns=None if records else list(COLUMNS))
    frame["first"] = ~frame["digest"].duplicated()
    return frame
