"""A training step as a CUDA graph."""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3
"""Steps before the recording: in them cuDNN chooses its algorithms and Adam makes its moments."""


class GraphedStep:
    """Records a step on its first full batches, and then replays it.

    Whatever a step launches is launched at once, without Python and without waiting: small networks
    keep a GPU busy too. Batches of another size, which is an epoch's last, take the step itself. It
    trains on every batch that it is given, also while it warms up; only the recording trains on
    none.
    """

    def __init__(
        self, step: Callable[[Tensor], None], batch_size: int, generator: torch.Generator
    ) -> None:
        """Wrap a step.

        Args:
            step: Takes the indices of a batch; everything else that it reads stays in its place.
            batch_size: Of the batches to replay.
            generator: All random numbers of the step are drawn from it.
        """
        self._step = step
        self._generator = generator
        self._indices = torch.zeros(batch_size, dtype=torch.int64, device=generator.device)
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, indices: Tensor) -> None:
        """Train on a batch."""
        if len(indices) != len(self._indices):
            self._step(indices)
            return
        if self._warm < WARM_UP:
            self._warm += 1
            self._aside(indices)
            return
        if self._graph is None:
            self._graph = self._record()
        self._indices.copy_(indices)
        self._graph.replay()

    def _aside(self, indices: Tensor) -> None:
        """Run the step on a stream of its own, as what is recorded later must have been run."""
        here = torch.cuda.current_stream()
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch has no types here
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            self._step(indices)
        here.wait_stream(aside)

    def _record(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        # every replay goes on where the generator stands
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph):
            self._step(self._indices)
        return graph

    def free(self) -> None:
        """Give back the memory of the recording."""
        if self._graph is not None:
            self._graph.reset()
            self._graph = None
