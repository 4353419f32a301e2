"""A table of Q-values as a frame of pandas, and back."""

from typing import Any

import numpy as np
import pandas as pd

from metaqnn.agents.q_table import QTable
from metaqnn.errors import MetaqnnError
from state_space import Decision, Observation, Space, TooManyStates


def table_frame(table: QTable) -> pd.DataFrame:
    """A row per state-action pair that some trial took, or that was loaded.

    The columns are the state's fields, the action and its fields, q, visits.
    """
    q, visits, space = table.q, table.visits, table.space
    records = [
        {**_fields(observation), "action": token}
        | {f"action_{name}": value for name, value in _fields(space.action(token)).items()}
        | {"q": q[index], "visits": visits[index]}
        for observation, row in table.rows.items()
        for index, token in enumerate(table.options[row], table.first[row])
        if visits[index]
    ]
    return pd.DataFrame(records, columns=None if records else ["q", "visits"])


def load_frame(table: QTable, frame: pd.DataFrame) -> None:
    """Take over the values of a frame such as `table_frame` returns, and its visits if it has any.

    A value without visits counts as one, lest nobody believe it.

    Args:
        table: Into which.
        frame: Its index counts the lines of its file, from 0 behind the heading.

    Raises:
        MetaqnnError: A column is missing, a pair does not exist in the space, or its states
            are too many to know all rows.
    """
    stage, space = 0, table.space
    known = _all_rows(space, stage)
    observation_type: Any = type(next(iter(known)))
    columns = [*observation_type._fields, "action", "q"]
    missing = [name for name in columns if name not in frame]
    if missing:
        raise MetaqnnError(f"the Q-table has no column {' and no '.join(missing)}")
    counts = frame["visits"] if "visits" in frame else pd.Series(1, index=frame.index)
    lines = counts.clip(lower=1).astype(int).to_dict()
    values: dict[int, float] = {}
    visits: dict[int, int] = {}
    for record in frame[columns].itertuples(name=None):
        line, fields, action, q = record[0] + 2, record[1:-2], *record[-2:]
        observation = observation_type(*fields)
        while observation not in known and space.grows(stage):
            stage += 1
            known |= _all_rows(space, stage)
        decision = known.get(observation)
        if decision is None or action not in decision.options:
            raise MetaqnnError(
                f"line {line} of the Q-table: {action} in {observation} is not in this space"
            )
        if not np.isfinite(q):
            raise MetaqnnError(f"line {line} of the Q-table: q is {q}")
        row = table.row(observation, decision.options)
        index = table.first[row] + decision.options.index(action)
        values[index], visits[index] = float(q), lines[record[0]]
    table.set_pairs(values, visits)


def _all_rows(space: Space[Any], stage: int) -> dict[Observation, Decision]:
    try:
        return dict(space.rows(stage))
    except TooManyStates as error:
        raise MetaqnnError(f"a Q-table cannot be taken over: {error}") from None


def _fields(record: Observation) -> dict[str, Any]:
    named: Any = record
    fields: dict[str, Any] = named._asdict()
    return fields
