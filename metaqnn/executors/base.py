"""What an executor is: where evaluators run."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Executor(Protocol):
    """Runs calls; the semantics are those of `concurrent.futures`.

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
