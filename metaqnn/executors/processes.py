"""The executor of processes on this machine."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from metaqnn.errors import MetaqnnError
from metaqnn.executors.slots import Call, Lost, NotBegun, Slots, wait_for_first
from metaqnn.executors.worker import Worker

if TYPE_CHECKING:
    from metaqnn.config import RunConfig

P = ParamSpec("P")
R = TypeVar("R")


class Processes:
    """Runs calls in processes that are spawned, never forked: CUDA does not survive a fork.

    A worker stays in its slot, and with it on its GPU; it starts with the first call that its slot
    gets, and another one follows it when it dies.
    """

    def __init__(
        self, environments: Sequence[Mapping[str, str]], timeout: float | None = None
    ) -> None:
        """Make the slots.

        Args:
            environments: For each slot, the variables in the environment of its workers.
            timeout: Seconds after which a call is ended.
        """
        self.slots = len(environments)
        self._places = [_Place(variables, timeout) for variables in environments]
        self._slots = Slots(self._places)

    @classmethod
    def from_config(cls, config: "RunConfig") -> Self:
        """The executor of a run; its workers have one thread unless told otherwise.

        Raises:
            MetaqnnError: There are more workers than slots on the GPUs.
        """
        execution = config.execution
        shared = {"OMP_NUM_THREADS": str(execution.threads or 1)}
        if config.evaluation.evaluator == "train":
            from metaqnn.device import visible_gpus

            gpus = visible_gpus(config.device)
        else:
            gpus = []
        if not gpus:
            return cls([shared] * (execution.workers or 1), execution.network_timeout)
        most = len(gpus) * execution.slots_per_gpu
        workers = execution.workers or most
        if workers > most:
            raise MetaqnnError(
                f"workers is {workers}, but there is room for {most}: GPUs are {len(gpus)}, "
                f"slots-per-gpu is {execution.slots_per_gpu}"
            )
        # the GPUs get their first workers before any gets its second
        pinned = [
            {**shared, "CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} for slot in range(workers)
        ]
        return cls(pinned, execution.network_timeout)

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Start a call, or let it wait for a free slot."""
        return self._slots.submit(Call(fn, args, kwargs))

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Those that are done, at least one."""
        return wait_for_first(futures)

    def shutdown(self) -> None:
        """End the workers at once, whatever they do."""
        self._slots.close()
        for place in self._places:
            place.close()
        self._slots.join()


class _Place:
    """A slot and its present worker."""

    def __init__(self, variables: Mapping[str, str], timeout: float | None) -> None:
        self._variables = variables
        self._timeout = timeout
        self._worker: Worker | None = None
        self._closed = False
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Any:
        """Make a call.

        Raises:
            Lost: See `Worker.call`.
        """
        worker = self._present()
        try:
            return worker.call(call, self._timeout)
        except Lost:
            worker.close()
            self._worker = None
            raise

    def close(self) -> None:
        """End the worker; no other follows it."""
        with self._lock:
            self._closed = True
            if self._worker:
                self._worker.kill()

    def _present(self) -> Worker:
        with self._lock:
            if self._closed:
                raise NotBegun("the executor was shut down")
            if self._worker is None:
                self._worker = Worker(self._variables)
            return self._worker
