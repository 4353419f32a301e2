"""A search as TensorBoard shows it."""

import math
import shutil
from collections import deque
from pathlib import Path
from typing import Any

from torch.utils import tensorboard

from metaqnn.reports.figures.score import window
from metaqnn.search.events import Event
from metaqnn.task import Score
from replay import Memory, Outcome, Trial
from state_space import Space

_Writer: Any = tensorboard.SummaryWriter  # half of it has no types
_hparams: Any = tensorboard.summary.hparams

SEARCH = "search"
"""The folder of the search; the others are those of its networks, by the trial's number."""

HYPERPARAMETERS = {"network": "", "layers": 0, "parameters": 0, "multiply_adds": 0, "epsilon": 0.0}
"""Those of a network, with a value of their type."""

METRICS = ("reward", "seconds")
"""Those of every network, beside its score."""


class Board:
    """Writes the folder of event files that `tensorboard --logdir` reads."""

    def __init__(self, folder: Path, space: Space[Any], score: Score, budget: int) -> None:
        """Write nothing yet; the budget decides over how many networks the mean is."""
        self.folder = folder
        self.space = space
        self.score = score
        self._metrics = (score.column, *METRICS)
        self._count = 0
        self._best = -math.inf
        self._last: deque[float] = deque(maxlen=window(budget))

    def begin(self, memory: Memory) -> None:
        """Write the networks that are missing, and what is about the search anew."""
        shutil.rmtree(self.folder / SEARCH, ignore_errors=True)
        # a TensorBoard that is open forgets what it has read of the steps from purge_step on
        self._search = _Writer(str(self.folder / SEARCH), purge_step=0)
        experiment, _, _ = _hparams(dict(HYPERPARAMETERS), dict.fromkeys(self._metrics))
        self._search.file_writer.add_summary(experiment)
        for trial, outcome, reward in memory.trained():
            self._write(trial, outcome, reward)
        self._search.flush()

    def __call__(self, event: Event) -> None:
        """Write a distinct network that has finished since."""
        if event.is_new and not event.trial.confirmation:
            self._write(event.trial, event.outcome, event.reward)
            self._search.flush()

    def close(self) -> None:
        """Close the files."""
        self._search.close()

    def _write(self, trial: Trial, outcome: Outcome, reward: float) -> None:
        self._count += 1
        folder = self.folder / f"{trial.number:05}"
        if not folder.exists():
            # whole or not at all: it is made beside the folder, where TensorBoard does not look
            building = self.folder.with_name(f"{self.folder.name}.partial")
            shutil.rmtree(building, ignore_errors=True)
            self._write_network(building, trial, outcome, reward)
            building.rename(folder)
        scalars = {}
        if outcome.error is None:
            self._best = max(self._best, reward)
            self._last.append(reward)
            mean = sum(self._last) / len(self._last)
            scalars = {"reward": reward, "reward_mean": mean, "reward_best": self._best}
        if "epsilon" in trial.note:
            scalars["epsilon"] = trial.note["epsilon"]
        for name, value in scalars.items():
            self._search.add_scalar(f"{SEARCH}/{name}", value, self._count)

    def _write_network(self, folder: Path, trial: Trial, outcome: Outcome, reward: float) -> None:
        architecture = self.space.architecture(trial.walk)
        known: dict[str, Any] = {
            **trial.note,
            **outcome.metrics,
            "network": self.space.text(trial.walk),
            "layers": len(architecture.expanded.nodes),
            "reward": reward,
        }
        if outcome.error is None:
            known[self.score.column] = self.score.read(outcome.best)
        chosen = {name: known[name] for name in HYPERPARAMETERS if name in known}
        _, start, end = _hparams(chosen, {})
        with _Writer(str(folder)) as writer:
            writer.file_writer.add_summary(start)
            writer.file_writer.add_summary(end)
            for epoch, score in enumerate(outcome.curve, start=1):
                shown = self.score.read(score)
                writer.add_scalar(f"{self.score.column}_by_epoch", shown, epoch)
            for name in self._metrics:
                if name in known:
                    writer.add_scalar(name, known[name], self._count)
            if outcome.error is not None:
                writer.add_text("error", outcome.error, self._count)
            writer.flush()  # raises what went wrong in the thread that writes; closing does not
