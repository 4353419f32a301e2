"""The executor of a Ray cluster."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pickle import PicklingError
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

from pydantic import Field

from metaqnn.errors import MetaqnnError
from metaqnn.executors.answers import answer, not_sent, read_answer
from metaqnn.executors.base import Place, Portable
from metaqnn.executors.options import ExecutorOptions
from metaqnn.executors.slots import Call, Lost, NotBegun, Slots, wait_for_first
from metaqnn.registry import need

P = ParamSpec("P")
R = TypeVar("R")

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a task without GPU sees none of its own accord
}
"""Variables of the environment that keep Ray from talking, unless somebody set them."""

UNSENT = (TypeError, AttributeError, PicklingError)
"""What is raised by that which cannot be pickled."""

GRACE = 30.0
"""Seconds in which a cluster shall end the calls: a thread that still waits for one when Ray is
shut down takes the process with it, or starts another cluster."""


class RayOptions(ExecutorOptions):
    """Which cluster."""

    ray_address: str | None = Field(
        None, description="Address of a Ray cluster, or auto. Default: a cluster of this machine."
    )

    FREE: ClassVar[tuple[str, ...]] = (*ExecutorOptions.FREE, "ray_address")
    CHANGEABLE: ClassVar[tuple[str, ...]] = FREE


class Ray:
    """Runs calls as tasks of a cluster, which may gain and lose machines meanwhile.

    An evaluator travels to every machine once, with its data. The cluster is reached, or else
    started on this machine, with the first look at `slots` or the first call.
    """

    Options = RayOptions
    isolates = True

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        *,
        threads: int = 1,
        slots_per_gpu: int = 1,
        device: str = "cpu",
        timeout: float | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            address: Of the cluster; None starts one on this machine.
            workers: Calls that run at once; None takes all cores or GPU slots.
            threads: Cores that a call on CPUs takes.
            slots_per_gpu: Calls that share a GPU.
            device: "cuda", "cpu", or "auto": GPUs if the cluster has any.
            timeout: Seconds after which a call is ended.

        Raises:
            MetaqnnError: Ray is not installed.
        """
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        need("the executor ray", "ray", "ray")
        import ray

        self._ray: Any = ray  # half of it has no types
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._address = address
        self._workers = workers
        self._threads = threads
        self._slots_per_gpu = slots_per_gpu
        self._device = device
        self._timeout = timeout
        self._sent: list[tuple[Portable, Any]] = []
        self._running: set[Any] = set()
        self._slots: Slots | None = None
        self._count = 0

    @classmethod
    def place(cls, options: RayOptions, device: str) -> Place:
        """The device by its kind: this machine need not have what the workers' machines have.

        Raises:
            MetaqnnError: One GPU of several is asked for.
        """
        if device not in ("auto", "cpu", "cuda"):
            raise MetaqnnError(
                f"device is {device!r}, but ray chooses GPUs itself: auto, cpu or cuda"
            )
        return Place(device, options.threads or 1, options.slots_per_gpu > 1)

    @classmethod
    def from_options(cls, options: RayOptions, device: str | None) -> Self:
        """The executor of a run."""
        return cls(
            options.ray_address,
            options.workers,
            threads=options.threads or 1,
            slots_per_gpu=options.slots_per_gpu,
            device=device or "cpu",
            timeout=options.network_timeout,
        )

    @property
    def slots(self) -> int:
        """How many calls run at once, if the cluster keeps its size; more would only wait."""
        self._connected()
        return self._count

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Start a call, or let it wait for a free slot."""
        slots = self._connected()
        sent = tuple(self._send(arg) if isinstance(arg, Portable) else arg for arg in args)
        return slots.submit(Call(fn, sent, kwargs))

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Those that are done, at least one."""
        return wait_for_first(futures)

    def shutdown(self) -> None:
        """End the calls at once, and the cluster if it was started here."""
        if self._slots is None:
            return
        self._slots.close()
        deadline = time.monotonic() + GRACE
        while not self._slots.join(timeout=0.2) and time.monotonic() < deadline:
            for task in list(self._running):
                self._ray.cancel(task, force=True)
        self._ray.shutdown()

    def _connected(self) -> Slots:
        if self._slots is None:
            self._connect()
            cluster = self._ray.cluster_resources()
            gpus = int(cluster.get("GPU", 0)) if self._device != "cpu" else 0
            if self._device == "cuda" and not gpus:
                raise MetaqnnError("device is 'cuda', but the Ray cluster has no GPU")
            if gpus:
                needs = {"num_cpus": 0, "num_gpus": 1 / self._slots_per_gpu}
                most = gpus * self._slots_per_gpu
            else:
                needs = {"num_cpus": self._threads}
                most = int(cluster.get("CPU", 0)) // self._threads
            self._count = self._workers or max(1, most)
            self._task = self._ray.remote(_make).options(max_retries=0, **needs)
            self._slots = Slots([self._run] * self._count)
        return self._slots

    def _connect(self) -> None:
        """Reach the cluster, or start one of this machine that has room for all workers.

        Raises:
            MetaqnnError: The cluster does not answer.
        """
        quiet = {"log_to_driver": False, "configure_logging": False}
        if self._address is not None:
            try:
                self._ray.init(self._address, **quiet)
            except (OSError, RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())
                raise MetaqnnError(
                    f"there is no Ray cluster at {self._address!r}: {reason}"
                ) from None
            return
        cores = max(os.cpu_count() or 1, (self._workers or 1) * self._threads)
        self._ray.init(num_cpus=cores, include_dashboard=False, **quiet)

    def _send(self, evaluator: Portable) -> Any:
        """Where the cluster has the evaluator.

        Raises:
            MetaqnnError: It cannot be pickled.
        """
        for known, place in self._sent:
            if known is evaluator:
                return place
        whole = evaluator.with_data()
        try:
            place = self._ray.put(whole)
        except UNSENT as error:
            raise not_sent(error) from error
        self._sent.append((evaluator, place))
        return place

    def _run(self, call: Call) -> Any:
        """Make a call as a task, and wait for it.

        Raises:
            MetaqnnError: It cannot be pickled.
            NotBegun: The workers lack a module that it needs.
            Lost: Its worker died or takes too long.
        """
        try:
            stream = self._task.remote(call.fn, *call.args, **call.kwargs)
        except UNSENT as error:
            raise not_sent(error) from error
        self._running.add(stream)
        try:
            self._ray.get(next(stream))  # it begins
            done, _ = self._ray.wait([stream], timeout=self._timeout)
            if not done:
                self._ray.cancel(stream, force=True)
                raise Lost(f"it took longer than {self._timeout:g} s")
            answered = self._ray.get(next(stream))
        except self._ray.exceptions.RayTaskError as error:
            raise NotBegun(str(error.cause).partition("\n")[0]) from None
        except self._ray.exceptions.RayError as error:
            raise Lost(f"its worker died ({type(error).__name__})") from None
        finally:
            self._running.discard(stream)
        return read_answer(answered)


def _make(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
    """Nothing, to tell that the call begins, then its answer."""
    yield None
    yield answer(fn, *args, **kwargs)
