"""A training step as a CUDA graph."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Protocol

import torch
from torch import Tensor

from metaqnn.device import is_out_of_memory
from metaqnn.training.proof import GraphFailed, Proof, Resumable

WARM_UP = 3
"""Steps before the recording: in them cuDNN chooses its algorithms and Adam makes its moments."""


class Recording(Protocol):
    """What a device was told to do, to be told again."""

    def replay(self) -> None:
        """Do it again, with what now stands where it was read."""
        ...

    def reset(self) -> None:
        """Give back the memory."""
        ...


class Recorder(Protocol):
    """Makes recordings."""

    def aside(self, device: torch.device) -> AbstractContextManager[None]:
        """Where to run, before the recording, what is to be recorded."""
        ...

    def record(self, step: Callable[[], None], generator: torch.Generator) -> Recording:
        """Record a step, which draws from the generator, without running it."""
        ...


class CudaRecorder:
    """Records CUDA graphs."""

    @contextmanager
    def aside(self, device: torch.device) -> Iterator[None]:
        """The stream of recordings, behind all that the present one has been told."""
        here, aside = torch.cuda.current_stream(device), _stream(device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            yield
        here.wait_stream(aside)

    def record(self, step: Callable[[], None], generator: torch.Generator) -> Recording:
        """Record on the stream where the step ran aside."""
        graph = torch.cuda.CUDAGraph()
        # every replay goes on where the generator stands
        graph.register_generator_state(generator)
        here = torch.cuda.current_stream(generator.device)
        # a recording that fails to end leaves its stream the current one
        with (
            torch.cuda.stream(here),
            torch.cuda.graph(graph, stream=_stream(generator.device)),
        ):
            step()
        return graph


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all trainings of a process: cuBLAS keeps a workspace for every stream that it saw.

    Torch's own stream for recordings is of the device that was current at the first of them.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch has no types here


@dataclass(frozen=True)
class Graphs:
    """What records the steps of a process, and what is known of that.

    Attributes:
        recorder: Makes the recordings.
        proof: Whether they can be trusted.
    """

    recorder: Recorder = field(default_factory=CudaRecorder)
    proof: Proof = field(default_factory=Proof)


GRAPHS = Graphs()
"""Those of this process."""


class GraphedStep:
    """Records a step on its first full batches, and then replays it.

    Whatever a step launches is launched at once, without Python and without waiting: small networks
    keep a GPU busy too. Batches of another size, which is an epoch's last, take the step itself. It
    trains on every batch that it is given, also while it warms up; only the recording trains on
    none.
    """

    def __init__(self, steps: Resumable, batch_size: int, graphs: Graphs) -> None:
        """Wrap a step.

        Args:
            steps: Its step takes the indices of a batch; everything else that it reads stays in its
                place, and all random numbers are drawn from its generator.
            batch_size: Of the batches to replay.
            graphs: Makes the recording, and compares the first replays with the step.
        """
        self._steps = steps
        self._recorder = graphs.recorder
        self._proof = graphs.proof
        self._device = steps.generator.device
        self._indices = torch.zeros(batch_size, dtype=torch.int64, device=self._device)
        self._warm = 0
        self._recording: Recording | None = None

    def __call__(self, indices: Tensor) -> None:
        """Train on a batch.

        Raises:
            GraphFailed: It cannot be recorded or replayed, or that computes something else.
        """
        if len(indices) != len(self._indices):
            self._steps.step(indices)
            return
        if self._warm < WARM_UP:
            self._warm += 1
            with self._recorder.aside(self._device):
                self._steps.step(indices)
            return
        with _failures_told():
            if self._recording is None:
                step = partial(self._steps.step, self._indices)
                self._recording = self._recorder.record(step, self._steps.generator)
            self._indices.copy_(indices)
            if self._proof.complete:
                self._recording.replay()
                return
        self._proof.compare(self._steps, self._replay, indices)

    def _replay(self) -> None:
        assert self._recording is not None, "only what is recorded is compared"
        with _failures_told():
            self._recording.replay()

    def free(self) -> None:
        """Give back the memory of the recording."""
        if self._recording is not None:
            self._recording.reset()
            self._recording = None


@contextmanager
def _failures_told() -> Iterator[None]:
    """Turn errors into GraphFailed, but for a lack of memory, for which there are smaller batches.

    Where memory ends in a recording, the error of the recording that cannot be ended hides that.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if is_out_of_memory(cause):
                raise cause from None
            cause = cause.__context__
        reason = " ".join(str(error).split())
        raise GraphFailed(f"{type(error).__name__}: {reason}"[:300]) from error
