"""The weights of the best networks of a run, one file each."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from metaqnn.objectives.hypervolume import non_dominated
from metaqnn.search.confirmation import standing
from metaqnn.storage import write_file
from replay import Outcome, Trial


class KeptWeights:
    """Keeps the weights of the best k trained networks, and no others.

    Networks whose rewards are predicted, since their training was stopped, are not among them.
    Of networks with equal rewards those that were found first are better. Of networks that were
    trained again all are kept, for each can become the best without being trained once more: the
    weights of the best of its further trainings, since those of the first may not be there.

    Where there are objectives, all networks that no other one beats in score and objectives are
    kept too, and those that may be when the ones in the race are trained again: the scores of these
    may fall then.
    """

    def __init__(
        self, folder: Path, size: int, objectives: tuple[str, ...] = (), race: int = 0
    ) -> None:
        """None are trained yet.

        Args:
            folder: Of the files.
            size: Of so many networks; of none there are no others either.
            objectives: Metrics of which less is better.
            race: So many of the best may be trained again.
        """
        self.folder = folder
        self.size = size
        self.objectives = objectives if size else ()
        self.race = race
        self.trained: dict[int, list[float]] = {}
        self._points: dict[int, tuple[float, ...]] = {}  # of what may be on the front
        folder.mkdir(exist_ok=True)

    def restore(self, told: Iterable[tuple[int, Outcome, float]]) -> None:
        """Go on after these trainings; see `record`."""
        for number, outcome, reward in told:
            self._count(number, outcome, reward)
        self._prune()

    def threshold(self, trial: Trial) -> float:
        """The weights of a training are wanted if its reward exceeds this."""
        if self.size == 0:
            return math.inf
        if trial.confirmation or self.objectives:
            return -math.inf
        best = self._ranking()[: self.size]
        if len(best) < self.size:
            return -math.inf
        again, reward = self._standing(best[-1])
        return math.inf if again else reward

    def write(self, number: int, weights: bytes, reward: float) -> None:
        """Write the weights of a training whole or not at all; to be called before it is recorded.

        Those of a better one of a network's further trainings stay.
        """
        if reward > max(self.trained.get(number, [])[1:], default=-math.inf):
            write_file(self.path(number), weights)

    def record(self, number: int, outcome: Outcome, reward: float) -> None:
        """Count a training, and forget the weights of networks that are no longer best.

        Args:
            number: Of the trial with which its network was trained first.
            outcome: Of the training, with its objectives.
            reward: Likewise.
        """
        self._count(number, outcome, reward)
        self._prune()

    def path(self, number: int) -> Path:
        """Where the weights of a trial are, while it is among the best."""
        return weights_path(self.folder, number)

    def _count(self, number: int, outcome: Outcome, reward: float) -> None:
        if outcome.error is not None or not outcome.is_measured:
            return
        costs = [outcome.metrics.get(name, math.nan) for name in self.objectives]
        if costs and number not in self.trained and not any(map(math.isnan, costs)):
            self._points[number] = (outcome.best, *(-cost for cost in costs))
        self.trained.setdefault(number, []).append(reward)

    def _standing(self, number: int) -> tuple[bool, float]:
        rewards = self.trained[number]
        return standing(len(rewards), sum(rewards) / len(rewards))

    def _ranking(self) -> list[int]:
        """The best first, of equals that of the lower number."""
        return sorted(sorted(self.trained), key=self._standing, reverse=True)

    def _prune(self) -> None:
        kept = {self.path(number) for number in (*self._ranking()[: self.size], *self._others())}
        for path in self.folder.iterdir():
            if path.suffix in (".safetensors", ".partial") and path not in kept:
                path.unlink()

    def _others(self) -> set[int]:
        """Networks that are kept though they may not be among the best."""
        again = {number for number, rewards in self.trained.items() if len(rewards) > 1}
        if not self._points:
            return again
        first = sorted(self.trained, key=lambda number: self.trained[number][0], reverse=True)
        scores_may_fall = again.union(first[: self.race])
        rest = [number for number in self._points if number not in scores_may_fall]
        if rest:
            on_front = non_dominated(np.array([self._points[number] for number in rest]))
            for number in np.array(rest)[~on_front].tolist():
                del self._points[number]  # the scores of what beats it stay
        return scores_may_fall.union(self._points)


def weights_path(folder: Path, number: int) -> Path:
    """The file of a trial's weights in a folder of them."""
    return folder / f"{number:05}.safetensors"
