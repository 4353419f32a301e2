"""The executor without processes."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Executor(Protocol):
    """Where evaluators run; the semantics are those of `concurrent.futures`.

    Attributes:
        slots: How many calls run at once.
    """

    slots: int

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Start a call."""
        ...

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Those that are done, at least one."""
        ...

    def shutdown(self) -> None:
        """End the workers."""
        ...


class InProcess:
    """Runs a call at once, where it is submitted."""

    slots = 1

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call, and return the finished future."""
        future: Future[R] = Future()
        future.set_result(fn(*args, **kwargs))
        return future

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """All of them."""
        return set(wait(futures, return_when=FIRST_COMPLETED).done)

    def shutdown(self) -> None:
        """There is nothing to end."""
