"""The executor without processes."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, ParamSpec, Self, TypeVar

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from metaqnn.executors.base import Place
from metaqnn.executors.options import ExecutorOptions

P = ParamSpec("P")
R = TypeVar("R")


class InProcessOptions(ExecutorOptions):
    """One call at once, which nothing can end."""

    @field_validator("workers")
    @classmethod
    def _one(cls, workers: int | None) -> int | None:
        if workers not in (None, 1):
            raise PydanticCustomError("one", "In-process trains one at once; --executor processes")
        return workers

    @field_validator("network_timeout")
    @classmethod
    def _none(cls, timeout: float | None) -> float | None:
        if timeout is not None:
            raise PydanticCustomError("killed", "Only --executor processes or ray can end one")
        return timeout


class InProcess:
    """Runs a call at once, where it is submitted."""

    Options = InProcessOptions
    slots = 1
    isolates = False

    @classmethod
    def place(cls, options: InProcessOptions, device: str) -> Place:
        """The device itself."""
        from metaqnn.device import resolve_device

        return Place(resolve_device(device), options.threads, options.slots_per_gpu > 1)

    @classmethod
    def from_options(cls, options: InProcessOptions, device: str | None) -> Self:
        """There is nothing to start."""
        return cls()

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call, and return the finished future."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """All of them: a submitted call is done."""
        return set(futures)

    def shutdown(self) -> None:
        """There is nothing to end."""
