"""The weights of the best networks of a run, one file each."""

import math
from pathlib import Path

from metaqnn.storage import write_file


class KeptWeights:
    """Keeps the weights of the best k trained networks, and no others.

    Networks whose rewards are predicted, since their training was stopped, are not among them.
    Of networks with equal rewards those that were found first are better.
    """

    def __init__(self, folder: Path, size: int) -> None:
        """Keep the weights of so many networks in a folder."""
        self.folder = folder
        self.size = size
        self.trained: dict[int, float] = {}
        folder.mkdir(exist_ok=True)

    def restore(self, trained: dict[int, float]) -> None:
        """Go on with the rewards of the networks trained so far, by trial number."""
        self.trained = trained
        self._prune()

    @property
    def threshold(self) -> float:
        """A network is among the best k if its reward exceeds this."""
        if self.size == 0:
            return math.inf
        best = sorted(self.trained.values(), reverse=True)[: self.size]
        return best[-1] if len(best) == self.size else -math.inf

    def write(self, number: int, weights: bytes) -> None:
        """Write the weights of a trial whole or not at all; to be called before it is recorded."""
        write_file(self.path(number), weights)

    def record(self, number: int, reward: float) -> None:
        """Count a trained network, and forget the weights of those that are no longer best."""
        self.trained[number] = reward
        self._prune()

    def path(self, number: int) -> Path:
        """Where the weights of a trial are, while it is among the best."""
        return weights_path(self.folder, number)

    def _prune(self) -> None:
        ranking = sorted(self.trained, key=lambda number: (-self.trained[number], number))
        kept = {self.path(number) for number in ranking[: self.size]}
        for path in self.folder.iterdir():
            if path.suffix in (".safetensors", ".partial") and path not in kept:
                path.unlink()


def weights_path(folder: Path, number: int) -> Path:
    """The file of a trial's weights in a folder of them."""
    return folder / f"{number:05}.safetensors"
