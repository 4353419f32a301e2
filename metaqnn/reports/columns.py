"""The columns of `metaqnn top-k`."""

from typing import NamedTuple


class Column(NamedTuple):
    """A column of the table of the best networks.

    Attributes:
        header: Its name in tables for people.
        form: How such a table writes a value.
        lowest_first: The order in which --sort brings its values; None where they have none.
        whole: Its values are whole numbers, where they are known.
    """

    header: str
    form: str
    lowest_first: bool | None = True
    whole: bool = False


COLUMNS = {
    "rank": Column("rank", "{}", whole=True),
    "accuracy": Column("accuracy", "{:.2%}", lowest_first=False),
    "test_error": Column("test error", "{:.2%}"),
    "reward": Column("reward", "{:.4f}", lowest_first=False),
    "parameters": Column("parameters", "{:,}", whole=True),
    "multiply_adds": Column("multiply-adds", "{:,}", whole=True),
    "seconds": Column("seconds", "{:.1f}"),
    "found": Column("found", "{}", whole=True),
    "epsilon": Column("epsilon", "{:g}"),
    "network": Column("network", "{}", lowest_first=None),
}
"""By their names in csv and json; `predicted` stands there too, in tables as an asterisk."""

SORTS = {column.header: name for name, column in COLUMNS.items() if column.lowest_first is not None}
"""By what the networks can be sorted."""

COSTS = {COLUMNS[name].header: name for name in ("parameters", "multiply_adds")}
"""Against what there is a front of accuracy."""
