"""The columns of `metaqnn top-k`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from metaqnn.objectives.names import LATENCY, OBJECTIVES
from metaqnn.registry import check_name
from metaqnn.search.rewards import show_latency
from metaqnn.task import Score


class Column(NamedTuple):
    """A column of the table of the best networks.

    Attributes:
        header: Its name in tables for people.
        form: How such a table writes a value.
        lowest_first: The order in which --sort brings its values; None where they have none.
        whole: Its values are whole numbers, where they are known.
    """

    header: str
    form: Callable[[Any], str] = "{}".format
    lowest_first: bool | None = True
    whole: bool = False


SCORE = "score"
"""The column of the score, which for programs and people has the score's own name."""

TESTED = "test_error"
"""That of the final test, which has the name of `Score.tested`."""

COLUMNS = {
    "rank": Column("rank", whole=True),
    SCORE: Column(SCORE, lowest_first=False),
    "trainings": Column("trainings", lowest_first=False, whole=True),
    TESTED: Column("test error", "{:.2%}".format),
    "reward": Column("reward", "{:.4f}".format, lowest_first=False),
    "parameters": Column("parameters", "{:,}".format, whole=True),
    "multiply_adds": Column("multiply-adds", "{:,}".format, whole=True),
    LATENCY: Column("latency", show_latency),
    "seconds": Column("seconds", "{:.1f}".format),
    "found": Column("found", whole=True),
    "epsilon": Column("epsilon", "{:g}".format),
    "network": Column("network", lowest_first=None),
}
"""By their names in csv and json; `predicted` stands there too, in tables as an asterisk.

`trainings` is left out where no network was trained again, `latency` where none was measured."""

SORTS = {column.header: name for name, column in COLUMNS.items() if column.lowest_first is not None}
"""By what the networks can be sorted; see `sort_column`."""

COSTS = {name: objective.metric for name, objective in OBJECTIVES.items()}
"""Against what there is a front of scores."""


def columns_of(score: Score) -> dict[str, Column]:
    """The columns as a score names them, by their names in csv and json."""
    tested = Column(score.tested.replace("_", " "), score.show_tested, lowest_first=score.falls)
    named = {
        SCORE: (score.column, Column(score.header, score.format, lowest_first=False)),
        TESTED: (score.tested, tested),
    }
    # a score of that name, of those who measure it themselves, is in its place
    others = {name: (name, column) for name, column in COLUMNS.items() if name != score.column}
    return dict({**others, **named}[name] for name in COLUMNS if name in {*others, *named})


def sort_column(name: str, score: Score) -> str:
    """The value of `SORTS` for a column's name as people write it: also the score's own.

    Raises:
        MetaqnnError: There is no such column, or its values have no order.
    """
    own = dict.fromkeys((score.word, score.header, score.column), SCORE)
    own |= dict.fromkeys((score.tested, score.tested.replace("_", " ")), TESTED)
    known = {**own, **SORTS, **{word: own[word] for word in own.keys() & {LATENCY}}}
    return known[check_name("column to sort by", known, name)]
