"""Which agent is better, and how sure that is: the table of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from metaqnn.reports.distinct import by_standing
from metaqnn.task import Score

Floats = npt.NDArray[np.float64]
V = TypeVar("V", "pd.Series[float]", pd.DataFrame)

RESAMPLES = 10_000
LEVEL = 0.95

CHOICES = {"handed over": 1, "ten best": 10}
"""What is chosen of a search: the best of so many networks, those of the highest rewards."""


@dataclass(frozen=True)
class Measure:
    """What counts of a network: what people read of its score, or by how much it is worse.

    Attributes:
        column: Of the searches: "expected" or "score".
        score: What it is.
        optimum: The best of the space, where it is known; then regret counts.
    """

    column: str
    score: Score
    optimum: float | None = None

    @classmethod
    def of(cls, searches: pd.DataFrame, score: Score, optimum: float | None) -> Self:
        """The regret if there is an optimum; of the expected score if the evaluator gives it."""
        known = "expected" in searches and searches["expected"].notna().any()
        return cls("expected" if known else "score", score, optimum)

    @property
    def name(self) -> str:
        """With its unit."""
        score = f"expected {self.score.word}" if self.column == "expected" else self.score.name
        if self.optimum is not None:
            return f"regret in {self.unit} of {score}" if self.unit else f"regret of {score}"
        return f"{score} in {self.score.unit}" if self.score.unit else score

    @property
    def unit(self) -> str:
        """Of differences."""
        return "points" if self.score.unit == "%" else self.score.unit

    @property
    def digits(self) -> int:
        """Behind the decimal point."""
        return self.score.digits + (self.optimum is not None)

    @property
    def better(self) -> str:
        """Which values are better."""
        return "lower" if self.optimum is not None or self.score.falls else "higher"

    def points(self, values: V) -> V:
        """What counts of scores."""
        shown: V = (
            self.score.draw(values)
            if self.optimum is None
            else self.score.distance(self.optimum, values)
        )
        return shown


def serving(searches: pd.DataFrame, budget: int) -> pd.DataFrame:
    """The trainings that every agent and seed has made within a budget.

    They are those of the search with the smallest budget that is not below it: an agent that plans
    for its budget has one of just that budget; of any other a longer search begins the same. A
    search that ended early has its last ones still.

    Args:
        searches: As `metaqnn.comparison.searches.read_searches` gives them.
        budget: Trainings.
    """
    enough = searches[searches["budget"] >= budget]
    fitting = enough.groupby(["agent", "seed"])["budget"].transform("min")
    return enough[(enough["budget"] == fitting) & (enough["number"] <= budget)]


def best_of(searches: pd.DataFrame, budget: int, column: str, count: int = 1) -> "pd.Series[float]":
    """By agent and seed, the highest value among so many networks of the highest rewards.

    With a count of 1 it is the value of the network that is handed over. Of equal rewards, that
    which was found first is higher; networks that failed have no value and are left out. Those that
    were trained again come first, and have their means.
    """
    met = serving(searches, budget).dropna(subset=[column])
    groups = ["agent", "seed"]
    networks = met.groupby([*groups, "network"], as_index=False).agg(
        reward=("reward", "mean"),
        value=(column, "mean"),
        number=("number", "min"),
        trainings=("number", "size"),
    )
    ranked = by_standing(networks.sort_values("number", kind="stable"))
    chosen = ranked.groupby(groups).head(count)
    best: pd.Series[float] = chosen.groupby(groups)["value"].max()
    return best.rename(column)


def handed_over(
    networks: "pd.Series[str]", rewards: "pd.Series[float]", values: "pd.Series[float]"
) -> "pd.Series[float]":
    """After each training, the value of the network that would be handed over; see `best_of`."""
    trained: dict[str, list[tuple[float, float]]] = {}
    again: set[str] = set()
    best: str | None = None
    found = []
    for network, *result in zip(networks, rewards, values, strict=True):
        trained.setdefault(network, []).append((result[0], result[1]))
        if len(trained[network]) > 1:
            again.add(network)
            # of equals the one found first
            candidates = [known for known in trained if known in again]
            best = max(candidates, key=lambda known: np.mean(trained[known], axis=0)[0])
        elif best is None or (not again and result[0] > trained[best][0][0]):
            best = network
        found.append(np.mean(trained[best], axis=0)[1])
    return pd.Series(found, networks.index)


def mean_interval(values: Floats) -> tuple[Floats, Floats]:
    """The 95 % confidence interval of the mean: percentile bootstrap, the same at every call.

    Args:
        values: (seeds, ...); the other axes are resampled together.

    Returns:
        Lower and upper ends, of the other axes' shape; NaN where there is only one seed.
    """
    seeds, shape = len(values), values.shape[1:]
    if seeds < 2:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(seeds, [1 / seeds] * seeds, size=RESAMPLES)
    means = drawn @ values.reshape(seeds, -1) / seeds
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low.reshape(shape), high.reshape(shape)


def compare(
    searches: pd.DataFrame,
    budgets: Sequence[int],
    measure: Measure,
    agents: Sequence[str],
    reference: str,
) -> pd.DataFrame:
    """A row an agent, budget and choice, in points: see `Measure.points`.

    Args:
        searches: As `metaqnn.comparison.searches.read_searches` gives them.
        budgets: Distinct networks.
        measure: What counts of a network.
        agents: The rows' order.
        reference: The agent from which the others are subtracted, seed by seed.

    Returns:
        The columns choice (a key of `CHOICES`; "ten best" only where the expected score is known),
        budget, agent, seeds, median, mean, low and high (of the mean's interval), and difference,
        difference_low, difference_high and pairs (seeds that both agents have).
    """
    rows = []
    for choice, count in CHOICES.items():
        if choice != "handed over" and measure.column != "expected":
            continue
        for budget in budgets:
            values = measure.points(best_of(searches, budget, measure.column, count))
            present = set(values.index.get_level_values("agent"))
            for agent in agents:
                if agent not in present:
                    continue
                row = {"choice": choice, "budget": budget, "agent": agent}
                rows.append(row | _statistics(values.xs(agent, level="agent")))
                if agent != reference and reference in present:
                    pairs = values.xs(agent, level="agent") - values.xs(reference, level="agent")
                    difference = _statistics(pairs.dropna())
                    rows[-1] |= {
                        "difference": difference["mean"],
                        "difference_low": difference["low"],
                        "difference_high": difference["high"],
                        "pairs": difference["seeds"],
                    }
    table = pd.DataFrame(rows)
    return table.astype({"pairs": "Int64"}) if "pairs" in table else table


def _statistics(values: "pd.Series[float]") -> dict[str, Any]:
    low, high = mean_interval(np.array(values, dtype=np.float64))
    return {
        "seeds": len(values),
        "median": values.median(),
        "mean": values.mean(),
        "low": float(low),
        "high": float(high),
    }
