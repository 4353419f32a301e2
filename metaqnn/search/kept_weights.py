"""The weights of the best networks of a run, one file each."""

import math
from pathlib import Path

from metaqnn.search.confirmation import standing
from metaqnn.storage import write_file
from replay import Trial


class KeptWeights:
    """Keeps the weights of the best k trained networks, and no others.

    Networks whose rewards are predicted, since their training was stopped, are not among them.
    Of networks with equal rewards those that were found first are better. Of networks that were
    trained again all are kept, for each can become the best without being trained once more: the
    weights of the best of its further trainings, since those of the first may not be there.
    """

    def __init__(self, folder: Path, size: int) -> None:
        """Keep the weights of so many networks in a folder."""
        self.folder = folder
        self.size = size
        self.trained: dict[int, list[float]] = {}
        folder.mkdir(exist_ok=True)

    def restore(self, trained: dict[int, list[float]]) -> None:
        """Go on with the rewards of the networks' trainings so far, by the first trial's number."""
        self.trained = trained
        self._prune()

    def threshold(self, trial: Trial) -> float:
        """The weights of a training are wanted if its reward exceeds this."""
        if self.size == 0:
            return math.inf
        if trial.confirmation:
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

    def record(self, number: int, reward: float) -> None:
        """Count a training, and forget the weights of networks that are no longer best."""
        self.trained.setdefault(number, []).append(reward)
        self._prune()

    def path(self, number: int) -> Path:
        """Where the weights of a trial are, while it is among the best."""
        return weights_path(self.folder, number)

    def _standing(self, number: int) -> tuple[bool, float]:
        rewards = self.trained[number]
        return standing(len(rewards), sum(rewards) / len(rewards))

    def _ranking(self) -> list[int]:
        """The best first, of equals that of the lower number."""
        return sorted(sorted(self.trained), key=self._standing, reverse=True)

    def _prune(self) -> None:
        again = [number for number, rewards in self.trained.items() if len(rewards) > 1]
        kept = {self.path(number) for number in (*self._ranking()[: self.size], *again)}
        for path in self.folder.iterdir():
            if path.suffix in (".safetensors", ".partial") and path not in kept:
                path.unlink()


def weights_path(folder: Path, number: int) -> Path:
    """The file of a trial's weights in a folder of them."""
    return folder / f"{number:05}.safetensors"
