"""What stopping trainings early has saved a run, and how often it would have been wrong."""

from dataclasses import dataclass
from typing import Self

import pandas as pd

from metaqnn.reports.distinct import scores
from metaqnn.terminal import counted


@dataclass(frozen=True)
class Savings:
    """What stopping has saved a run.

    Attributes:
        stopped: Networks that were stopped.
        epochs: That all networks together would have taken.
        saved: That they did not take, since some were stopped.
        spared: Networks that should have stopped and were trained in full, to see.
        wrong: Those of them that ended above their rival: stopping would have been wrong.
    """

    stopped: int
    epochs: int
    saved: int
    spared: int
    wrong: int

    @classmethod
    def of(cls, trials: pd.DataFrame, epochs: int) -> Self:
        """Of the trials of `Memory.frame`, that take so many epochs in full."""
        columns = [*trials.columns, "stopped_after", "would_stop_after", "rival"]
        trained = trials[trials["finished"] & trials["first"] & trials["error"].isna()]
        trained = trained.reindex(columns=list(dict.fromkeys(columns)))
        stopped = trained["stopped_after"].dropna()
        spared = trained[trained["would_stop_after"].notna()]
        saved = int((epochs - stopped).sum())
        return cls(
            stopped=len(stopped),
            epochs=int(trained["curve"].map(len).sum()) + saved,
            saved=saved,
            spared=len(spared),
            wrong=int((scores(spared) > spared["rival"]).sum()),
        )

    def __str__(self) -> str:
        """As a sentence."""
        share = self.saved / self.epochs if self.epochs else 0.0
        stopped = counted(self.stopped, "training was", "trainings were")
        text = f"{stopped} stopped, which saved {share:.0%} of all epochs"
        if not self.spared:
            return text
        return (
            f"{text}; of {self.spared} more that were hopeless but went on to see, {self.wrong} "
            "ended above their rival"
        )
