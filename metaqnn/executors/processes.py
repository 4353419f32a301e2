"""The executor of processes on this machine."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, ParamSpec, Self, TypeVar

from metaqnn.errors import MetaqnnError
from metaqnn.executors.base import Place
from metaqnn.executors.options import ExecutorOptions
from metaqnn.executors.slots import Call, Lost, NotBegun, Slots, wait_for_first
from metaqnn.executors.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")


class Processes:
    """Runs calls in processes that are spawned, never forked: CUDA does not survive a fork.

    A worker stays in its slot, and with it on its GPU; it starts with the first call that its slot
    gets, and another one follows it when it dies.
    """

    Options = ExecutorOptions
    isolates = True

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
    def place(cls, options: ExecutorOptions, device: str) -> Place:
        """The device, which a worker sees as its only one."""
        from metaqnn.device import resolve_device

        resolved = resolve_device(device)
        seen = "cuda:0" if resolved.startswith("cuda") else resolved
        return Place(seen, options.threads or 1, options.slots_per_gpu > 1)

    @classmethod
    def from_options(cls, options: ExecutorOptions, device: str | None) -> Self:
        """The executor of a run; its workers have one thread unless told otherwise.

        Raises:
            MetaqnnError: There are more workers than slots on the GPUs.
        """
        shared = {"OMP_NUM_THREADS": str(options.threads or 1)}
        gpus: list[str] = []
        if device is not None:
            from metaqnn.device import visible_gpus

            gpus = visible_gpus(device)
        if not gpus:
            return cls([shared] * (options.workers or 1), options.network_timeout)
        most = len(gpus) * options.slots_per_gpu
        workers = options.workers or most
        if workers > most:
            raise MetaqnnError(
                f"workers is {workers}, but there is room for {most}: GPUs are {len(gpus)}, "
                f"slots-per-gpu is {options.slots_per_gpu}"
            )
        # the GPUs get their first workers before any gets its second
        pinned = [
            {**shared, "CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} for slot in range(workers)
        ]
        return cls(pinned, options.network_timeout)

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
